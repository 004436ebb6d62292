package web

import (
	"fmt"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/web/static"
	"github.com/devonartis/medassist-go/web/view"
)

// maxOwnAudit bounds the audit events that are exported with a run.
const maxOwnAudit = 1000

// export is a run and what the broker's audit trail has about it. Without the
// broker's admin secret the trail is left out.
type export struct {
	trace.Export
	Exported time.Time              `json:"exported_at"`
	Audit    []agentwrit.AuditEvent `json:"audit,omitempty"`
}

// exportJSON is GET /runs/{id}/export.json.
func (s *Server) exportJSON(w http.ResponseWriter, r *http.Request) {
	x := export{Exported: s.cfg.Clock().UTC()}
	var err error
	if x.Export, err = trace.ReadExport(r.Context(), s.cfg.Log, chi.URLParam(r, "id")); err != nil {
		s.refuse(w, r, err)
		return
	}
	if s.cfg.Admin != nil {
		page, err := s.cfg.Admin.AuditPage(r.Context(), agentwrit.AuditFilter{TaskID: x.Run.ID, Limit: maxOwnAudit})
		if err != nil {
			s.refuse(w, r, err)
			return
		}
		x.Audit = page.Events
	}
	download(w, x.Run.ID+".json")
	reply(w, http.StatusOK, x)
}

// exportHTML is GET /runs/{id}/export.html: the run as one file that needs
// nothing else, no script, no server, no network.
func (s *Server) exportHTML(w http.ResponseWriter, r *http.Request) {
	run, err := s.project(r, chi.URLParam(r, "id"))
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	download(w, run.Info.ID+".html")
	render(w, http.StatusOK, view.ExportPage(view.Export{Run: run, Style: static.Sheet(), Made: s.cfg.Clock()}))
}

func download(w http.ResponseWriter, name string) {
	w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", name))
}
