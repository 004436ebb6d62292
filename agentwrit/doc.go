// Package agentwrit gives AI agents short-lived credentials that reach just as
// far as their task, from any AgentWrit broker.
//
// An [App] is an application that is registered at a broker with a ceiling of
// scopes. It creates an [Agent] for each task: a key pair made in memory, a
// SPIFFE ID, and a token with the scopes that this task needs. The agent
// renews its token, delegates a part of it to another agent, and releases it
// when the task is done:
//
//	app, err := agentwrit.NewApp(brokerURL, clientID, clientSecret)
//	…
//	agent, err := app.CreateAgent(ctx, agentwrit.AgentRequest{
//		OrchID: "clinic", TaskID: "visit-17",
//		Scope: []string{"read:records:P-1042"},
//	})
//	…
//	defer agent.Release(ctx)
//
// Whoever is handed a token asks the broker about it, with [Validate], a
// [Validator], or the middleware [RequireScope]. An [Admin] registers
// applications, revokes, and reads the audit trail.
//
// Every failure is an [*Error]; [errors.Is] tells the kinds apart. No error,
// log line or formatted value holds a token or a secret. The package imports
// the standard library only.
package agentwrit
