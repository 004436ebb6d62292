// Package broker is an embedded AgentWrit broker: the whole protocol of
// docs/protocol.md over HTTP, backed by one database. [Open]
// starts a broker, [Broker.Handler] serves it, [Broker.Serve] does so with
// timeouts.
//
// The package imports the wire types and never the client, so client and broker
// agree only through the protocol. It never stores a secret in a usable form,
// never issues a credential before its record is on disk, and never answers
// "allowed" because a lookup failed.
//
// # The flow
//
// Authority starts with the admin, who registers an app under a ceiling of
// scopes. The app logs in (login.go) and issues launch tokens within the ceiling
// (launch.go). An agent requests a challenge, signs it with its own key, and
// registers with a launch token (register.go). It now has a SPIFFE ID and a
// token for one task. It can renew the token, release it (renew.go), or delegate
// part of its scopes to another agent for at most the remaining lifetime of its
// own token (delegate.go). The admin can revoke any of these (revoke.go). Each
// step only narrows authority: to the app's current ceiling, to the launch
// token's scopes, to the delegator's scopes.
//
// # Writes
//
// One goroutine, the writer, makes every change (writer.go). An HTTP handler
// checks the form of a request and does the expensive work that needs no order
// (signatures, bcrypt). It then passes the writer an operation: a function that
// decides and acts on a change (change.go). The writer takes the waiting
// operations, runs them in order in one transaction, appends their audit events
// to the hash chain, commits, makes the result visible in memory, and answers.
// While one batch is synced to disk the next one gathers, so many callers share
// a commit. It follows that:
//
//   - Of two requests that spend one nonce or one launch token, or renew one
//     token, the first in the queue succeeds. There are no locks to order.
//   - State and audit event are stored together or not at all.
//   - When the database fails, the whole batch is refused with 503, memory is
//     unchanged, and health reports the failure until a write succeeds again (a
//     probe writes when there are no requests).
//   - An operation that panics fails its own caller with 500. The writer undoes
//     its changes and continues.
//   - After a crash at any moment, every acknowledged change is present.
//
// The handler signs a token after the commit; before that there is nothing to
// return. A refusal is an operation too, because of its audit event.
//
// # Several brokers
//
// The records are in one SQLite file of one process, or in a PostgreSQL database
// that several brokers share (package store). There, transactions take turns, each
// begins by applying what other brokers have committed, and a revocation is
// answered when every broker has applied it. A broker that loses the database
// answers nothing from memory once its lease is over.
//
// # Reads
//
// Readers use connections of their own and never delay the writer. Reads of the
// database are limited by client (limits.go).
//
// Validation reads only memory: the signature (package token, which caches
// verified ones), the time, the revocation list (package revocation), the
// registered apps. A request that acts on a token is checked this way when it
// arrives (auth.go), and again in the writer, including the effects of earlier
// operations.
//
// Time never runs backwards (clock.go): a wall clock that is set back, also during
// a restart, makes no expired, released or revoked token valid again.
//
// Expired records are deleted from disk and from memory. A challenge takes no
// memory until it is spent (package nonce). Login limits are kept only for
// clients that have used them, in bounded number (package limit).
//
// # Revocation and delegation
//
// A token names its ancestors in its delegation chain, so its claims and the
// revocation list are enough to tell whether an ancestor was revoked. Ending a
// delegated token also ends the delegations made from it. Ending an agent's own
// token also ends all delegations that the agent has made until then. Revoking an
// agent, its task or its chain ends its later delegations too. A renewal only
// replaces one token by another.
//
// # Hostile callers
//
// Requests that a web page of another site can send are refused first (guard.go),
// and bodies that two readers could understand differently (members.go). Logins are
// charged before their secret is compared, and invented client IDs take nothing
// from the limits of real ones (login.go). Refused requests are recorded once for
// each kind and then counted, so they can't fill the disk (refusals.go).
//
// # The audit log
//
// The fields of an event hold only proven names, and every granted scope is
// recorded. Text that a caller chose is quoted.
//
// Each audit event carries the hash of the event before it (audit.go). At start
// the stored log is checked event by event; health reports a mismatch, and
// nothing is repaired. Someone who edits the database and recomputes every hash
// is detected with an earlier checkpoint: a signed head of the log that anyone
// may fetch and keep (auditquery.go).
package broker
