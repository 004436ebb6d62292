package broker

import (
	"net/http"
	"time"

	"github.com/devonartis/medassist-go/agentwrit/wire"
)

// health is GET /v1/health. It is 503 while nothing can be stored, so that what
// only looks at the status sees it too; a trail that was tampered with is
// reported with 200: the broker still serves, and a restart would not help.
func (b *Broker) health(w http.ResponseWriter, _ *http.Request) {
	h := wire.Health{
		Status:           wire.HealthOK,
		Version:          b.cfg.Version,
		Uptime:           int64(b.now().Sub(b.started) / time.Second),
		DBConnected:      b.writer.fault.Load() == nil,
		AuditEventsCount: b.trail.head().Size,
	}
	status := http.StatusOK
	if b.trail.broken != "" {
		h.Status = wire.HealthDegraded
		h.Problems = append(h.Problems, b.trail.broken)
	}
	if !h.DBConnected {
		h.Status = wire.HealthUnavailable
		h.Problems = append(h.Problems, "storage can't be written: nothing is issued until it recovers")
		status = http.StatusServiceUnavailable
	}
	writeJSON(w, "application/json", status, h)
}
