package trace

import (
	"bytes"
	"sync"
	"time"
)

// An entry is a run in memory.
//
// The feed of a run that this process owns is ahead of the storage: its events are
// shown at once and stored behind. The feed of another replica's run follows the
// storage.
type entry struct {
	feed *Feed[Event]

	appending sync.Mutex // serializes what changes the feed

	mu     sync.Mutex // guards what follows
	run    Run
	owned  bool      // events are appended here
	term   int64     // while it is owned; 0 in a single process
	lease  time.Time // the start of the lease under which the storage last confirmed the term
	synced bool      // the feed holds nothing but what is stored, or will be
}

func (en *entry) info() Run {
	en.mu.Lock()
	defer en.mu.Unlock()
	return en.run
}

// tenure returns this process's term, and whether it owns the run.
func (en *entry) tenure() (term int64, owned bool) {
	en.mu.Lock()
	defer en.mu.Unlock()
	return en.term, en.owned
}

func (en *entry) isSynced() bool {
	en.mu.Lock()
	defer en.mu.Unlock()
	return en.synced
}

// follows reports whether the feed has to follow the storage.
func (en *entry) follows() bool {
	en.mu.Lock()
	defer en.mu.Unlock()
	return !en.owned && en.run.Live()
}

// confirm notes that the storage has confirmed a term while a lease was held.
func (en *entry) confirm(term int64, lease time.Time) {
	en.mu.Lock()
	defer en.mu.Unlock()
	if en.owned && en.term == term {
		en.lease = lease
	}
}

// confirmedAt returns the start of the lease under which the term was confirmed.
func (en *entry) confirmedAt() time.Time {
	en.mu.Lock()
	defer en.mu.Unlock()
	return en.lease
}

// fence ends a term. Events may have been shown that are not stored.
func (en *entry) fence(term int64) {
	en.mu.Lock()
	defer en.mu.Unlock()
	if en.owned && en.term == term {
		en.owned, en.synced = false, false
	}
}

// own begins a term. It reports false if the feed does not hold all stored events.
func (en *entry) own(term int64, lease time.Time) bool {
	en.mu.Lock()
	defer en.mu.Unlock()
	if !en.synced {
		return false
	}
	en.owned, en.term, en.lease = true, term, lease
	return true
}

// position returns the number of the last event that the feed and the storage have
// in common, as far as is known.
func (en *entry) position() int64 {
	en.mu.Lock()
	defer en.mu.Unlock()
	if !en.synced {
		return 0
	}
	return int64(en.feed.Len())
}

// end shows the last event.
func (en *entry) end(run Run, last Event) {
	en.mu.Lock()
	en.run = run
	en.mu.Unlock()
	en.feed.Append(last)
	en.feed.Close()
}

// catchUp adds the stored events after a position to the feed of another replica's
// run, and ends it if ended is not nil. It reports whether it ended it.
func (en *entry) catchUp(position int64, events []Event, ended *Run) bool {
	en.appending.Lock()
	defer en.appending.Unlock()
	en.mu.Lock()
	defer en.mu.Unlock()
	switch {
	case en.owned || !en.run.Live():
		return false
	case !en.synced && position > 0:
		return false // read before the fence: it is read again
	case !en.synced:
		en.feed.reset(events, sameEvent)
		en.synced = true
	}
	for _, e := range events {
		if e.Seq == int64(en.feed.Len())+1 {
			en.feed.Append(e)
		}
	}
	if ended == nil || int64(en.feed.Len()) != position+int64(len(events)) {
		return false
	}
	en.run = *ended
	en.feed.Close()
	return true
}

func sameEvent(a, b Event) bool { return bytes.Equal(a.encoded, b.encoded) }
