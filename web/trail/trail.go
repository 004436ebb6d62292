// Package trail follows a broker's audit trail for those who look at it: it
// asks only for what is new, recomputes every hash, keeps the newest events and
// the head of the chain, and says where the chain breaks if it does.
//
// One Trail serves all watchers. It asks the broker while somebody watches, and
// when somebody looks; it writes nothing.
package trail

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/agentwrit/wire"
)

// Bounds.
const (
	keep         = 5000 // events in memory; the chain goes on over all
	pagesAtOnce  = 20   // of a thousand events, in one refresh
	pollEvery    = time.Second
	pollTimeout  = 10 * time.Second
	signedAtMost = 5 * time.Second // between two looks at the broker's checkpoint
)

// Source is where a trail is read: the broker's admin.
type Source interface {
	AuditPage(ctx context.Context, f agentwrit.AuditFilter) (*agentwrit.AuditPage, error)
	Checkpoint(ctx context.Context) (note []byte, c agentwrit.Checkpoint, err error)
}

var _ Source = (*agentwrit.Admin)(nil)

// State is what is known of the trail.
type State struct {
	Verified int64                  // events whose hashes were recomputed, from the first on
	Total    int64                  // events that the broker has, as it last said
	Head     string                 // hash of the last verified one
	Newest   []agentwrit.AuditEvent // verified, oldest first, at most 5,000
	Broken   error                  // why no further event is believed: a chain error, or an end that was cut
	Signed   *agentwrit.Checkpoint  // the broker's signed head that the trail bears out; nil where there is none
	Away     error                  // the broker did not answer the last time
	Since    time.Time              // since when it is away
	version  int64
}

// First is the position of the oldest event in Newest; 1 is the trail's first.
func (s State) First() int64 { return s.Verified - int64(len(s.Newest)) + 1 }

// Trail follows one broker's trail. Safe for concurrent use.
type Trail struct {
	source Source
	now    func() time.Time

	refreshing singleflight.Group // one refresh at a time, for all who ask meanwhile
	signedAt   time.Time          // the refresh's own

	mu       sync.Mutex
	state    State
	chain    wire.Chain
	changed  chan struct{} // closed when the state changes
	watchers int
	stop     context.CancelFunc // ends the polling
	polling  sync.WaitGroup
}

// New makes a Trail that has read nothing yet.
func New(source Source, now func() time.Time) *Trail {
	return &Trail{source: source, now: now, changed: make(chan struct{}), state: State{Head: wire.GenesisHash}}
}

// Close ends the polling.
func (t *Trail) Close() {
	t.mu.Lock()
	if t.stop != nil {
		t.stop()
		t.stop = nil
	}
	t.mu.Unlock()
	t.polling.Wait()
}

// State is what is known now, without asking.
func (t *Trail) State() State {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.state
}

// Refresh asks the broker for what is new, checks it, and says what is known.
// Those who ask while it is asked share one answer. A broker that does not
// answer is in the state, and no error of its own.
func (t *Trail) Refresh(ctx context.Context) State {
	_, _, _ = t.refreshing.Do("", func() (any, error) {
		// For all who share it, so it does not end with the first who leaves.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pollTimeout)
		defer cancel()
		t.refresh(ctx)
		return nil, nil
	})
	return t.State()
}

func (t *Trail) refresh(ctx context.Context) {
	for range pagesAtOnce {
		more, err := t.readPage(ctx)
		if err != nil {
			t.away(err)
			return
		}
		if !more {
			t.checkSigned(ctx)
			return
		}
	}
}

// readPage takes in the next page; more says that there is another.
func (t *Trail) readPage(ctx context.Context) (more bool, err error) {
	at := t.State()
	page, err := t.source.AuditPage(ctx, agentwrit.AuditFilter{Offset: int(at.Verified), Limit: wire.MaxAuditPage})
	if err != nil {
		return false, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.state.Verified != at.Verified {
		return true, nil // it is followed anew, meanwhile
	}
	before := t.state
	s := &t.state
	s.Away, s.Total = nil, int64(page.Total)
	switch {
	case s.Broken != nil:
	case s.Total < s.Verified:
		s.Broken = fmt.Errorf("the broker shows %d events and has shown %d before: the end was cut, or this is another trail", s.Total, s.Verified)
	default:
		t.take(page.Events)
	}
	if s.Total != before.Total || s.Verified != before.Verified || (s.Broken == nil) != (before.Broken == nil) || before.Away != nil {
		t.announce()
	}
	return s.Broken == nil && len(page.Events) > 0 && s.Verified < s.Total, nil
}

// take checks events one after the other, up to the first that does not follow.
// The caller holds the lock.
func (t *Trail) take(events []agentwrit.AuditEvent) {
	s := &t.state
	good := 0
	for _, e := range events {
		if s.Broken = t.chain.Add(e); s.Broken != nil {
			break
		}
		good++
	}
	if good > 0 {
		s.Verified, s.Head = t.chain.Size, t.chain.Head
		// A slice that was handed out is never written to again.
		all := slices.Concat(s.Newest, events[:good])
		s.Newest = all[max(0, len(all)-keep):]
	}
}

// away notes that the broker does not answer.
func (t *Trail) away(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.state.Away == nil {
		t.state.Since = t.now()
		t.state.Away = err
		t.announce()
	}
}

// checkSigned holds the trail against the broker's own signed head, if the
// broker has such. One that is newer than what was read is looked at the next
// time.
func (t *Trail) checkSigned(ctx context.Context) {
	if t.now().Sub(t.signedAt) < signedAtMost {
		return
	}
	t.signedAt = t.now()
	_, c, err := t.source.Checkpoint(ctx)
	if err != nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	s := &t.state
	if i := c.Size - s.First(); s.Broken == nil && i >= 0 && i < int64(len(s.Newest)) {
		if s.Newest[i].Hash != c.Hash {
			s.Broken = fmt.Errorf("after %d events the trail is not the one that the broker signed: it was rewritten", c.Size)
		} else {
			s.Signed = &c
		}
		t.announce()
	}
}

// Anew forgets all that is known, so that another trail can be followed.
func (t *Trail) Anew() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.chain = wire.Chain{}
	t.state = State{Head: wire.GenesisHash, version: t.state.version}
	t.announce()
}

// announce wakes who waits. The caller holds the lock.
func (t *Trail) announce() {
	t.state.version++
	close(t.changed)
	t.changed = make(chan struct{})
}

// Watch has the broker asked every second until the returned function is
// called.
func (t *Trail) Watch() (leave func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.watchers++; t.watchers == 1 {
		ctx, cancel := context.WithCancel(context.Background())
		t.stop = cancel
		t.polling.Go(func() { t.poll(ctx) })
	}
	return sync.OnceFunc(func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.watchers--; t.watchers == 0 && t.stop != nil {
			t.stop()
			t.stop = nil
		}
	})
}

func (t *Trail) poll(ctx context.Context) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			t.Refresh(ctx)
		}
	}
}

// Next waits until something is known that was not in the given state, and
// returns it, or ctx's error.
func (t *Trail) Next(ctx context.Context, known State) (State, error) {
	for {
		t.mu.Lock()
		state, changed := t.state, t.changed
		t.mu.Unlock()
		if state.version != known.version {
			return state, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return known, ctx.Err()
		}
	}
}
