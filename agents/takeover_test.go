package agents_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/agents"
	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/internal/cluster"
	"github.com/devonartis/medassist-go/trace"
)

// A replica that is cut off or frozen loses its run: another ends each token and
// tells what happened. The old one, awake again, writes nothing. With more than one
// round, which MEDASSIST_TAKEOVERS sets, the replicas change roles after each.
func TestTakeover(t *testing.T) {
	rounds := 1
	if set := os.Getenv("MEDASSIST_TAKEOVERS"); set != "" {
		var err error
		rounds, err = strconv.Atoi(set)
		must(t, err)
	}
	for name, fault := range replicaFaults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := newReplicas(t, asUsual)
			var slowest time.Duration
			for round := range rounds {
				took := takeOver(t, a, b, fault)
				t.Logf("round %d: %s", round+1, took)
				slowest = max(slowest, took)
				a, b = b, a
			}
			t.Logf("slowest: %s", slowest)
		})
	}
}

// takeOver has a run of a taken over by b, and returns how long that took.
func takeOver(t *testing.T, a, b *replica, fault func(*testing.T, *replica)) time.Duration {
	t.Helper()
	id := a.startWithTokens(t, b, 4)
	eventually(t, "it waits", func() bool { return waits(b.Service, id) })
	time.Sleep(time.Until(b.joined.Add(cluster.Lease))) // a replica that has just started takes nothing over
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
	eventually(t, "the old owner stops the run", func() bool { return len(a.Live()) == 0 })
	eventually(t, "what was saved is deleted", func() bool { return len(b.Live()) == 0 && len(b.Tokens()) == 0 })
	if again := a.finish(t, id); again.String() != h.String() {
		t.Errorf("the old owner has changed the trace:\n%s", again)
	}
	a.joined = time.Now()
	return took
}

// The steps that the old owner had shown but not stored are lost. The tokens are not:
// the trace shows each that was issued.
func TestTakeoverAfterLostSteps(t *testing.T) {
	t.Parallel()
	a, b := newReplicas(t, asUsual)
	id := a.startWithTokens(t, b, 4)
	ended := make(chan error, 1)
	go func() { ended <- b.Wait(t.Context(), id) }()
	b.until(t, id, is[trace.Delegation]())
	replicaFaults["cut off"](t, a)
	_, err := b.pool.Exec(t.Context(), `DELETE FROM runs.event WHERE run_id = $1 AND seq > 1`, id)
	must(t, err)
	eventually(t, "the run ends", func() bool {
		if n := len(b.Tokens()); n > 4 {
			t.Errorf("%d tokens are listed", n)
		}
		run, err := b.log.Run(t.Context(), id)
		must(t, err)
		return !run.Live()
	})
	h := b.finish(t, id)
	if err := <-ended; err != nil {
		t.Errorf("waiting for the end since before the steps were lost: %v", err)
	}
	b.assertEnded(t, h, 4)
	if agents, delegated := len(all[trace.AgentCreated](h)), only[trace.Delegation](t, h); agents != 3 || delegated.DelegatorID == "" || len(delegated.DelegatedScope) == 0 {
		t.Errorf("%d agents, %+v", agents, delegated)
	}
}

// A token that has ended before the takeover is confirmed as well, and a broker that
// does not answer at first is waited for.
func TestTakeoverOfEndedTokens(t *testing.T) {
	t.Parallel()
	a, b := newReplicas(t, asUsual)
	id := a.startWithTokens(t, b, 4)
	_, err := b.admin.Revoke(t.Context(), wire.RevokeAgent, b.Tokens()[0].AgentID)
	must(t, err)
	var asked requests
	b.link.fail(t, "/v1/token/validate", func(w http.ResponseWriter, r *http.Request) bool {
		asked.note(w, r)
		return broken(w, r)
	})
	replicaFaults["cut off"](t, a)
	eventually(t, "the broker is asked more often than the client does by itself", func() bool { return len(asked.paths()) > 4 })
	b.link.heal()
	h := b.finish(t, id)
	b.assertEnded(t, h, 4)
	if n := len(all[trace.TokenReleased](h)); n == 0 || n == 4 || len(all[trace.ReleaseError](h)) != 0 {
		t.Errorf("%d tokens released:\n%s", n, h)
	}
}

// unreadable is a cluster whose saved tokens can't be read while failing.
type unreadable struct {
	agents.Cluster
	failing *atomic.Bool
	tries   *atomic.Int32
}

func (u unreadable) Tokens(ctx context.Context, runID string) ([]agents.SavedToken, error) {
	if u.failing.Load() {
		u.tries.Add(1)
		return nil, errors.New("the database fails")
	}
	return u.Cluster.Tokens(ctx, runID)
}

// A run that is taken over is ended also if it is cancelled before its tokens can be
// read.
func TestTakeoverCancelled(t *testing.T) {
	t.Parallel()
	var failing atomic.Bool
	var tries atomic.Int32
	a, b := newReplicas(t, func(c *agents.Config) { c.Cluster = unreadable{c.Cluster, &failing, &tries} })
	id := a.startWithTokens(t, b, 4)
	failing.Store(true)
	replicaFaults["cut off"](t, a)
	eventually(t, "the run is taken over", func() bool { return tries.Load() > 0 })
	must(t, b.Cancel(id, "operator", "Enough."))
	before := tries.Load()
	eventually(t, "its tokens are read again", func() bool { return tries.Load() > before+1 })
	failing.Store(false)
	b.assertEnded(t, b.finish(t, id), 4)
}

// A process can end between the broker's response, which issues or replaces a token,
// and the moment when the token is saved. The trace then tells that there may be a
// token that nobody holds; an operator revokes it with the task. An owner that only
// was frozen ends that token when it is awake.
func TestTakeoverWhileATokenIsIssued(t *testing.T) {
	for _, tt := range []struct {
		path     string
		operator bool
	}{{"/v1/register", false}, {"/v1/register", true}, {"/v1/token/renew", false}, {"/v1/token/renew", true}} {
		if testing.Short() && (tt.path == "/v1/register" || !tt.operator) {
			continue // they differ in what the trace tells, not in what runs concurrently
		}
		t.Run(fmt.Sprintf("%s, operator %v", tt.path, tt.operator), func(t *testing.T) {
			t.Parallel()
			testTakeoverWhileATokenIsIssued(t, tt.path, tt.operator)
		})
	}
}

func testTakeoverWhileATokenIsIssued(t *testing.T, path string, operator bool) {
	a, b := newReplicas(t, func(c *agents.Config) {
		c.Limits.BrokerCall, c.Limits.Cleanup = 20*time.Second, 20*time.Second
		if !operator {
			c.Operator = nil
		}
	})
	issued, goOn := make(chan struct{}), make(chan struct{})
	answer := sync.OnceFunc(func() { close(goOn) })
	t.Cleanup(answer)
	a.link.fail(t, path, func(w http.ResponseWriter, r *http.Request) bool {
		brokers := httptest.NewRecorder()
		a.link.proxy.ServeHTTP(brokers, r)
		close(issued)
		<-goOn
		w.Header().Set("Content-Type", brokers.Header().Get("Content-Type"))
		w.WriteHeader(brokers.Code)
		_, _ = w.Write(brokers.Body.Bytes())
		return true
	})
	id := a.start(t, "P-1042", "Show the records", "")
	<-issued
	a.database.Freeze()
	h := b.finish(t, id)
	lost := false
	for _, e := range h.Events {
		switch step := e.Step.(type) {
		case trace.AgentError:
			lost = lost || step.AnswerLost
		case trace.ReleaseError:
			lost = lost || step.AnswerLost
		}
	}
	c := h.Run.Summary
	if !lost || c.Outcome != trace.OutcomeInterrupted || (c.Unaccounted == 0) != operator || (c.ValidUntil == 0) != operator {
		t.Errorf("lost %v, %+v:\n%s", lost, c, h)
	}
	if n := a.valid(t, id); (n == 0) != operator {
		t.Fatalf("%d tokens are valid:\n%s", n, h)
	}
	var asked requests
	a.link.setFault(path, nil)
	a.link.setFault("", asked.note)
	answer()
	a.database.Mend()
	eventually(t, "the old owner ends the token", func() bool { return a.valid(t, id) == 0 })
	eventually(t, "the old owner stops the run", func() bool { return len(a.Live()) == 0 })
	if paths := asked.paths(); !slices.Equal(paths, []string{"/v1/token/release"}) {
		t.Errorf("the old owner asked the broker for %v", paths)
	}
	if again := b.finish(t, id); again.String() != h.String() {
		t.Errorf("the old owner has changed the trace:\n%s", again)
	}
}

// requests are those that a replica sends to the broker.
type requests struct {
	mu  sync.Mutex
	all []string
}

// note is a fault that only notes a request.
func (r *requests) note(_ http.ResponseWriter, req *http.Request) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, req.URL.Path)
	return false
}

func (r *requests) paths() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.all)
}
