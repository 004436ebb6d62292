package decisions

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/internal/latest"
)

// Bounds of a log.
const (
	Keep       = 20_000 // entries that are kept
	dropAtOnce = 1_000  // entries beyond Keep before the oldest are dropped
)

// A Log is a hash-chained log of decisions. It is safe for concurrent use.
type Log struct {
	storage storage
	now     func() time.Time
	logger  *slog.Logger
	bound   int64 // Keep, except in tests

	end     context.CancelFunc // of following other replicas
	ended   sync.WaitGroup
	storing sync.Mutex // held while entries are stored, or those of others are read
	failed  attempt    // the last one; zero if it succeeded

	mu      sync.Mutex
	stored  State             // what is stored, as far as it is known; written while storing is held, too
	state   State             // what is stored, and what could not be
	added   int64             // decisions so far
	settled int64             // of these, the first ones that are stored
	unsaved []wire.AuditEvent // the last of the others; at most bound
	shown   int               // of these, the first ones that are in the state
	fault   error             // why they could not be stored; nil if they were not tried
	version int64             // of the state
	news    latest.Value[State]
}

// An attempt is one to store all entries of the first so many decisions.
type attempt struct {
	head  head // after them
	added int64
}

// open returns a log of what is stored, verified, and follows what others store.
func open(ctx context.Context, s storage, now func() time.Time, logger *slog.Logger) (*Log, error) {
	l := &Log{storage: s, now: now, logger: logger, bound: Keep}
	if err := l.stored.load(ctx, s); err != nil {
		_ = s.Close() // the first error counts
		return nil, fmt.Errorf("decisions: %w", err)
	}
	l.show(l.stored)
	following, end := context.WithCancel(context.Background())
	l.end = end
	l.ended.Go(func() { l.follow(following, s.changed()) })
	return l, nil
}

// Close closes the log.
func (l *Log) Close() error {
	l.end()
	l.ended.Wait()
	l.save(context.Background())
	return l.storage.Close()
}

// Add appends a decision. It always succeeds: an entry that can't be stored is kept
// in memory and stored with the next one. If there are more than [Keep] of these, the
// oldest are lost, and the stored chain is broken there. A nil log keeps nothing.
func (l *Log) Add(ctx context.Context, d Decision) {
	if l == nil {
		return
	}
	l.add(d)
	l.save(context.WithoutCancel(ctx))
}

func (l *Log) add(d Decision) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if int64(len(l.unsaved)) == l.bound {
		l.unsaved = l.unsaved[1:]
		l.shown = max(0, l.shown-1)
	}
	l.unsaved = append(l.unsaved, d.event(l.now()))
	l.added++
}

// Fault stores what could not be stored before, and returns an error if that fails
// again.
func (l *Log) Fault() error {
	if l == nil {
		return nil
	}
	l.save(context.Background())
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fault
}

// save stores the unsaved entries, those of concurrent callers together. It returns
// when they are stored or could not be.
func (l *Log) save(ctx context.Context) {
	l.storing.Lock()
	defer l.storing.Unlock()
	err := l.settleFailed(ctx)
	l.mu.Lock()
	batch, this, lost := l.unsaved, attempt{added: l.added}, l.lost()
	stored := l.stored
	l.mu.Unlock()
	if len(batch) == 0 {
		return
	}
	var before head
	if err == nil {
		err = l.storage.append(ctx, func(h head) (entries []Entry, next head) {
			before = h
			entries, next = chain(h, lost, batch)
			if next.size-next.dropped > l.bound+dropAtOnce {
				next.dropped = next.size - l.bound
			}
			stored.add(entries...)
			stored.Dropped = next.dropped
			this.head = next
			return entries, next
		})
		l.failed = this
	}
	if err == nil && before != l.stored.head() { // entries of other replicas come before these
		stored = l.catchUp(ctx)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fault = err
	if err != nil {
		l.logger.ErrorContext(ctx, "decisions: storage failed, keeping entries in memory", "entries", len(l.unsaved), "error", err)
		l.showUnsaved()
		return
	}
	l.failed = attempt{}
	l.settle(this.added)
	l.show(stored)
}

// settle removes stored entries from the unsaved ones. The caller holds the lock.
func (l *Log) settle(added int64) {
	l.settled = added
	l.unsaved = l.unsaved[max(0, int64(len(l.unsaved))-(l.added-added)):]
}

// settleFailed finds out whether the failed attempt has stored its entries: the
// database may have been lost after the commit.
func (l *Log) settleFailed(ctx context.Context) error {
	if l.failed.head.size == 0 {
		return nil
	}
	entries, err := l.storage.read(ctx, "", l.failed.head.size-1)
	if err != nil {
		return err
	}
	if len(entries) > 0 && entries[0].Event.Hash == l.failed.head.hash {
		stored := l.catchUp(ctx)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.fault = nil
		l.settle(l.failed.added)
		l.show(stored)
	}
	l.failed = attempt{}
	return nil
}

// chain returns the entries that follow a head, after as many that were lost.
func chain(h head, lost int64, events []wire.AuditEvent) (entries []Entry, next head) {
	next = h
	next.size += lost
	for i, e := range events {
		if i == 0 && lost > 0 {
			next.hash = e.PrevHash // of the last lost one
		}
		e = chained(e, next.size, next.hash)
		next.size, next.hash = next.size+1, e.Hash
		entries = append(entries, Entry{next.size, e})
	}
	return entries, next
}

// chained returns an entry as the one that follows the first size ones.
func chained(e wire.AuditEvent, size int64, previous string) wire.AuditEvent {
	e.ID, e.PrevHash = fmt.Sprintf("dec-%06d", size+1), previous
	e.Hash = e.ComputeHash()
	return e
}

// lost returns how many decisions before the unsaved ones were lost. The caller holds
// the lock.
func (l *Log) lost() int64 { return l.added - l.settled - int64(len(l.unsaved)) }

// show replaces the state by what is stored. The caller holds the lock.
func (l *Log) show(stored State) {
	l.stored, l.state, l.shown = stored, stored, 0
	l.announce()
}

// showUnsaved adds the unsaved entries to the state. They are chained again when they
// are stored, after what other replicas have stored meanwhile. The caller holds the
// lock.
func (l *Log) showUnsaved() {
	if l.shown == 0 {
		l.state = l.stored
		l.state.Newest = slices.Clone(l.state.Newest) // what is added is not stored
		l.state.Size += l.lost()
	}
	for i, e := range l.unsaved[l.shown:] {
		e = chained(e, l.state.Size, l.state.Head)
		l.unsaved[l.shown+i] = e
		l.state.add(Entry{l.state.Size + 1, e})
	}
	l.shown = len(l.unsaved)
	l.announce()
}

// announce wakes the callers of Next. The caller holds the lock.
func (l *Log) announce() {
	l.version++
	l.state.version = l.version
	l.news.Set(l.state)
}

// State returns the current state.
func (l *Log) State() State {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state
}

// Next waits until the state differs from the given one and returns it. It fails
// with ctx's error.
func (l *Log) Next(ctx context.Context, known State) (State, error) {
	s, _, err := l.news.Next(ctx, known.version)
	return s, err
}

// Events returns the stored entries of a task, or all if it is empty, oldest first.
func (l *Log) Events(ctx context.Context, taskID string) iter.Seq2[wire.AuditEvent, error] {
	return func(yield func(wire.AuditEvent, error) bool) {
		for e, err := range l.entries(ctx, taskID) {
			if !yield(e.Event, err) {
				return
			}
		}
	}
}

// ErrDropped is the error of a reader so slow that entries which it had still to read
// were dropped.
var ErrDropped = errors.New("decisions: entries were dropped while the log was read")

// An Entry is an entry of a log at its position, from 1 on.
type Entry struct {
	Position int64
	Event    wire.AuditEvent
}

// All returns all stored entries with their positions, oldest first. It fails with
// ErrDropped rather than leave out entries that are dropped meanwhile.
func (l *Log) All(ctx context.Context) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		last := int64(0)
		for e, err := range l.entries(ctx, "") {
			if err == nil && last > 0 && e.Position > last+1 {
				err = l.kept(ctx, last+1)
			}
			if !yield(e, err) || err != nil {
				return
			}
			last = e.Position
		}
	}
}

// kept fails with ErrDropped if the entry at a position has been dropped, also by
// another replica.
func (l *Log) kept(ctx context.Context, position int64) error {
	l.storing.Lock()
	defer l.storing.Unlock()
	h, err := l.storage.head(ctx)
	if err == nil && h.dropped >= position {
		err = ErrDropped
	}
	return err
}

// entries returns the stored entries of a task, or all if it is empty, oldest first.
func (l *Log) entries(ctx context.Context, taskID string) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		after := int64(0)
		for {
			read, err := l.storage.read(ctx, taskID, after)
			if err != nil {
				yield(Entry{}, err)
				return
			}
			for _, e := range read {
				after = e.Position
				if !yield(e, nil) {
					return
				}
			}
			if len(read) < page {
				return
			}
		}
	}
}
