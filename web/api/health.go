package api

import (
	"cmp"
	"fmt"
	"net/http"
	"time"

	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/web/internal/respond"
)

// maxSkew is the difference between the broker's clock and ours above which
// the lifetimes on the pages are misleading.
const maxSkew = 3 * time.Second

// health is GET /healthz: ready when the broker works and runs, decisions and records
// can be stored. After a failure it is not ready until what failed would succeed.
// Clocks that differ, or were set back, are problems, but not ones that a restart would
// solve.
func (a *API) health(w http.ResponseWriter, r *http.Request) error {
	ctx, problems := r.Context(), []string{}
	broker := "unreachable"
	if h, err := a.cfg.Broker.Health(ctx); err == nil {
		broker = h.Status
		problems = append(problems, h.Problems...)
		if skew := h.Date.Sub(a.cfg.Clock()); !h.Date.IsZero() && skew.Abs() > maxSkew {
			problems = append(problems, fmt.Sprintf("the broker's clock differs from this machine's by %s", skew.Round(time.Second)))
		}
		if h.ClockBehind > 0 {
			problems = append(problems, fmt.Sprintf("the broker's wall clock is %d s behind a time that it has seen before", h.ClockBehind))
		}
	}
	ready := broker == wire.HealthOK
	failed := func(err error, problem string) {
		if err != nil {
			ready, problems = false, append(problems, problem)
		}
	}
	_, err := a.cfg.Log.Runs(ctx, time.Time{}, 1)
	failed(err, "past runs can't be read")
	failed(a.cfg.Log.Fault(), "runs can't be stored; they are kept in memory until they can")
	failed(a.cfg.Decided.Fault(), "decisions can't be stored; they are kept in memory until they can")
	failed(a.cfg.Patients.Check(ctx), "the patients' records can't be written")

	code, status := http.StatusOK, "ok"
	if !ready {
		code, status = http.StatusServiceUnavailable, "not ready"
	}
	return respond.JSON(w, code, map[string]any{"status": status, "broker": broker, "problems": problems,
		"live_runs": len(a.cfg.Runs.Live()), "model": cmp.Or(a.cfg.Model, "none")})
}
