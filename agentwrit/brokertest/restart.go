package brokertest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"

	"github.com/devonartis/medassist-go/agentwrit/wire"
)

// restarted makes the reference broker forget what it keeps in memory, and lose
// the newest event of its audit log.
func (f *reference) restarted() {
	var health wire.Health
	resp := f.ask(httptest.NewRequest("GET", "/v1/health", nil), nil)
	f.mu.Lock()
	defer f.mu.Unlock()
	if json.Unmarshal(resp.Body.Bytes(), &health) == nil && health.AuditEventsCount > 0 {
		f.lost[fmt.Sprintf("evt-%06d", health.AuditEventsCount)] = true
	}
	for id := range f.agents {
		f.agents[id] = false
	}
	for token := range f.launches {
		f.launches[token] = false
	}
}

// audit serves the audit log without the events that were lost.
func (f *reference) audit(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	none := len(f.lost) == 0
	f.mu.Unlock()
	if none {
		f.next.ServeHTTP(w, r)
		return
	}
	query := r.URL.Query()
	page := wire.AuditPage{Events: []wire.AuditEvent{}, Limit: wire.DefaultAuditPage}
	if n, err := strconv.Atoi(query.Get("limit")); err == nil {
		page.Limit = n
	}
	page.Offset, _ = strconv.Atoi(query.Get("offset"))
	query.Set("limit", strconv.Itoa(wire.MaxAuditPage))
	for read, total := 0, 1; read < total; {
		query.Set("offset", strconv.Itoa(read))
		inner := r.Clone(r.Context())
		inner.URL.RawQuery = query.Encode()
		resp := f.ask(inner, nil)
		var part wire.AuditPage
		if resp.Code != http.StatusOK || json.Unmarshal(resp.Body.Bytes(), &part) != nil || len(part.Events) == 0 && part.Total > read {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		total = part.Total
		read += len(part.Events)
		page.Events = append(page.Events, f.kept(part.Events)...)
	}
	page.Total = len(page.Events)
	from := min(page.Offset, page.Total)
	page.Events = page.Events[from:min(from+page.Limit, page.Total)]
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(page) // an error means that the client is gone
}

func (f *reference) kept(events []wire.AuditEvent) []wire.AuditEvent {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []wire.AuditEvent
	for _, e := range events {
		if !f.lost[e.ID] {
			out = append(out, e)
		}
	}
	return out
}
