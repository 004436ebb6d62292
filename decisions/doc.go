// Package decisions keeps MedAssist's own audit log: one entry for each decision
// about a call that was to be made with an agent's credential, whether the gate,
// the broker or the records API made it, and whether it was allowed or denied.
//
// The broker's audit log says which credentials existed. It can't say what they were
// used for, because the broker does not see the calls. This log does: patient, tool,
// required and held scopes, the token's ID, its agent and task.
//
// Entries have the form and the hash chain of the broker's audit events
// (docs/protocol.md, "Audit events"), so the same code verifies both, on the page and
// in medassist verify. The log is bounded: the oldest entries are dropped, and what
// remains still verifies from its first entry on. It has no signed checkpoint.
//
// Replicas of the app write one chain: each locks the head while it appends, and shows
// what the others append. While their database is away, entries wait in memory.
//
// The package decides nothing. No entry contains a token.
package decisions
