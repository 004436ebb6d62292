package api

import (
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/web/internal/respond"
)

// defaultEvents is how many audit events an answer holds unless the request says.
const defaultEvents = 50

// auditEvents is GET /api/audit/events: the broker's audit log, by its filters.
func (a *API) auditEvents(w http.ResponseWriter, r *http.Request) error {
	if a.cfg.Audit == nil {
		return respond.NoAuditLog
	}
	filter, err := auditFilter(r.URL.Query())
	if err != nil {
		return err
	}
	page, err := a.cfg.Audit.AuditPage(r.Context(), filter)
	if err != nil {
		return err
	}
	return respond.JSON(w, http.StatusOK, page)
}

func auditFilter(q url.Values) (agentwrit.AuditFilter, error) {
	f := agentwrit.AuditFilter{AgentID: q.Get("agent_id"), TaskID: q.Get("task_id"),
		EventType: agentwrit.EventType(q.Get("event_type")), Outcome: agentwrit.Outcome(q.Get("outcome")), Limit: defaultEvents}
	for key, to := range map[string]*int{"limit": &f.Limit, "offset": &f.Offset} {
		if q.Get(key) == "" {
			continue
		}
		n, err := strconv.Atoi(q.Get(key))
		if err != nil || n < 0 {
			return f, respond.BadInput(key, key+" must be a number, 0 or more.")
		}
		*to = n
	}
	for key, to := range map[string]*time.Time{"since": &f.Since, "until": &f.Until} {
		t, err := time.Parse(time.RFC3339, q.Get(key))
		if q.Get(key) != "" && err != nil {
			return f, respond.BadInput(key, key+" must be a time such as 2026-11-23T17:00:00Z.")
		}
		*to = t
	}
	return f, nil
}
