// Package store keeps the broker's records in one SQLite file: apps, launch
// tokens, agents, unexpired tokens, revocations and the audit log.
//
// It handles rows, transactions and files, and does not implement the protocol:
// the broker decides, for example, whether a launch token can be spent, inside a
// transaction of the store. All writes go through [Store.Update], which the
// broker calls from one goroutine. Other reads use their own pool of connections
// and see committed data.
//
// A commit is on disk when Update returns (write-ahead log, synchronous=FULL).
// Secrets are never stored: launch tokens as SHA-256, client secrets as bcrypt.
package store
