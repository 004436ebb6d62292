// Package agentwrit is a client for AgentWrit brokers, which issue short-lived,
// task-scoped credentials to AI agents.
//
// An application is registered at a broker with a ceiling: the scopes that it
// may grant. An [App] logs in as that application and creates an [Agent] for
// each task. An agent has a key pair, a SPIFFE ID, and an access token with the
// scopes that the task needs. It can renew its token, delegate some of its scopes
// to another agent, and release the token when the task is done:
//
//	app, err := agentwrit.NewApp(brokerURL, clientID, clientSecret)
//	…
//	defer app.Close()
//	agent, err := app.CreateAgent(ctx, agentwrit.AgentRequest{
//		OrchID: "clinic", TaskID: "visit-17",
//		Scope: []string{"read:records:P-1042"},
//	})
//	…
//	defer agent.Release(ctx)
//
// A service that receives a token validates it at the broker, with the middleware
// [RequireScope] or with a [Validator]. An [OfflineVerifier] checks signatures
// instead and does not notice revocations. An agent calls such a service through
// a [Transport], which sends its token to one origin only.
//
// An [Admin] operates a broker: it registers applications, revokes credentials,
// and reads the audit log, whose hash chain [VerifyChain] checks.
//
// Network operations return an [*Error]; match its kind with [errors.Is]. No
// error, log line or formatted value contains a token or a secret. All types are
// safe for concurrent use. The package depends only on the standard library.
//
// To test code that uses this package against a real broker, see package
// [github.com/devonartis/medassist-go/agentwrit/brokertest].
package agentwrit
