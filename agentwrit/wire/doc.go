// Package wire defines what travels between an AgentWrit broker and its
// clients: request and response bodies, error codes, token claims, the scope
// rule and the audit hash. The broker and the SDK both import it, so there is
// one definition of each; it imports only the standard library and does no I/O.
//
// Bodies keep scopes as plain strings, because a broker other than ours may
// hold scopes that [ParseScope] refuses. Whoever decides on a scope parses it
// first.
package wire
