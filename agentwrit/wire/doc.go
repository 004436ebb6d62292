// Package wire defines the protocol between an AgentWrit broker and its clients:
// request and response bodies, error codes, token claims, the scope rule, and
// the hashes and signatures of the audit log. Broker and SDK share these
// definitions. The package imports only the standard library and does no I/O.
// docs/protocol.md describes the protocol.
//
// Bodies hold scopes as plain strings, because other brokers accept scopes that
// [ParseScope] refuses. Code that makes a decision about a scope parses it
// first.
package wire
