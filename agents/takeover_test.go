package agents_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/agents"
	"github.com/devonartis/medassist-go/internal/cluster"
	"github.com/devonartis/medassist-go/trace"
)

// A replica that is cut off or frozen loses its run: another ends each token and
// tells what happened. The old one, awake again, writes nothing.
func TestTakeover(t *testing.T) {
	for name, fault := range replicaFaults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			replicas := newReplicas(t, 2, asUsual)
			a, b := replicas[0], replicas[1]
			time.Sleep(cluster.Lease) // a replica that has just started takes nothing over
			took := takeOver(t, a, b, fault)
			t.Logf("taken over in %s", took)
		})
	}
}

// takeOver has a run of a taken over by b, and returns how long that took.
func takeOver(t *testing.T, a, b *replica, fault func(*testing.T, *replica)) time.Duration {
	t.Helper()
	id := a.start(t, "P-1042", fullRequest, "step")
	b.untilTokens(t, id, 4)
	eventually(t, 5*time.Second, "it waits", func() bool { return waits(b.Service, id) })
	start := time.Now()
	fault(t, a)
	if err := b.Next(id); !errors.Is(err, agents.ErrNoAnswer) {
		t.Errorf("next while the owner is gone: %v", err)
	}
	h := b.finish(t, id)
	took := time.Since(start)
	if took > takeoverLimit {
		t.Errorf("taken over after %s", took)
	}
	a.assertEnded(t, h, 4) // the tokens that a was issued
	b.assertEnded(t, h, 4) // and b, by renewal
	if h.Run.Outcome != trace.OutcomeInterrupted || !h.Run.Summary.AllRevoked {
		t.Errorf("outcome %s, %+v", h.Run.Outcome, h.Run.Summary)
	}
	if e := only[trace.RunError](t, h); e.Stage != "internal" {
		t.Errorf("the trace tells %+v", e)
	}
	if n := len(all[trace.TokenReleased](h)); n != 4 {
		t.Errorf("%d tokens released:\n%s", n, h)
	}
	a.mend()
	eventually(t, 5*time.Second, "the old owner stops the run", func() bool { return len(a.Live()) == 0 })
	eventually(t, 5*time.Second, "what was saved is deleted", func() bool { return len(b.Live()) == 0 && len(b.Tokens()) == 0 })
	if again := a.finish(t, id); again.String() != h.String() {
		t.Errorf("the old owner has changed the trace:\n%s", again)
	}
	return took
}

// A token that the broker issued while its replica lost the run is not used: the old
// owner ends it as soon as it can, and the trace does not call it revoked before.
func TestTakeoverWhileATokenIsIssued(t *testing.T) {
	t.Parallel()
	replicas := newReplicas(t, 2, func(c *agents.Config) { c.Operator, c.Limits.BrokerCall = nil, 20*time.Second })
	a, b := replicas[0], replicas[1]
	time.Sleep(cluster.Lease)

	issued, goOn := make(chan struct{}), make(chan struct{})
	a.link.fail(t, "/v1/register", func(w http.ResponseWriter, r *http.Request) bool {
		answer := httptest.NewRecorder()
		a.link.proxy.ServeHTTP(answer, r)
		close(issued)
		<-goOn
		w.Header().Set("Content-Type", answer.Header().Get("Content-Type"))
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
		return true
	})
	id := a.start(t, "P-1042", "Show the records", "")
	<-issued
	a.database.Freeze()
	h := b.finish(t, id)
	lost := only[trace.AgentError](t, h)
	if c := h.Run.Summary; !lost.AnswerLost || c.AllRevoked || c.Unaccounted != 1 || c.ValidUntil < time.Now().Unix() || c.Outcome != trace.OutcomeInterrupted {
		t.Errorf("%+v, %+v", lost, c)
	}
	if n := a.valid(t, id); n != 1 {
		t.Fatalf("%d tokens are valid, want the one that nobody holds", n)
	}
	close(goOn)
	a.mend()
	eventually(t, 10*time.Second, "the old owner ends the token", func() bool { return a.valid(t, id) == 0 })
	eventually(t, 5*time.Second, "the old owner stops the run", func() bool { return len(a.Live()) == 0 })
	if again := b.finish(t, id); again.String() != h.String() {
		t.Errorf("the old owner has changed the trace:\n%s", again)
	}
}

// Many takeovers, each within the limit. MEDASSIST_TAKEOVERS is their number.
func TestTakeovers(t *testing.T) {
	rounds, err := strconv.Atoi(os.Getenv("MEDASSIST_TAKEOVERS"))
	if err != nil {
		t.Skip("set MEDASSIST_TAKEOVERS to the number of rounds")
	}
	replicas := newReplicas(t, 2, asUsual)
	time.Sleep(cluster.Lease)
	var slowest time.Duration
	for i := range rounds {
		for name, fault := range replicaFaults {
			took := takeOver(t, replicas[i%2], replicas[(i+1)%2], fault)
			t.Logf("round %d, %s: %s", i+1, name, took)
			slowest = max(slowest, took)
			time.Sleep(cluster.Lease) // the old owner may take over again
		}
	}
	t.Logf("slowest %s", slowest)
}
