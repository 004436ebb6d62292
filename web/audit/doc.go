// Package audit serves the page of the broker's audit log: its events with
// every hash recomputed, the state of the hash chain, and the tamper lab, in
// which a copy of the log's end is changed and the change is detected.
//
// The page follows the log through web/auditlog, which reads and verifies it once
// for all who watch. It never changes the broker's log. Without the broker's
// admin secret no log can be read, and the page states it.
package audit
