package web

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/a-h/templ"

	"github.com/devonartis/medassist-go/preflight"
	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/web/view"
)

const preflightTimeout = 3 * time.Minute // all checks together

// examine starts the checks, or finds those that are going on: they are made
// once at a time, for all who look.
func (s *Server) examine() *trace.Feed[preflight.Result] {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.examining {
		return s.checks
	}
	feed := trace.NewFeed[preflight.Result]()
	s.checks, s.examining = feed, true
	s.work.Go(func() {
		ctx, cancel := context.WithTimeout(s.ending, preflightTimeout)
		defer cancel()
		defer s.examined(feed)
		preflight.Run(ctx, s.cfg.Preflight, func(r preflight.Result) { feed.Append(r) })
	})
	return feed
}

// examined ends the checks. One that panicked, a model's client for instance,
// has failed and ends no more than itself.
func (s *Server) examined(feed *trace.Feed[preflight.Result]) {
	if cause := recover(); cause != nil {
		s.cfg.Logger.Error("panic in a preflight", "cause", cause, "stack", string(debug.Stack()))
		feed.Append(preflight.Result{Name: "preflight", State: preflight.Failed, Found: "it broke off", Do: "The program's log says why."})
	}
	feed.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.examining = false
}

// lastChecks are those that go on, or were made last; nil before the first.
func (s *Server) lastChecks() *trace.Feed[preflight.Result] {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.checks
}

// preflightFromPage is POST /operator/preflight: the list that the results then
// come into one by one.
func (s *Server) preflightFromPage(w http.ResponseWriter, r *http.Request) {
	s.examine()
	if !fromPage(r) {
		s.showOperator(w, r, nil, "")
		return
	}
	render(w, http.StatusOK, view.Preflight(true))
}

// preflightFrames is GET /operator/preflight/frames.
func (s *Server) preflightFrames(w http.ResponseWriter, r *http.Request) {
	feed := s.lastChecks()
	if feed == nil {
		s.fail(w, r, http.StatusNotFound, "No preflight was made.")
		return
	}
	after, err := resumeAfter(r)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	ctx, done := s.untilStop(r.Context())
	defer done()
	stream, err := openStream(w)
	if err != nil {
		return
	}
	var n int64
	follow(ctx, stream, feed.From(0), func(b []byte, c preflight.Result) ([]byte, error) {
		if n++; n <= after {
			return b, nil
		}
		var frame bytes.Buffer
		partial(&frame, "#checks", "beforeend", view.CheckLine(viewCheck(c)))
		return appendMessage(b, n, frame.Bytes()), nil
	})
	if ctx.Err() == nil {
		var frame bytes.Buffer
		partial(&frame, "#preflight-stream", "delete", templ.NopComponent)
		_ = stream.write(appendMessage(nil, n+1, frame.Bytes())) // a client that is gone needs no end
	}
}

func viewCheck(r preflight.Result) view.Check {
	return view.Check{Name: r.Name, State: string(r.State), Found: r.Found, Do: r.Do, Took: r.Took}
}

// preflightLines is POST /api/preflight: one JSON object on a line for each
// check, as soon as it is done.
func (s *Server) preflightLines(w http.ResponseWriter, r *http.Request) {
	ctx, done := s.untilStop(r.Context())
	defer done()
	w.Header().Set("Content-Type", "application/x-ndjson")
	out, lines := http.NewResponseController(w), json.NewEncoder(w)
	for cursor := s.examine().From(0); ; {
		results, err := cursor.Next(ctx)
		if err != nil {
			return
		}
		for _, c := range results {
			if lines.Encode(c) != nil {
				return
			}
		}
		if out.Flush() != nil {
			return
		}
	}
}
