package audit

import (
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/web/internal/respond"
	"github.com/devonartis/medassist-go/web/internal/sse"
)

// export is GET /audit/export: the whole log as one JSON document, which
// medassist verify reads. It is streamed page by page.
func (p *Pages) export(w http.ResponseWriter, r *http.Request) error {
	page, err := p.cfg.Log.AuditPage(r.Context(), agentwrit.AuditFilter{Limit: wire.MaxAuditPage})
	if err != nil {
		return err
	}
	now := p.cfg.Clock().UTC()
	respond.Download(w, "audit-"+now.Format("20060102-150405")+".json")
	w.Header().Set("Content-Type", "application/json")
	control := http.NewResponseController(w)
	sent, total := 0, page.Total // events that are written meanwhile are left for the next export
	fmt.Fprintf(w, `{"exported_at":%q,"total":%d,"events":[`, now.Format(time.RFC3339), total)
	for {
		for _, e := range page.Events[:min(len(page.Events), total-sent)] {
			if sent > 0 {
				io.WriteString(w, ",\n")
			}
			line, err := respond.Marshal(e)
			if err != nil {
				panic(http.ErrAbortHandler)
			}
			w.Write(line)
			sent++
		}
		// Part of a log must not look like a whole one.
		if control.SetWriteDeadline(time.Now().Add(sse.WriteTimeout)) != nil {
			panic(http.ErrAbortHandler)
		}
		if sent >= total || len(page.Events) == 0 {
			break
		}
		if page, err = p.cfg.Log.AuditPage(r.Context(), agentwrit.AuditFilter{Offset: sent, Limit: wire.MaxAuditPage}); err != nil {
			panic(http.ErrAbortHandler)
		}
	}
	io.WriteString(w, "]}\n")
	return nil
}

// checkpoint is GET /audit/checkpoint: the broker's signed head, to keep.
func (p *Pages) checkpoint(w http.ResponseWriter, r *http.Request) error {
	note, _, err := p.cfg.Log.Checkpoint(r.Context())
	if err != nil {
		return err
	}
	respond.Download(w, "checkpoint.txt")
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Write(note)
	return nil
}
