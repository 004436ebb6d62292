package run

import (
	"net/http"
	"net/url"
	"time"

	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/web/internal/respond"
	"github.com/devonartis/medassist-go/web/ui"
)

const historyLength = 100 // runs on one page

// History is the page of past runs.
type History struct {
	ui.Page
	Runs    []trace.Run
	Newest  bool // the list begins with the newest run
	HasMore bool // there are older runs
}

// olderURL returns the address of the runs that are older than those.
func (h History) olderURL() string {
	last := h.Runs[len(h.Runs)-1].Started.UTC().Format(time.RFC3339Nano)
	return "/runs?" + url.Values{"before": {last}}.Encode()
}

// history is GET /runs: the newest runs or, with ?before=, older ones.
func (p *Pages) history(w http.ResponseWriter, r *http.Request) error {
	var before time.Time
	if text := r.URL.Query().Get("before"); text != "" {
		var err error
		if before, err = time.Parse(time.RFC3339Nano, text); err != nil {
			return respond.BadInput("before", "before must be a time such as 2026-11-23T17:00:00Z.")
		}
	}
	runs, err := p.cfg.Log.Runs(r.Context(), before, historyLength+1)
	if err != nil {
		return err
	}
	h := History{Page: p.cfg.Respond.Page(r, "Runs", "runs", "/runs"), Newest: before.IsZero(), HasMore: len(runs) > historyLength}
	h.Runs = runs[:min(historyLength, len(runs))]
	return respond.Render(w, http.StatusOK, HistoryPage(h))
}
