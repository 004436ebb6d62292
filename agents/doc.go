// Package agents runs encounters: a request about one patient goes to a model,
// the model picks tools, and each call is made by an agent with credentials of
// its own, or refused.
//
// A [Service] holds the live runs. A run's flow is in encounter.go, and each
// decision that it depends on has one place:
//
//   - crew.go spawns an agent for each category of tools at its first call,
//     with scopes for the run's patient only;
//   - delegation.go has the clinical agent hand on what a prescription needs;
//   - gate.go asks the broker, at each call, what the token holds now;
//   - release.go ends every token: renewed, released, and proven dead.
//
// The model is never trusted. It may ask for anything: what it asks for is
// parsed, bounded and gated, and it is told why when it is refused. Everything
// that happens is a step in the run's [trace.Log], in the order in which it
// happened; nothing is shown that was not done, and no token stands in it.
//
// A run outlives whoever started it. Every way out of it, be it the answer, a
// failure, a limit, a cancellation, a shutdown or a panic, leads through the
// release of its tokens. Calls that issue a token are never abandoned halfway,
// so that there is none which nobody knows of.
package agents
