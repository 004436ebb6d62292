// Package cluster connects processes of the application that share a PostgreSQL
// database, its replicas.
//
// A replica holds a lease of three seconds, which it extends every second. Once
// it is over, others may take over what the replica was doing. The lease is
// counted by the replica's monotonic clock from before the heartbeat was sent, so
// the replica considers it over before the database does.
//
// Replicas tell each other that something has changed by announcements, which
// carry names only. A reader then selects what it does not know yet. An
// announcement can be lost with its connection, so readers also look after each
// heartbeat.
//
// Secrets are sealed with keys that are derived from a secret that all replicas are
// configured with and that is not in the database.
package cluster
