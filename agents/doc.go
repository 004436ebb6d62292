// Package agents runs encounters. A request about one patient goes to a model,
// the model picks tools, and each tool call is made by an agent that has its own
// credential, or is refused.
//
// A [Service] holds the live runs. The flow of a run is in encounter.go and
// conversation.go; each decision about a credential is made in one file:
//
//   - registration.go creates an agent for a category of tools at the first call
//     that needs it, with scopes for the run's patient only;
//   - delegation.go has the clinical agent delegate what a prescription needs;
//   - gate.go asks the broker, at each call, what the token holds;
//   - release.go renews, releases and verifies every token at the end.
//
// The model is never trusted. Its requests are parsed, bounded and checked at the
// gate, and a refusal tells it the reason. Everything that happens is a step in
// the run's [trace.Log], in the order in which it happened. No step reports
// something that was not done, and no step holds a token.
//
// With a [Cluster], a run belongs to one of several replicas of the program:
//
//   - ownership.go saves each token before it is used, so that another replica can
//     end it;
//   - commands.go carries out what is asked of a run, here or at its owner;
//   - others.go follows the runs of other replicas;
//   - takeover.go ends the runs of a replica that is gone.
//
// A run does not depend on the request that started it. Every way out of a run
// (the answer, a failure, a limit, a cancellation, a shutdown, a panic) releases
// its tokens. A call that issues a token is never abandoned halfway, so that no
// token exists that the run does not know of.
package agents
