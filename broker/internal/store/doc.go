// Package store keeps the broker's records in one SQLite file: apps, launch
// tokens, agents, live tokens, revocations and the audit trail.
//
// It knows rows, transactions and files, and nothing of the protocol: whether
// a launch token may be spent is decided by the broker, inside a transaction
// that the store gives it. All writes go through [Store.Update], which the
// broker calls from one goroutine; reads beside it use a pool of connections of
// their own and see what is committed.
//
// A commit is on disk when Update returns (write-ahead log, synchronous=FULL).
// Secrets are never stored: launch tokens as SHA-256, client secrets as bcrypt.
package store
