package agents_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/devonartis/medassist-go/agents"
	"github.com/devonartis/medassist-go/agents/shared"
	"github.com/devonartis/medassist-go/agentwrit/brokertest"
	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/internal/cluster"
	"github.com/devonartis/medassist-go/internal/pgtest"
	"github.com/devonartis/medassist-go/trace"
)

// A replica is a world whose runs are shared with other replicas.
type replica struct {
	*world
	database *pgtest.Proxy // between this replica and the database
	pool     *pgxpool.Pool // connections through it
	joined   time.Time     // or, after a fault, joined again
}

// asUsual changes nothing.
func asUsual(*agents.Config) {}

// newReplicas returns two replicas that share a database, a broker and an application.
func newReplicas(t testing.TB, change func(*agents.Config)) (a, b *replica) {
	t.Helper()
	first := newWorld(t, brokertest.Start, worldConfig{})
	url := pgtest.URL(t)
	return first.replica(t, url, change), first.replica(t, url, change)
}

// replica returns another replica of w.
func (w *world) replica(t testing.TB, url string, change func(*agents.Config)) *replica {
	t.Helper()
	ctx, other := context.Background(), *w
	r := &replica{world: &other, database: pgtest.NewProxy(t, url)}
	replicas, err := cluster.Open(ctx, cluster.Config{URL: r.database.URL, Secret: "a secret in common", Logger: slog.New(slog.DiscardHandler)})
	must(t, err)
	r.pool, r.joined = replicas.Pool(), time.Now()
	t.Cleanup(func() { _ = replicas.Close() })
	other.log, err = trace.OpenShared(ctx, replicas, nil)
	must(t, err)
	t.Cleanup(func() { _ = other.log.Close() })
	connection, err := shared.New(ctx, replicas, other.log)
	must(t, err)
	r.world = other.behindOwnLink(t, func(c *agents.Config) {
		c.Log, c.Cluster = other.log, connection
		change(c)
	})
	t.Cleanup(r.mend) // before Shutdown, which waits for the database
	return r
}

// The faults of a replica.
var replicaFaults = map[string]func(*testing.T, *replica){
	"cut off": func(t *testing.T, r *replica) {
		r.link.fail(t, "", broken)
		r.database.Cut()
	},
	"frozen": func(t *testing.T, r *replica) {
		r.link.fail(t, "", hung)
		r.database.Freeze()
	},
}

func (r *replica) mend() {
	r.link.heal()
	r.database.Mend()
}

// takeoverLimit is the lease of a replica, and a second.
const takeoverLimit = cluster.Lease + time.Second

// eventually waits until ok, long enough for a slow machine.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	const within = 30 * time.Second
	for end := time.Now().Add(within); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %s: %s", within, what)
		}
	}
}

// waits reports whether a run waits for the presenter.
func waits(s *agents.Service, runID string) bool {
	state, err := s.State(runID)
	return err == nil && state.Waiting != ""
}

// untilTokens lets a run continue, from replica r, until it has n tokens. What r knows
// of a run of another replica comes a moment later: it waits for the next state.
func (r *replica) untilTokens(t testing.TB, runID string, n int) {
	t.Helper()
	last := ""
	eventually(t, "the run has its tokens", func() bool {
		state, err := r.State(runID)
		must(t, err)
		if state.Waiting == "" || state.Waiting == last || len(r.Tokens()) == n {
			return len(r.Tokens()) == n
		}
		last = state.Waiting
		must(t, r.Next(runID))
		return false
	})
}

// startWithTokens starts a run at r, which steers lets continue until it has n tokens.
func (r *replica) startWithTokens(t testing.TB, steers *replica, n int) (runID string) {
	t.Helper()
	runID = r.start(t, "P-1042", fullRequest, "step")
	steers.untilTokens(t, runID, n)
	return runID
}

// A run is steered from a replica that does not run it.
func TestReplicasSteer(t *testing.T) {
	t.Parallel()
	a, b := newReplicas(t, asUsual)
	id := a.start(t, "P-1042", fullRequest, "step")
	states, err := b.Watch(id)
	must(t, err)
	eventually(t, "it is live at the other replica", func() bool { return slices.Equal(b.Live(), []string{id}) })
	b.untilTokens(t, id, 2)
	eventually(t, "both list the same tokens", func() bool { return holders(a.Tokens()) == holders(b.Tokens()) })
	for _, token := range b.Tokens() {
		if token.RunID != id || token.TaskID != id || token.ID == "" || token.AgentID == "" || len(token.Scope) == 0 {
			t.Errorf("a token as the other replica sees it: %+v", token)
		}
	}

	eventually(t, "it waits", func() bool { return waits(b.Service, id) })
	must(t, b.SetPace(id, agents.Instant))
	h := b.finish(t, id)
	b.assertEnded(t, h, 4)
	seen := 0
	for err := error(nil); err == nil; {
		var some []agents.State
		some, err = states.Next(t.Context())
		seen += len(some)
	}
	if seen < 3 {
		t.Errorf("%d states seen at the other replica", seen)
	}
	for name, err := range map[string]error{"next": b.Next(id), "pace": b.SetPace(id, agents.Step), "cancel": b.Cancel(id, "presenter", "")} {
		if !errors.Is(err, agents.ErrNotLive) {
			t.Errorf("%s after the end: %v", name, err)
		}
	}
	for _, unknown := range []string{"run-0", "no\x00run", "no\xffrun"} {
		if err := b.Next(unknown); !errors.Is(err, agents.ErrNotLive) {
			t.Errorf("next of %q: %v", unknown, err)
		}
		if _, err := b.State(unknown); !errors.Is(err, agents.ErrNotLive) {
			t.Errorf("state of %q: %v", unknown, err)
		}
	}
}

func holders(tokens []agents.Token) (ids string) {
	for _, t := range tokens {
		ids += t.AgentID + t.Category + " "
	}
	return ids
}

// A run is cancelled from another replica.
func TestReplicasCancel(t *testing.T) {
	t.Parallel()
	a, b := newReplicas(t, asUsual)
	one, two := a.start(t, "P-1042", fullRequest, "step"), b.start(t, "P-2187", fullRequest, "step")
	b.untilTokens(t, one, 1)
	if n, err := b.CancelAll(t.Context(), "operator", "Enough."); n != 2 || err != nil {
		t.Errorf("%d runs cancelled, %v", n, err)
	}
	for _, id := range []string{one, two} {
		h := a.finish(t, id)
		if c := only[trace.Cancelled](t, h); c.By != "operator" || h.Run.Outcome != trace.OutcomeCancelled {
			t.Errorf("%s: %+v, %s", id, c, h.Run.Outcome)
		}
	}
	b.assertEnded(t, b.finish(t, one), 1)
	eventually(t, "no run is live", func() bool { return len(a.Live())+len(b.Live()) == 0 })
	for range 5 { // also one that was started a moment ago
		id := a.start(t, "P-1042", fullRequest, "step")
		if n, err := b.CancelAll(t.Context(), "operator", "Enough."); n != 1 || err != nil {
			t.Errorf("%d runs cancelled, %v", n, err)
		}
		if h := a.finish(t, id); h.Run.Outcome != trace.OutcomeCancelled {
			t.Errorf("%s: %s", id, h.Run.Outcome)
		}
	}
}

// What is revoked at one replica is shown in the run of another, which then knows it.
func TestReplicasRevoke(t *testing.T) {
	for name, operator := range map[string]bool{"operator": true, "without an operator": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := newReplicas(t, func(c *agents.Config) {
				if !operator {
					c.Operator = nil
				}
			})
			id := a.startWithTokens(t, b, 1)
			clinical := b.Tokens()[0]
			done, err := b.Revoke(t.Context(), agents.Revocation{Level: wire.RevokeAgent, Target: clinical.AgentID})
			must(t, err)
			if len(done.Ended) != 1 || done.Ended[0].ID != clinical.ID || len(done.StillValid)+len(done.Unconfirmed) != 0 {
				t.Errorf("revoked: %+v", done)
			}
			listed := func(token agents.Token) bool { return token.AgentID == clinical.AgentID }
			eventually(t, "no replica lists it", func() bool {
				return !slices.ContainsFunc(a.Tokens(), listed) && !slices.ContainsFunc(b.Tokens(), listed)
			})
			must(t, b.SetPace(id, agents.Instant))
			h := a.finish(t, id)
			if step := only[trace.TokenRevoked](t, h); len(step.Credentials) != 1 || step.Released == operator {
				t.Errorf("the run shows %+v", step)
			}
			if n := a.valid(t, id); n != 0 {
				t.Errorf("%d tokens are valid", n)
			}
		})
	}
}

// The presenter reads the stolen token at any replica.
func TestReplicasStolen(t *testing.T) {
	t.Parallel()
	a, b := newReplicas(t, asUsual)
	req, err := agents.ParseRequest("P-1042", fullRequest, "")
	must(t, err)
	req.Incident, req.Hold = trace.IncidentTheft, true
	run, err := a.Start(t.Context(), req)
	must(t, err)
	eventually(t, "it waits", func() bool { return waits(b.Service, run.ID) })
	theirs, err := b.Stolen(run.ID)
	must(t, err)
	if own, err := a.Stolen(run.ID); err != nil || own != theirs || theirs == "" {
		t.Errorf("the token at its own replica: %v, the same: %v", err, own == theirs)
	}
	must(t, b.Next(run.ID))
	a.finish(t, run.ID)
	if _, err := b.Stolen(run.ID); !errors.Is(err, agents.ErrNotLive) {
		t.Errorf("after the end: %v", err)
	}
}

// A request that reaches several replicas starts one run.
func TestReplicasRepeat(t *testing.T) {
	t.Parallel()
	a, b := newReplicas(t, asUsual)
	req, err := agents.ParseRequest("P-1042", fullRequest, "step")
	must(t, err)
	req.Key = "a key with \x00 and \xff"
	other := req
	other.Text = "Another request"
	first, err := a.Start(t.Context(), req)
	must(t, err)
	var wrong *agents.InputError
	if _, err := b.Start(t.Context(), other); !errors.As(err, &wrong) || wrong.Field != "idempotency_key" {
		t.Errorf("the key with another request, at another replica: %v", err)
	}
	if again, err := b.Start(t.Context(), req); err != nil || again.ID != first.ID {
		t.Errorf("the request at another replica: %s, %v; want %s", again.ID, err, first.ID)
	}

	req.Key = "one for requests at the same moment"
	ids := make([]string, 6)
	var wg sync.WaitGroup
	for i := range ids {
		at := []*replica{a, b}[i%2]
		wg.Go(func() {
			run, err := at.Start(t.Context(), req)
			if err != nil {
				t.Error(err)
			}
			ids[i] = run.ID
		})
	}
	wg.Wait()
	if slices.Sort(ids); ids[0] == "" || ids[0] != ids[5] {
		t.Errorf("runs: %v", ids)
	}
}

// A shutdown ends the runs of its own replica only.
func TestReplicasShutdown(t *testing.T) {
	t.Parallel()
	a, b := newReplicas(t, asUsual)
	one, two := a.start(t, "P-1042", fullRequest, "step"), b.start(t, "P-2187", fullRequest, "step")
	b.untilTokens(t, one, 1)
	must(t, a.Shutdown(t.Context()))
	h := b.finish(t, one)
	b.assertEnded(t, h, 1)
	if h.Run.Outcome != trace.OutcomeCancelled {
		t.Errorf("outcome %s", h.Run.Outcome)
	}
	eventually(t, "only the other run is live", func() bool { return slices.Equal(b.Live(), []string{two}) })
}
