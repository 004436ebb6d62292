package run

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/devonartis/medassist-go/agents"
	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/web/internal/sse"
)

// maxEnded is how many ended runs stay in memory as they are shown. An older one
// is read from its trace when a client asks for it.
const maxEnded = 4

// catchUp is how long a page waits for events that it shows already: another replica
// has sent them, and this one does not know them yet.
const catchUp = time.Second

// collect is how long events are collected before they become one message. Nobody
// sees the difference, and each message costs a write for each watcher.
const collect = 30 * time.Millisecond

// frames is GET /runs/{id}/frames: the page's stream. ?after= is the last event
// that the page shows, ?layout= the picture that it shows.
func (p *Pages) frames(w http.ResponseWriter, r *http.Request) error {
	after, err := sse.ResumeAfter(r)
	if err != nil {
		return err
	}
	run, err := p.live.watch(r.Context(), chi.URLParam(r, "id"))
	if err != nil {
		return err
	}
	missed, rest, err := run.join(r.Context(), after, readLayout(r))
	if err != nil {
		return err
	}
	return p.cfg.Streams.ServePage(w, r, func(stream *sse.Stream) {
		if stream.WriteBlocks(missed) == nil {
			_ = stream.Send(rest.Next)
		}
	})
}

// liveRuns holds runs that are watched. Safe for concurrent use.
type liveRuns struct {
	log     trace.Log
	runs    Runs
	streams *sse.Streams
	work    sync.WaitGroup

	mu      sync.Mutex
	watched map[string]*liveRun // by ID
	ended   []string            // runs in watched that have ended, oldest first
}

func newLiveRuns(log trace.Log, runs Runs, streams *sse.Streams) *liveRuns {
	return &liveRuns{log: log, runs: runs, streams: streams, watched: make(map[string]*liveRun)}
}

// watch returns a run, and starts to follow it if nobody has watched it before.
func (l *liveRuns) watch(ctx context.Context, id string) (*liveRun, error) {
	if run := l.find(id); run != nil {
		return run, nil
	}
	info, err := l.log.Run(ctx, id)
	if err != nil {
		return nil, err
	}
	cursor, err := l.log.Follow(ctx, id, 0)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if run := l.watched[id]; run != nil { // by another watcher, meanwhile
		return run, nil
	}
	run := &liveRun{log: l.log, page: newRenderer(NewRun(info))}
	for i := range run.feeds {
		run.feeds[i] = trace.NewFeed[sse.Block]()
	}
	l.watched[id] = run
	l.work.Go(func() {
		l.follow(run, cursor)
		for _, feed := range run.feeds {
			feed.Close()
		}
		l.retire(id, run)
	})
	return run, nil
}

func (l *liveRuns) find(id string) *liveRun {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.watched[id]
}

// retire keeps the last runs that ended. One that was not followed to its end is
// forgotten, and read again on request.
func (l *liveRuns) retire(id string, run *liveRun) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if run.live() {
		delete(l.watched, id)
		return
	}
	l.ended = append(l.ended, id)
	if len(l.ended) > maxEnded {
		delete(l.watched, l.ended[0])
		l.ended = l.ended[1:]
	}
}

// follow renders a run's events and its waiting until it ends or the server
// stops.
func (l *liveRuns) follow(run *liveRun, cursor *trace.Cursor[trace.Event]) {
	var waits sync.WaitGroup
	defer waits.Wait()
	ctx, cancel := context.WithCancel(l.streams.Stopping())
	defer cancel()
	if states, err := l.runs.Watch(run.page.run.Info.ID); err == nil {
		waits.Go(func() {
			for {
				changes, err := states.Next(ctx)
				if err != nil {
					return
				}
				run.setState(changes[len(changes)-1])
			}
		})
	}
	for {
		_, err := cursor.Next(ctx)
		switch {
		case errors.Is(err, trace.ErrRetracted):
			if cursor, err = run.startOver(ctx); err != nil {
				return
			}
		case err != nil:
			return
		}
		if run.update(context.WithoutCancel(ctx)) != nil {
			return
		}
		sleep(ctx, collect)
	}
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// A liveRun is a run that is rendered once for all who watch it. Safe for
// concurrent use.
type liveRun struct {
	log   trace.Log
	feeds [layouts]*trace.Feed[sse.Block] // what changes from now on

	mu      sync.Mutex
	page    *renderer
	changes int               // that were published
	missed  [layouts][]missed // what the last watchers to join were sent first
}

// maxMissed is how many blocks are kept for pages that join: many that have lost
// their connections at different events may join at a time.
const maxMissed = 16

// missed brings a page that shows a run up to one event to what it is after a
// number of changes.
type missed struct {
	after   int64
	changes int
	block   sse.Block
}

func (l *liveRun) live() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.page.run.Live()
}

// update renders the events that the log has by now.
func (l *liveRun) update(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	events, err := l.log.Events(ctx, l.page.run.Info.ID, l.page.run.LastSeq)
	if err != nil || len(events) == 0 {
		return err
	}
	l.publish(l.page.add(events))
	return nil
}

// startOver renders the run as the log has it, after events were taken back that a
// page may show, and has all pages show that. It returns a cursor for what follows.
func (l *liveRun) startOver(ctx context.Context) (*trace.Cursor[trace.Event], error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	id := l.page.run.Info.ID
	info, err := l.log.Run(ctx, id)
	if err != nil {
		return nil, err
	}
	events, err := l.log.Events(ctx, id, 0)
	if err != nil {
		return nil, err
	}
	run := NewRun(info)
	for _, e := range events {
		run.Apply(e)
	}
	l.page = newRenderer(run)
	var all [layouts][]byte
	for i := range all {
		all[i] = l.page.whole()
	}
	l.publish(all)
	return l.log.Follow(ctx, id, run.LastSeq)
}

// setState renders that a run waits for the presenter or goes on, and its pace.
func (l *liveRun) setState(state agents.State) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.page.setState(state) {
		l.publish(l.page.changed(Changed{}))
	}
}

// publish sends messages to all who watch. The caller holds the lock.
func (l *liveRun) publish(messages [layouts][]byte) {
	l.changes++
	for i, m := range messages {
		l.feeds[i].Append(sse.NewBlock(m))
	}
}

// join returns what a page that shows the run up to an event has missed, as one
// message, and a cursor for all that follows.
func (l *liveRun) join(ctx context.Context, after int64, layout layout) (sse.Block, *trace.Cursor[sse.Block], error) {
	if err := l.update(ctx); err != nil {
		return sse.Block{}, nil, err
	}
	l.await(ctx, after)
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.missedSince(after, layout), l.feeds[layout].From(l.feeds[layout].Len()), nil
}

// missedSince returns what a page that shows the run up to an event has missed. The
// caller holds the lock.
func (l *liveRun) missedSince(after int64, layout layout) sse.Block {
	recent := l.missed[layout]
	i := slices.IndexFunc(recent, func(m missed) bool { return m.after == after && m.changes == l.changes })
	if i >= 0 {
		return recent[i].block
	}
	message := l.page.since(after, layout)
	if after > l.page.run.LastSeq {
		message = l.page.whole()
	}
	block := sse.NewBlock(message)
	l.missed[layout] = append(slices.Clone(recent[max(0, len(recent)-maxMissed+1):]), missed{after, l.changes, block})
	return block
}

// await waits for an event for a while. It may never come: a replica may have failed
// after it has shown an event and before it has stored it.
func (l *liveRun) await(ctx context.Context, seq int64) {
	ctx, cancel := context.WithTimeout(ctx, catchUp)
	defer cancel()
	for {
		l.mu.Lock()
		known, next := l.page.run.LastSeq, l.feeds[desk].From(l.feeds[desk].Len())
		l.mu.Unlock()
		if known >= seq {
			return
		}
		if _, err := next.Next(ctx); err != nil {
			return
		}
	}
}

// show calls f with the run as it is now.
func (l *liveRun) show(ctx context.Context, f func(*Run)) error {
	if err := l.update(ctx); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	f(l.page.run)
	return nil
}
