// Package store defines the broker's records and the interface of its database:
// apps, launch tokens, agents, unexpired tokens, revocations and the audit log.
//
// A database handles rows, transactions and files, and does not implement the
// protocol: the broker decides, for example, whether a launch token can be spent,
// inside a transaction. All writes go through [Store.Update], which the broker
// calls from one goroutine. Other reads use connections of their own and see
// committed data.
//
// Package sqlite keeps the records in one file, for one process. Package postgres
// keeps them in a PostgreSQL database that several brokers share.
//
// Secrets are never stored: launch tokens as SHA-256, client secrets as bcrypt.
package store
