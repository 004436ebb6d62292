package operator

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/a-h/templ"

	"github.com/devonartis/medassist-go/preflight"
	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/web/internal/respond"
	"github.com/devonartis/medassist-go/web/internal/sse"
)

const preflightTimeout = 3 * time.Minute // for all checks together

// checks runs the preflight, once at a time for all who watch it. Safe for
// concurrent use.
type checks struct {
	cfg     preflight.Config
	streams *sse.Streams
	log     *slog.Logger
	work    sync.WaitGroup

	mu      sync.Mutex
	results *trace.Feed[preflight.Result] // of the last preflight; nil before the first
	running bool
}

// start starts a preflight, unless one is running, and returns its results.
func (c *checks) start() *trace.Feed[preflight.Result] {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running {
		return c.results
	}
	results := trace.NewFeed[preflight.Result]()
	c.results, c.running = results, true
	c.work.Go(func() {
		ctx, cancel := context.WithTimeout(c.streams.Stopping(), preflightTimeout)
		defer cancel()
		defer c.end(results)
		preflight.Run(ctx, c.cfg, func(r preflight.Result) { results.Append(r) })
	})
	return results
}

// end ends a preflight. A check that panicked, in a model's client for
// instance, fails the preflight and nothing else.
func (c *checks) end(results *trace.Feed[preflight.Result]) {
	if cause := recover(); cause != nil {
		c.log.Error("panic in a preflight", "cause", cause, "stack", string(debug.Stack()))
		results.Append(preflight.Result{Name: "preflight", State: preflight.Failed, Found: "aborted by an internal error", Do: "See the log."})
	}
	results.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running = false
}

// latest returns the results of the running or the last preflight, and nil
// before the first.
func (c *checks) latest() *trace.Feed[preflight.Result] {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.results
}

// Preflight starts the checks, unless they are running, and returns their
// results as they complete.
func (p *Pages) Preflight() *trace.Feed[preflight.Result] { return p.checks.start() }

// startPreflight is POST /operator/preflight: the list that the results are
// then streamed into.
func (p *Pages) startPreflight(w http.ResponseWriter, r *http.Request) error {
	p.Preflight()
	if !respond.FromPage(r) {
		return p.show(w, r, nil, "")
	}
	return respond.Render(w, http.StatusOK, Preflight(true))
}

// preflightFrames is GET /operator/preflight/frames: each result, and at the
// end the removal of the element that connects the stream.
func (p *Pages) preflightFrames(w http.ResponseWriter, r *http.Request) error {
	results := p.checks.latest()
	if results == nil {
		return &respond.Error{Status: http.StatusNotFound, Detail: "No preflight has been started."}
	}
	after, err := sse.ResumeAfter(r)
	if err != nil {
		return err
	}
	return p.cfg.Streams.ServePage(w, r, func(stream *sse.Stream) {
		var n int64
		sse.Follow(stream, results.From(0), func(b []byte, c preflight.Result) ([]byte, error) {
			if n++; n <= after {
				return b, nil
			}
			return sse.Append(b, n, partial("#checks", "beforeend", CheckLine(viewCheck(c)))), nil
		})
		if stream.Context().Err() == nil {
			_ = stream.Write(sse.Append(nil, n+1, partial("#preflight-stream", "delete", templ.NopComponent))) // an error means that the client is gone
		}
	})
}

func partial(target, swap string, c templ.Component) []byte {
	var b bytes.Buffer
	respond.Partial(&b, target, swap, c)
	return b.Bytes()
}

func viewCheck(r preflight.Result) Check {
	return Check{Name: r.Name, State: string(r.State), Found: r.Found, Do: r.Do, Took: r.Took}
}
