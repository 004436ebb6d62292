// Package auditlog follows a broker's audit log on behalf of the pages that show
// it. It fetches new events only, recomputes every hash, keeps the newest events
// and the head of the hash chain, and reports where the chain breaks if it does. It
// continues after a break: a broker that has lost an event serves a log that is
// broken at that place for good, and what comes after it must stay visible.
//
// One Follower serves all viewers. It polls the broker while there are any, and
// fetches on demand; it never writes to the log.
package auditlog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/internal/latest"
)

// Limits.
const (
	keep        = 5000 // events in memory; the chain covers all of them
	pagesAtOnce = 20   // pages of a thousand events per refresh
	pollEvery   = time.Second
	pollTimeout = 10 * time.Second
	checkEvery  = 5 * time.Second // between fetches of the checkpoint
)

// A Source provides an audit log. The broker's admin client implements it.
type Source interface {
	AuditPage(ctx context.Context, f agentwrit.AuditFilter) (*agentwrit.AuditPage, error)
	Checkpoint(ctx context.Context) (note []byte, c agentwrit.Checkpoint, err error)
}

var _ Source = (*agentwrit.Admin)(nil)

// A State is what is known about the log.
type State struct {
	Verified    int64                  // number of verified events, from the first one on
	Read        int64                  // number of events read; more than Verified after a break
	Total       int64                  // number of events that the broker last reported
	Head        string                 // hash of the last event read
	Newest      []agentwrit.AuditEvent // read, oldest first, at most 5,000
	Broken      error                  // the first error: of the chain, of a truncated log or of the checkpoint
	Breaks      int                    // events that don't follow from the one before them
	Signed      *agentwrit.Checkpoint  // the latest checkpoint that matches the log; nil if there is none
	Unsigned    bool                   // the broker serves no checkpoints
	Unreachable error                  // error of the last request to the broker; nil if it succeeded
	Since       time.Time              // since when the broker has been unreachable
	version     int64
}

// First returns the position of the oldest event in Newest. The first event of the
// log has position 1.
func (s State) First() int64 { return s.Read - int64(len(s.Newest)) + 1 }

// A Follower follows the audit log of one broker. It is safe for concurrent use.
type Follower struct {
	source Source
	now    func() time.Time

	refreshing singleflight.Group // one refresh at a time, shared by all callers
	signedAt   time.Time          // used by refresh only

	mu      sync.Mutex
	state   State
	chain   wire.Chain
	news    latest.Value[State] // the state after each change
	viewers int
	stop    context.CancelFunc // ends the polling
	polling sync.WaitGroup
}

// New returns a Follower that has fetched nothing yet.
func New(source Source, now func() time.Time) *Follower {
	return &Follower{source: source, now: now, state: State{Head: wire.GenesisHash}}
}

// Close stops polling.
func (f *Follower) Close() {
	f.mu.Lock()
	if f.stop != nil {
		f.stop()
		f.stop = nil
	}
	f.mu.Unlock()
	f.polling.Wait()
}

// State returns the current state without a request.
func (f *Follower) State() State {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state
}

// Refresh fetches and verifies new events and returns the new state. Concurrent
// callers share one refresh. An unreachable broker is reported in the state.
func (f *Follower) Refresh(ctx context.Context) State {
	_, _, _ = f.refreshing.Do("", func() (any, error) {
		// Shared by all callers, so it must not end when the first one leaves.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pollTimeout)
		defer cancel()
		f.refresh(ctx)
		return nil, nil
	})
	return f.State()
}

func (f *Follower) refresh(ctx context.Context) {
	for range pagesAtOnce {
		more, err := f.readPage(ctx)
		if err != nil {
			f.unreachable(err)
			return
		}
		if !more {
			f.checkSigned(ctx)
			return
		}
	}
}

// readPage fetches and verifies the next page and reports whether there is more.
func (f *Follower) readPage(ctx context.Context) (more bool, err error) {
	at := f.State()
	page, err := f.source.AuditPage(ctx, agentwrit.AuditFilter{Offset: int(at.Read), Limit: wire.MaxAuditPage})
	if err != nil {
		return false, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.state.Read != at.Read {
		return true, nil // restarted in the meantime
	}
	before := f.state
	s := &f.state
	s.Unreachable, s.Total = nil, int64(page.Total)
	switch {
	case s.Total >= s.Read:
		f.verify(page.Events)
	case s.Broken == nil:
		s.Broken = fmt.Errorf("the broker reports %d events and reported %d before: the log was truncated or replaced", s.Total, s.Read)
	}
	if s.Total != before.Total || s.Read != before.Read || (s.Broken == nil) != (before.Broken == nil) || before.Unreachable != nil {
		f.announce()
	}
	return len(page.Events) > 0 && s.Read < s.Total, nil
}

// verify verifies events. At one that does not continue the chain it records the
// break and continues from that event, so that later ones can still be shown. The
// caller holds the lock.
func (f *Follower) verify(events []agentwrit.AuditEvent) {
	s := &f.state
	for _, e := range events {
		err := f.chain.Add(e)
		if err != nil {
			f.chain = wire.Chain{Size: f.chain.Size + 1, Head: e.Hash}
			s.Breaks++
		}
		if s.Broken == nil {
			s.Broken = err
		}
		if s.Broken == nil {
			s.Verified = f.chain.Size
		}
	}
	if len(events) > 0 {
		s.Read, s.Head = f.chain.Size, f.chain.Head
		// A returned slice is never modified.
		all := slices.Concat(s.Newest, events)
		s.Newest = all[max(0, len(all)-keep):]
	}
}

// unreachable records that the broker did not respond.
func (f *Follower) unreachable(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.state.Unreachable == nil {
		f.state.Since = f.now()
		f.state.Unreachable = err
		f.announce()
	}
}

// checkSigned compares the log with the broker's checkpoint, if it publishes one.
// A checkpoint beyond the fetched events is compared the next time.
func (f *Follower) checkSigned(ctx context.Context) {
	if f.now().Sub(f.signedAt) < checkEvery {
		return
	}
	f.signedAt = f.now()
	_, c, err := f.source.Checkpoint(ctx)
	f.mu.Lock()
	defer f.mu.Unlock()
	s := &f.state
	if unsigned := errors.Is(err, agentwrit.ErrNotServed); unsigned != s.Unsigned {
		s.Unsigned = unsigned
		f.announce()
	}
	if err != nil {
		return
	}
	if i := c.Size - s.First(); s.Broken == nil && i >= 0 && i < int64(len(s.Newest)) {
		if s.Newest[i].Hash != c.Hash {
			s.Broken = fmt.Errorf("the first %d events are not those that the broker signed: the log was rewritten", c.Size)
		} else {
			s.Signed = &c
		}
		f.announce()
	}
}

// Restart discards the state, so that the log is fetched and verified again.
func (f *Follower) Restart() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.chain = wire.Chain{}
	f.state = State{Head: wire.GenesisHash, version: f.state.version}
	f.announce()
}

// announce wakes the callers of Next. The caller holds the lock.
func (f *Follower) announce() {
	f.state.version++
	f.news.Set(f.state)
}

// Watch keeps the broker polled every second until the returned function is
// called.
func (f *Follower) Watch() (leave func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.viewers++; f.viewers == 1 {
		ctx, cancel := context.WithCancel(context.Background())
		f.stop = cancel
		f.polling.Go(func() { f.poll(ctx) })
	}
	return sync.OnceFunc(func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.viewers--; f.viewers == 0 && f.stop != nil {
			f.stop()
			f.stop = nil
		}
	})
}

func (f *Follower) poll(ctx context.Context) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			f.Refresh(ctx)
		}
	}
}

// Next waits until the state differs from the given one and returns it. It fails
// with ctx's error.
func (f *Follower) Next(ctx context.Context, known State) (State, error) {
	state, _, err := f.news.Next(ctx, known.version)
	if err != nil {
		return known, err
	}
	return state, nil
}
