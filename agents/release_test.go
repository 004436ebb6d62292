package agents_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/agents"
	"github.com/devonartis/medassist-go/agentwrit/brokertest"
	"github.com/devonartis/medassist-go/trace"
)

// A token that was released, but that the broker does not confirm as revoked, is not
// counted as revoked.
func TestReleaseWithoutConfirmation(t *testing.T) {
	t.Parallel()
	w := newWorld(t, brokertest.Start, worldConfig{}).with(t, func(c *agents.Config) { c.Limits.Cleanup = 200 * time.Millisecond })
	id := w.start(t, "P-1042", "Show records", "step")
	w.stepTo(t, id, "renew the clinical token")
	w.link.fail(t, "/v1/token/validate", func(rw http.ResponseWriter, _ *http.Request) bool {
		rw.WriteHeader(http.StatusInternalServerError)
		return true
	})
	must(t, w.SetPace(id, agents.Instant))
	h := w.finish(t, id)
	if c := h.Run.Summary; c.Released != 1 || c.ConfirmedRevoked != 0 || c.AllRevoked || c.ValidUntil < time.Now().Unix() {
		t.Errorf("summary = %+v:\n%s", *c, h)
	}
	if last := h.Events[len(h.Events)-1]; strings.Contains(last.Label, "All tokens revoked") || last.Status != trace.StatusWarning {
		t.Errorf("the run ends with %q, %s", last.Label, last.Status)
	}
}

// A broker that still accepts a released token is reported.
func TestReleasedTokenStillValid(t *testing.T) {
	t.Parallel()
	w := newWorld(t, brokertest.Start, worldConfig{}).with(t, func(c *agents.Config) { c.Operator = nil })
	id := w.start(t, "P-1042", "Show records", "step")
	w.stepTo(t, id, "renew the clinical token")
	w.link.fail(t, "/v1/token/validate", func(rw http.ResponseWriter, _ *http.Request) bool {
		rw.Header().Set("Content-Type", "application/json")
		io.WriteString(rw, `{"valid":true,"claims":{"sub":"spiffe://agentwrit.local/agent/a/b/c","scope":["read:records:P-1042"],"jti":"x","exp":4102444800}}`)
		return true
	})
	must(t, w.SetPace(id, agents.Instant))
	h := w.finish(t, id)
	proofs := all[trace.PostReleaseValidation](h)
	if len(proofs) != 2 || !proofs[0].Valid || !proofs[1].Valid {
		t.Errorf("validations = %+v:\n%s", proofs, h)
	}
	if c := h.Run.Summary; c.ConfirmedRevoked != 0 || c.AllRevoked || c.ValidUntil == 0 {
		t.Errorf("summary = %+v:\n%s", *c, h)
	}
}

// panickingLog panics once, when a token's renewal is logged.
type panickingLog struct {
	trace.Log
	done bool
}

func (p *panickingLog) Append(ctx context.Context, runID string, e trace.Event) (trace.Event, error) {
	if _, renewed := e.Step.(trace.TokenRenewed); renewed && !p.done {
		p.done = true
		panic("while a token is released")
	}
	return p.Log.Append(ctx, runID, e)
}

// A panic about one token does not keep the others valid, nor that one.
func TestPanicDuringRelease(t *testing.T) { onEach(t, testPanicDuringRelease) }

func testPanicDuringRelease(t *testing.T, kind brokertest.Starter) {
	t.Parallel()
	w := newWorld(t, kind, worldConfig{})
	w = w.with(t, func(c *agents.Config) { c.Log = &panickingLog{Log: w.log} })
	h := w.encounter(t, "P-1042", "Prescribe Amoxicillin for bacterial infection")
	if h.Run.Outcome != trace.OutcomeFailed {
		t.Errorf("the run %s:\n%s", h.Run.Outcome, h)
	}
	w.assertEnded(t, h, 3)
}
