// Package audit serves the page of the two audit logs: the broker's, of what happened
// to credentials, and MedAssist's own (package decisions), of the calls that were
// decided. It shows their events with every hash recomputed, the state of the hash
// chains, and the tamper lab, in which a copy of a log's end is changed and the change
// is detected.
//
// The page follows the broker's log through web/auditlog, which reads and verifies it
// once for all who watch. It never changes a log. Without the broker's admin secret
// only MedAssist's own log can be read, and the page states it.
package audit
