package run

import (
	"bytes"
	"context"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/web/internal/respond"
	"github.com/devonartis/medassist-go/web/ui"
)

// maxOwnAudit bounds the audit events that are exported with a run.
const maxOwnAudit = 1000

// exported is a run with the events that the broker's audit log has of it.
type exported struct {
	trace.Export
	Exported time.Time              `json:"exported_at"`
	Audit    []agentwrit.AuditEvent `json:"audit,omitempty"` // none without the broker's admin secret
	// Decisions are the entries of MedAssist's own log about the run's calls.
	Decisions []agentwrit.AuditEvent `json:"decisions,omitempty"`
}

// exportJSON is GET /runs/{id}/export.json.
func (p *Pages) exportJSON(w http.ResponseWriter, r *http.Request) error {
	return p.export(w, r, "json", func(ctx context.Context, id string) ([]byte, error) {
		x := exported{Exported: p.cfg.Clock().UTC()}
		var err error
		if x.Export, err = trace.ReadExport(ctx, p.cfg.Log, id); err != nil {
			return nil, err
		}
		if p.cfg.Audit != nil {
			page, err := p.cfg.Audit.AuditPage(ctx, agentwrit.AuditFilter{TaskID: id, Limit: maxOwnAudit})
			if err != nil {
				return nil, err
			}
			x.Audit = page.Events
		}
		for e, err := range p.cfg.Decisions.Events(ctx, id) {
			if err != nil {
				return nil, err
			}
			if x.Decisions = append(x.Decisions, e); len(x.Decisions) == maxOwnAudit {
				break
			}
		}
		return respond.Marshal(x)
	})
}

// export has the browser save a run in a form that encode makes. Clients that read
// it at the same time get the same copy.
func (p *Pages) export(w http.ResponseWriter, r *http.Request, form string, encode func(ctx context.Context, id string) ([]byte, error)) error {
	info, err := p.cfg.Log.Run(r.Context(), chi.URLParam(r, "id"))
	if err != nil {
		return err
	}
	copied, err := p.cfg.Shared.Get(r, "export "+form+" "+info.ID, false, func(ctx context.Context) ([]byte, error) { return encode(ctx, info.ID) })
	if err != nil {
		return err
	}
	defer copied.Release()
	respond.Download(w, info.ID+"."+form)
	if form == "json" {
		return respond.Encoded(w, http.StatusOK, copied.Bytes())
	}
	return respond.HTML(w, http.StatusOK, copied.Bytes())
}

// Export is a run as a file that stands alone: no script, no server, no
// network.
type Export struct {
	Run   *Run
	Style string // all that the page needs, as one stylesheet
	Time  time.Time
}

// Policy returns the content security policy of the file.
func (e Export) Policy() string {
	return ui.FilePolicy(e.Style)
}

// exportHTML is GET /runs/{id}/export.html.
func (p *Pages) exportHTML(w http.ResponseWriter, r *http.Request) error {
	return p.export(w, r, "html", func(ctx context.Context, id string) ([]byte, error) {
		run, err := p.project(ctx, id)
		if err != nil {
			return nil, err
		}
		var b bytes.Buffer
		respond.Write(&b, ExportPage(Export{Run: run, Style: p.cfg.Sheet, Time: p.cfg.Clock()}))
		return b.Bytes(), nil
	})
}
