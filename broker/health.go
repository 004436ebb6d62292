package broker

import (
	"net/http"
	"time"

	"github.com/devonartis/medassist-go/agentwrit/wire"
)

// health is GET /v1/health. It answers 503 while nothing can be stored, for
// checks that only read the status. A modified audit log is reported with 200:
// the broker still works, and a restart would not help. A wall clock that is
// behind the broker's time is reported as clock_behind.
func (b *Broker) health(w http.ResponseWriter, _ *http.Request) {
	h := wire.Health{
		Status:           wire.HealthOK,
		Version:          b.cfg.Version,
		Uptime:           int64(b.now().Sub(b.started) / time.Second),
		DBConnected:      b.writer.fault.Load() == nil && b.store.Current(),
		AuditEventsCount: b.audit.head().Size,
	}
	if behind := b.clock.behind(); behind >= time.Second {
		h.ClockBehind = int64(behind / time.Second)
	}
	status := http.StatusOK
	if b.audit.broken != "" {
		h.Status = wire.HealthDegraded
		h.Problems = append(h.Problems, b.audit.broken)
	}
	if !h.DBConnected {
		h.Status = wire.HealthUnavailable
		h.Problems = append(h.Problems, "storage cannot be written; no credentials are issued until it recovers")
		status = http.StatusServiceUnavailable
	}
	writeJSON(w, "application/json", status, h)
}
