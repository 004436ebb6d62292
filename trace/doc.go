// Package trace is the record of what happened in a run: typed events in an
// order that never changes, kept for good and followed live.
//
// Whoever runs something appends to a [Log]; whoever shows it reads with a
// cursor that replays first and then follows, so that a page, a phone and a
// script see the same events once each, however late they come and however
// slowly they read. An append never waits for a reader.
//
// [Store] is the Log over SQLite. It answers an append from memory and writes
// behind it, many events in one commit, except for the event that ends a run:
// a run is not over before all of it is on disk. A crash of the process loses
// at most the last moments of runs that were still going, and these are closed
// as "interrupted" at the next start. Commits are not synced one by one
// (SQLite's synchronous NORMAL): after a power failure the newest runs may be
// missing, the file is whole. What must survive that, the audit trail, is the
// broker's.
//
// The package knows nothing of brokers, models or pages. It never holds a
// token: a step has fields for previews and claims only.
package trace
