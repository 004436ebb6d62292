package operator

import (
	"context"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/devonartis/medassist-go/internal/random"
	"github.com/devonartis/medassist-go/internal/values"
	"github.com/devonartis/medassist-go/preflight"
	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/web/internal/sse"
)

const (
	preflightTimeout = 3 * time.Minute // for all checks together
	shareTimeout     = 2 * time.Second // to tell other replicas of a result
)

// checks runs the preflight, once at a time for all who watch it. It looks at the
// replica that it runs on; the others show its results, so that a browser sees them
// at whichever replica it reaches. Safe for concurrent use.
type checks struct {
	cfg     preflight.Config
	streams *sse.Streams
	log     *slog.Logger
	shared  *values.Value[report]
	work    sync.WaitGroup

	mu      sync.Mutex
	id      string                        // of the last preflight
	results *trace.Feed[preflight.Result] // nil before the first preflight
	version int64                         // of the report with these results
	running bool                          // here
}

// A report is the last preflight of all replicas.
type report struct {
	ID      string             `json:"id"`
	Results []preflight.Result `json:"results"`
	Over    bool               `json:"over"`
}

func newChecks(cfg Config) *checks {
	c := &checks{cfg: cfg.Preflight, streams: cfg.Streams, log: cfg.Logger, shared: values.New(cfg.Values, "preflight", report{}, cfg.Logger)}
	c.work.Go(func() { c.shared.Keep(c.streams.Stopping()) })
	c.work.Go(func() { c.shared.Follow(c.streams.Stopping(), c.show) })
	return c
}

// show takes a report, unless a preflight is running here or a later report is known.
func (c *checks) show(r report, version int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running || version <= c.version {
		return
	}
	c.version = version
	if r.ID != c.id {
		if c.results != nil {
			c.results.Close()
		}
		c.id, c.results = r.ID, trace.NewFeed[preflight.Result]()
	}
	for _, result := range r.Results[min(c.results.Len(), len(r.Results)):] {
		c.results.Append(result)
	}
	if r.Over {
		c.results.Close()
	}
}

// sync shows what another replica has just begun. If that can't be read, what is
// known is shown.
func (c *checks) sync(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, shareTimeout)
	defer cancel()
	if r, version, err := c.shared.Load(ctx); err == nil {
		c.show(r, version)
	}
}

// start starts a preflight, unless one is running here, and returns its results.
func (c *checks) start() *trace.Feed[preflight.Result] {
	c.mu.Lock()
	if c.running {
		defer c.mu.Unlock()
		return c.results
	}
	if c.results != nil {
		c.results.Close()
	}
	r, results := report{ID: random.Hex(8)}, trace.NewFeed[preflight.Result]()
	c.id, c.results, c.running = r.ID, results, true
	c.mu.Unlock()
	shared := c.share(r, true)
	c.work.Go(func() {
		ctx, cancel := context.WithTimeout(c.streams.Stopping(), preflightTimeout)
		defer cancel()
		add := func(result preflight.Result) {
			results.Append(result)
			r.Results = append(r.Results, result)
			shared = shared && c.share(r, false)
		}
		defer c.end(results)
		defer func() {
			c.recovered(recover(), add)
			r.Over = true
			_ = shared && c.share(r, false)
		}()
		preflight.Run(ctx, c.cfg, add)
	})
	return results
}

// share tells the other replicas of a preflight, and reports whether that was
// possible: a preflight that was not shared from its start is not shared at all.
func (c *checks) share(r report, first bool) bool {
	ctx, cancel := context.WithTimeout(context.Background(), shareTimeout)
	defer cancel()
	saved, version, err := c.shared.Update(ctx, func(last *report) error {
		if first || last.ID == r.ID { // no other has been started since
			*last = r
		}
		return nil
	})
	if err != nil {
		c.log.WarnContext(ctx, "the preflight is shown by this replica alone", "error", err)
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if saved.ID == r.ID {
		c.version = version
	}
	return true
}

// recovered reports a check that panicked, in a model's client for instance: it
// fails the preflight and nothing else.
func (c *checks) recovered(cause any, add func(preflight.Result)) {
	if cause != nil {
		c.log.Error("panic in a preflight", "cause", cause, "stack", string(debug.Stack()))
		add(preflight.Result{Name: "preflight", State: preflight.Failed, Found: "aborted by an internal error", Do: "See the log."})
	}
}

// end ends a preflight.
func (c *checks) end(results *trace.Feed[preflight.Result]) {
	results.Close()
	c.mu.Lock()
	c.running = false
	c.mu.Unlock()
	c.show(c.shared.Current()) // that of another replica, if it has been started since
}

// latest returns the results of the running or the last preflight, and nil
// before the first.
func (c *checks) latest() *trace.Feed[preflight.Result] {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.results
}
