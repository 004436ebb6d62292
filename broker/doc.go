// Package broker is an AgentWrit broker that lives in a process: the whole
// protocol of WIRE.md, over HTTP, on one database file or in memory. [Open]
// starts one, [Broker.Handler] answers, [Broker.Serve] does so with timeouts.
//
// It imports the wire types and never the client, so that what it says is what
// the wire says. It never stores a secret that opens anything, never hands out
// a credential before its record is on disk, and never answers "allowed"
// because something could not be looked up.
//
// # The flow
//
// Authority comes from the admin, who registers an app under a ceiling of
// scopes. The app logs in (login.go) and mints launch tokens within the ceiling
// (launch.go). An agent takes a challenge, signs it with a key of its own, and
// registers with a launch token (register.go): it is now a SPIFFE ID with a
// token for one task. It can renew the token, release it (renew.go), or hand
// part of what it holds to another agent, for no longer than its own token
// lives (delegate.go). The admin can take any of it back (revoke.go). At every
// step authority only narrows: within the ceiling of now, within the launch
// token, within what the delegator holds.
//
// # What is written, and when
//
// There is one goroutine that changes anything, the writer (writer.go). An HTTP
// handler checks a request's form, works out what is dear and needs no order
// (signatures, bcrypt), and then gives the writer an operation: a function that
// decides and acts on a change (change.go). The writer takes the operations that wait, runs
// them in order in one transaction, appends their audit events to the hash
// chain, commits, and only then makes the result visible in memory and answers.
// While one batch is being synced to disk the next one gathers, so that many
// callers share a commit. From this much follows at once:
//
//   - Of two that spend one nonce, one launch token, or renew one token, the
//     first in the queue wins. There are no locks to order.
//   - State and audit event are stored together or not at all.
//   - When the database fails, the whole batch is refused with 503, memory is as
//     it was, and health says so until a commit succeeds again (a probe sees to
//     that when nobody calls).
//   - After a crash at any moment, what was acknowledged is there.
//
// A token is signed after the commit, by the handler: before it there is nothing
// to hand out. A refusal is an operation too, for its audit event.
//
// # What is asked, and how fast
//
// Validation only reads memory: the signature (package token, which remembers
// the ones it has seen), the time, the list of revocations (package revocation),
// the registered apps. A request that acts on a token is checked so at the door
// (auth.go), and once more in the writer when its turn comes, with the effects
// of the operations before it.
//
// Everything that can expire is dropped when it has, from disk and from memory.
// Challenges need no memory until they are spent (package nonce). Limits on
// logins are kept for clients that used them up, in bounded number (package
// limit).
//
// # Revocation and delegation
//
// A token names its ancestors in its delegation chain, so whether an ancestor
// fell can be told from the claims and the list alone. Release, and revocation
// of a single token, kill what the agent delegated up to then; revocation of an
// agent, its task or its chain kills what it delegates ever. A renewal only
// exchanges one token for another.
//
// # The trail
//
// Each audit event carries the hash of the one before (audit.go). At start the
// stored trail is checked link by link; what does not fit is reported by health,
// not repaired. Whoever edits the database and rewrites every hash is found out
// by a checkpoint from before: a signed head of the trail that anyone may fetch
// and keep (auditquery.go).
package broker
