package run

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/web/internal/respond"
)

// maxOwnAudit bounds the audit events that are exported with a run.
const maxOwnAudit = 1000

// exported is a run with the events that the broker's audit log has of it.
type exported struct {
	trace.Export
	Exported time.Time              `json:"exported_at"`
	Audit    []agentwrit.AuditEvent `json:"audit,omitempty"` // none without the broker's admin secret
}

// exportJSON is GET /runs/{id}/export.json.
func (p *Pages) exportJSON(w http.ResponseWriter, r *http.Request) error {
	x := exported{Exported: p.cfg.Clock().UTC()}
	var err error
	if x.Export, err = trace.ReadExport(r.Context(), p.cfg.Log, chi.URLParam(r, "id")); err != nil {
		return err
	}
	if p.cfg.Audit != nil {
		page, err := p.cfg.Audit.AuditPage(r.Context(), agentwrit.AuditFilter{TaskID: x.Run.ID, Limit: maxOwnAudit})
		if err != nil {
			return err
		}
		x.Audit = page.Events
	}
	respond.Download(w, x.Run.ID+".json")
	return respond.JSON(w, http.StatusOK, x)
}

// Export is a run as a file that stands alone: no script, no server, no
// network.
type Export struct {
	Run   *Run
	Style string // all that the page needs, as one stylesheet
	Time  time.Time
}

// Policy returns a content security policy that allows the file's own style, by
// its hash, and nothing else: no script, no image, no address (CSP Level 3,
// section 2.3.1).
func (e Export) Policy() string {
	sum := sha256.Sum256([]byte(e.Style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// exportHTML is GET /runs/{id}/export.html.
func (p *Pages) exportHTML(w http.ResponseWriter, r *http.Request) error {
	run, err := p.project(r.Context(), chi.URLParam(r, "id"))
	if err != nil {
		return err
	}
	respond.Download(w, run.Info.ID+".html")
	return respond.Render(w, http.StatusOK, ExportPage(Export{Run: run, Style: p.cfg.Sheet, Time: p.cfg.Clock()}))
}
