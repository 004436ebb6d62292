package trace_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/internal/cluster"
	"github.com/devonartis/medassist-go/internal/pgtest"
	"github.com/devonartis/medassist-go/internal/postgres"
	"github.com/devonartis/medassist-go/trace"
)

// A replica is a store with its connection to a database.
type replica struct {
	*trace.Store
	cluster *cluster.Cluster
}

func join(t testing.TB, url string) replica {
	t.Helper()
	return joinWith(t, cluster.Config{URL: url})
}

func joinWith(t testing.TB, cfg cluster.Config) replica {
	t.Helper()
	cfg.Secret, cfg.Logger = "a secret in common", slog.New(slog.DiscardHandler)
	c, err := cluster.Open(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	s, err := trace.OpenShared(context.Background(), c, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = s.Close() // a test may have stopped the database
		_ = c.Close()
	})
	return replica{s, c}
}

// patience is longer than anything takes that a test waits for, also on a slow machine.
const patience = 30 * time.Second

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// claim waits until a replica has claimed a run.
func claim(t testing.TB, r replica, runID string) {
	t.Helper()
	eventually(t, "the run is claimed", func() bool {
		runs, err := r.Claim(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(runs, func(run trace.Run) bool { return run.ID == runID })
	})
}

// texts returns the texts of LLM deltas, the types of other steps, and an error for
// numbers that are not 1, 2, 3 …
func texts(events []trace.Event) (all []string, err error) {
	for i, e := range events {
		if e.Seq != int64(i)+1 {
			return all, fmt.Errorf("event %d is number %d", i+1, e.Seq)
		}
		if delta, ok := e.Step.(trace.LLMDelta); ok {
			all = append(all, delta.Text)
			continue
		}
		all = append(all, string(e.Step.Type()))
	}
	return all, nil
}

func TestSharedStores(t *testing.T) {
	t.Parallel()
	testLog(t, join(t, pgtest.URL(t)).Store)
}

// A run of one replica can be followed at another.
func TestARunIsFollowedAtAnotherReplica(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	a, b := join(t, url), join(t, url)
	ctx := t.Context()
	create(t, a.Store, "run-1", noon)
	if run, err := b.Run(ctx, "run-1"); err != nil || !run.Live() {
		t.Errorf("right after it was created: %+v, %v", run, err)
	}
	if err := b.Create(ctx, trace.Run{ID: "run-1", Started: noon}); !errors.Is(err, trace.ErrExists) {
		t.Errorf("the same run, created at another replica: %v", err)
	}
	add(t, a.Store, "run-1", trace.LLMDelta{Text: "1"})
	cursor, err := b.Follow(ctx, "run-1", 0)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		e := add(t, a.Store, "run-1", trace.LLMDelta{Text: fmt.Sprint(i + 2)})
		if i == 20 {
			if _, err := b.Append(ctx, "run-1", e); !errors.Is(err, trace.ErrFenced) {
				t.Errorf("an event of a replica that does not own the run: %v", err)
			}
		}
	}
	resumed, err := b.Follow(ctx, "run-1", 30)
	if err != nil {
		t.Fatal(err)
	}
	if runs, err := b.Runs(ctx, time.Time{}, 10); err != nil || len(runs) != 1 || !runs[0].Live() {
		t.Errorf("runs = %+v, %v", runs, err)
	}
	end(t, a.Store, "run-1")
	// The end is stored when Append returns.
	if run, err := b.Run(ctx, "run-1"); err != nil || run.Live() || run.Summary == nil {
		t.Errorf("right after it has ended: %+v, %v", run, err)
	}
	if events, err := b.Events(ctx, "run-1", 50); err != nil || len(events) != 2 {
		t.Errorf("%d events above 50, %v", len(events), err)
	}
	if all, err := drain(ctx, cursor); err != nil || len(all) != 52 {
		t.Errorf("followed %d events, %v", len(all), err)
	} else if _, err := texts(all); err != nil {
		t.Error(err)
	}
	if rest, err := drain(ctx, resumed); err != nil || len(rest) != 22 || rest[0].Seq != 31 {
		t.Errorf("resumed with %d events, %v", len(rest), err)
	}
	for _, r := range []replica{a, b} {
		if _, err := r.Append(ctx, "run-1", trace.Event{Step: trace.LLMDelta{}}); !errors.Is(err, trace.ErrEnded) {
			t.Errorf("an event after the end: %v", err)
		}
	}
}

// An ID from a URL can be any bytes.
func TestAnIDThatTheDatabaseCannotHoldIsUnknown(t *testing.T) {
	t.Parallel()
	r := join(t, pgtest.URL(t))
	for _, id := range []string{"\x00", "run-\xff", ""} {
		if _, err := r.Run(t.Context(), id); !errors.Is(err, trace.ErrNotFound) {
			t.Errorf("%q: %v", id, err)
		}
		if _, err := r.Follow(t.Context(), id, 0); !errors.Is(err, trace.ErrNotFound) {
			t.Errorf("%q: %v", id, err)
		}
	}
	if err := r.Create(t.Context(), trace.Run{ID: "run-\xff"}); err == nil {
		t.Error("a run with an invalid ID was created")
	}
}

// The run of a replica that is gone is claimed by one of the others, which goes on
// where the stored events end. Its readers see no change of owner.
func TestClaim(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	a, b, c := join(t, url), join(t, url), join(t, url)
	ctx := t.Context()
	ids := make([]string, 8)
	for i := range ids {
		ids[i] = fmt.Sprint("run-", i)
		create(t, a.Store, ids[i], noon)
		add(t, a.Store, ids[i], trace.LLMDelta{Text: "1"})
	}
	create(t, b.Store, "run-of-b", noon)
	follower, err := c.Follow(ctx, ids[0], 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(a.Close(), a.cluster.Close()); err != nil {
		t.Fatal(err)
	}
	claimed := make(map[string]*trace.Store)
	eventually(t, "all runs are claimed", func() bool {
		for _, r := range []replica{b, c} {
			runs, err := r.Claim(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for _, run := range runs {
				if claimed[run.ID] != nil {
					t.Errorf("%s is claimed twice", run.ID)
				}
				claimed[run.ID] = r.Store
			}
		}
		return len(claimed) == len(ids)
	})
	if claimed["run-of-b"] != nil {
		t.Error("the run of a replica that lives was claimed")
	}
	for id, s := range claimed {
		if e := add(t, s, id, trace.LLMDelta{Text: "2"}); e.Seq != 2 {
			t.Errorf("the first event after the claim is number %d", e.Seq)
		}
		end(t, s, id)
	}
	all, err := drain(ctx, follower)
	if got, _ := texts(all); err != nil || !slices.Equal(got, []string{"1", "2", "complete"}) {
		t.Errorf("a reader saw %q, %v", got, err)
	}
}

// A replica that was cut off shows no step that others could contradict: from the
// end of its lease on it stores a step before it shows it. What it had shown before,
// and could not store, is taken back from its readers.
func TestAnOwnerThatIsCutOffIsFenced(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	proxy := pgtest.NewProxy(t, url)
	a, b := join(t, proxy.URL), join(t, url)
	ctx := t.Context()
	create(t, a.Store, "run-1", noon)
	add(t, a.Store, "run-1", trace.LLMDelta{Text: "stored"})
	stored(t, b, "run-1", 1)
	early, ahead := follow(t, a, "run-1"), follow(t, a, "run-1")
	if _, err := early.Next(ctx); err != nil {
		t.Fatal(err)
	}

	proxy.Freeze()
	for _, step := range []string{"shown", "shown, too"} {
		add(t, a.Store, "run-1", trace.LLMDelta{Text: step})
	}
	if events, err := ahead.Next(ctx); err != nil || len(events) != 3 {
		t.Errorf("a reader at the owner saw %d events, %v", len(events), err)
	}
	eventually(t, "the lease ends", func() bool { return !a.cluster.Current() })
	if err := a.Create(ctx, trace.Run{ID: "run-2", Started: noon}); !errors.Is(err, postgres.ErrAway) {
		t.Errorf("a run without a lease: %v", err)
	}
	if err := a.Fault(); !errors.Is(err, postgres.ErrAway) {
		t.Errorf("the fault without a lease: %v", err)
	}
	late := make(chan error, 1)
	go func() {
		_, err := a.Append(ctx, "run-1", trace.Event{Time: noon, Step: trace.LLMDelta{Text: "without a lease"}})
		late <- err
	}()
	claim(t, b, "run-1")
	add(t, b.Store, "run-1", trace.LLMDelta{Text: "taken over"})
	if events, err := a.Events(ctx, "run-1", 0); err != nil || len(events) != 3 {
		t.Errorf("while it is cut off it shows %d events, %v", len(events), err)
	}

	proxy.Mend()
	if err := <-late; !errors.Is(err, trace.ErrFenced) {
		t.Errorf("the step without a lease: %v", err)
	}
	if _, err := a.Append(ctx, "run-1", trace.Event{Step: trace.LLMDelta{}}); !errors.Is(err, trace.ErrFenced) {
		t.Errorf("a step after the fence: %v", err)
	}
	end(t, b.Store, "run-1")
	want := []string{"stored", "taken over", "complete"}
	for name, r := range map[string]replica{"old": a, "new": b} {
		events, err := r.Events(ctx, "run-1", 0)
		if got, order := texts(events); err != nil || order != nil || !slices.Equal(got, want) {
			t.Errorf("the %s owner shows %q, %v, %v", name, got, order, err)
		}
	}
	if rest, err := drain(ctx, early); err != nil || len(rest) != 2 {
		t.Errorf("a reader of what was stored got %d more events, %v", len(rest), err)
	}
	if _, err := drain(ctx, ahead); !errors.Is(err, trace.ErrRetracted) {
		t.Errorf("a reader of what was not stored: %v", err)
	}
}

// stored waits until so many events of a run can be read at a replica.
func stored(t testing.TB, r replica, runID string, events int) {
	t.Helper()
	eventually(t, "the events are stored", func() bool {
		all, err := r.Events(t.Context(), runID, 0)
		return err == nil && len(all) == events
	})
}

func follow(t testing.TB, r replica, runID string) *trace.Cursor[trace.Event] {
	t.Helper()
	cursor, err := r.Follow(t.Context(), runID, 0)
	if err != nil {
		t.Fatal(err)
	}
	return cursor
}
