package api

import (
	"context"
	"fmt"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/devonartis/medassist-go/agents"
	"github.com/devonartis/medassist-go/internal/text"
	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/web/internal/newrun"
	"github.com/devonartis/medassist-go/web/internal/respond"
	"github.com/devonartis/medassist-go/web/internal/sse"
)

// start reads what to run, and starts it.
func (a *API) start(w http.ResponseWriter, r *http.Request) (trace.Run, error) {
	body, err := respond.Decode[newrun.Body](w, r)
	if err != nil {
		return trace.Run{}, err
	}
	req, err := body.Parse(false)
	if err != nil {
		return trace.Run{}, err
	}
	req.Key = r.Header.Get("Idempotency-Key")
	return a.cfg.Runs.Start(r.Context(), req)
}

// startRun is POST /api/runs.
func (a *API) startRun(w http.ResponseWriter, r *http.Request) error {
	run, err := a.start(w, r)
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/api/runs/"+run.ID)
	return respond.JSON(w, http.StatusAccepted, map[string]string{"run_id": run.ID, "events_url": "/api/runs/" + run.ID + "/events"})
}

// wholeTrace is a run's trace in the form that the Python demo's clients read.
type wholeTrace struct {
	RunID string        `json:"run_id"`
	Trace []trace.Event `json:"trace"`
}

// runToEnd is POST /api/request: it answers when the run has ended. The run
// goes on if the client leaves.
func (a *API) runToEnd(w http.ResponseWriter, r *http.Request) error {
	run, err := a.start(w, r)
	if err != nil {
		return err
	}
	if err := a.cfg.Runs.Wait(r.Context(), run.ID); err != nil {
		return err
	}
	events, err := a.cfg.Log.Events(r.Context(), run.ID, 0)
	if err != nil {
		return err
	}
	return respond.JSON(w, http.StatusOK, wholeTrace{run.ID, events})
}

// trace is GET /api/runs/{id}. Clients that read it at the same time get the same
// copy.
func (a *API) trace(w http.ResponseWriter, r *http.Request) error {
	info, err := a.cfg.Log.Run(r.Context(), chi.URLParam(r, "id"))
	if err != nil {
		return err
	}
	key := "trace " + info.ID
	if info.Live() {
		events, err := a.cfg.Log.Events(r.Context(), info.ID, 0)
		if err != nil {
			return err
		}
		key += fmt.Sprintf(" %d", len(events))
	}
	export, err := a.cfg.Shared.Get(r, key, !info.Live(), func(ctx context.Context) ([]byte, error) {
		export, err := trace.ReadExport(ctx, a.cfg.Log, info.ID)
		if err != nil {
			return nil, err
		}
		return respond.Marshal(export)
	})
	if err != nil {
		return err
	}
	defer export.Release()
	return respond.Encoded(w, http.StatusOK, export.Bytes())
}

// events is GET /api/runs/{id}/events: each step as JSON, once and in order,
// with its number as the event's ID.
func (a *API) events(w http.ResponseWriter, r *http.Request) error {
	after, err := sse.ResumeAfter(r)
	if err != nil {
		return err
	}
	cursor, err := a.cfg.Log.Follow(r.Context(), chi.URLParam(r, "id"), after)
	if err != nil {
		return err
	}
	return a.cfg.Streams.Serve(w, r, func(stream *sse.Stream) {
		sse.Follow(stream, cursor, func(b []byte, e trace.Event) ([]byte, error) {
			data, err := e.JSON()
			return sse.Append(b, e.Seq, text.VisibleJSON(data)), err
		})
	})
}

// next is POST /api/runs/{id}/next: a stepping run takes its next step.
func (a *API) next(w http.ResponseWriter, r *http.Request) error {
	return noContent(w, a.cfg.Runs.Next(chi.URLParam(r, "id")))
}

// cancel is POST /api/runs/{id}/cancel.
func (a *API) cancel(w http.ResponseWriter, r *http.Request) error {
	return noContent(w, a.cfg.Runs.Cancel(chi.URLParam(r, "id"), "presenter", "The presenter stopped the run."))
}

// pace is POST /api/runs/{id}/pace.
func (a *API) pace(w http.ResponseWriter, r *http.Request) error {
	body, err := respond.Decode[struct {
		Pace string `json:"pace"`
	}](w, r)
	if err != nil {
		return err
	}
	p, err := agents.ParsePace(body.Pace)
	if err != nil {
		return respond.BadInput("pace", err.Error())
	}
	return noContent(w, a.cfg.Runs.SetPace(chi.URLParam(r, "id"), p))
}

func noContent(w http.ResponseWriter, err error) error {
	if err == nil {
		w.WriteHeader(http.StatusNoContent)
	}
	return err
}
