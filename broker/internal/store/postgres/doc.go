// Package postgres keeps the broker's records in a PostgreSQL database that any
// number of brokers share.
//
// # Writes
//
// A transaction locks the audit log's head first, so transactions of all brokers
// run one after the other: the log stays one chain, and a launch token, a nonce and
// a renewal are used once. A transaction then reads what other brokers have
// committed since the last one. Statements without a result are sent together with
// the next one that has a result, so a transaction takes few round trips.
//
// A commit is asynchronous, which releases the lock before the disk has synced.
// The caller waits for durability afterwards, together with other transactions: one
// sync serves all that were committed before it (flush.go).
//
// # Revocations
//
// Validation reads the memory of each broker. A broker therefore holds a lease of
// a few seconds, which it extends only while it can reach the database and after it
// has applied all changes. A transaction that revoked something is answered when
// every other broker has applied it or has lost its lease (replica.go). A broker
// without a lease answers nothing from memory.
package postgres
