// Package trace records what happens in a run: typed events in a fixed order,
// stored permanently and followed live.
//
// A run appends events to a [Log]. A reader follows it with a cursor that first
// replays the past events and then delivers new ones, so that every page, phone
// and script sees each event once and in order, however late it joins and
// however slowly it reads. An append never waits for a reader.
//
// [Store] implements Log. It confirms an append once the event is in memory and
// stores it in the background, many events per commit. The event that ends a run is
// the exception: a run ends only when all of it is stored. Durable evidence is the
// broker's audit log, not the trace.
//
// [OpenStore] stores in a SQLite file of one process. A crash of the process loses
// at most the last milliseconds of live runs; the next start closes these as
// "interrupted". Commits are not synced individually (SQLite's synchronous NORMAL),
// so a power failure may lose the newest runs but does not damage the file.
//
// [OpenShared] stores in a PostgreSQL database, together with other replicas. A run
// belongs to the replica that created it, which alone appends to it. The others
// follow what is stored, and are told of it by announcements. When a replica is
// gone, another one claims its runs. The new owner's term is stored with the run,
// and the rows of an earlier term are refused. An owner that may have been replaced,
// because its lease has ended since the last commit, stores an event before it shows
// it. Readers of an event that was shown, but could not be stored before another
// replica took over, receive [ErrRetracted].
//
// The package does not depend on brokers, models or pages. It never holds a
// token: steps have fields for previews and claims only.
package trace
