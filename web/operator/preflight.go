package operator

import (
	"bytes"
	"net/http"

	"github.com/a-h/templ"

	"github.com/devonartis/medassist-go/preflight"
	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/web/internal/respond"
	"github.com/devonartis/medassist-go/web/internal/sse"
)

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
	p.checks.sync(r.Context())
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
