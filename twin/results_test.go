package twin

import (
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/internal/values"
	"github.com/devonartis/medassist-go/trace"
)

// replicas returns services that share results, and their log.
func replicas(t *testing.T, now func() time.Time) (a, b *Service, log *trace.Store) {
	t.Helper()
	log, err := trace.OpenStore(t.Context(), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	cfg := Config{Log: log, Clock: now, Logger: slog.New(slog.DiscardHandler), Values: new(values.Memory)}
	a, b = New(cfg), New(cfg)
	t.Cleanup(a.Close)
	t.Cleanup(b.Close)
	return a, b, log
}

// latest waits until a replica shows a comparison in a phase.
func latest(t *testing.T, s *Service, id string, phase Phase) {
	t.Helper()
	var r Result
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if r, _ = s.Latest(t.Context()); r.ID == id && r.Phase == phase {
			return
		}
	}
	t.Fatalf("the latest comparison is %s, %s, want %s, %s", r.ID, r.Phase, id, phase)
}

func begin(t *testing.T, s *Service, r Result) {
	t.Helper()
	if err := s.add(t.Context(), r); err != nil {
		t.Fatal(err)
	}
}

// Each replica shows what another compares, also while it runs, and does not begin
// another comparison meanwhile. The newest are kept.
func TestReplicasShareComparisons(t *testing.T) {
	t.Parallel()
	a, b, _ := replicas(t, time.Now)
	if _, ok := b.Latest(t.Context()); ok {
		t.Error("there is a comparison before the first")
	}
	for _, id := range []string{"", "twin-1"} {
		if _, err := b.Result(t.Context(), id); !errors.Is(err, ErrNotFound) {
			t.Errorf("comparison %q before the first: %v", id, err)
		}
	}
	for i := range kept + 2 {
		r := Result{ID: fmt.Sprint("twin-", i), Phase: Running}
		begin(t, a, r)
		latest(t, b, r.ID, Running)
		if err := b.add(t.Context(), Result{ID: "another", Phase: Running}); !errors.Is(err, ErrBusy) {
			t.Errorf("a second comparison: %v", err)
		}
		r.Calls = []Call{{Tool: "get_patient_records"}}
		a.publish(t.Context(), r)
		if got, err := b.Result(t.Context(), r.ID); err != nil || len(got.Calls) != 1 {
			t.Errorf("while it runs: %+v, %v", got, err)
		}
		r.Phase = Done
		a.publish(t.Context(), r)
		latest(t, b, r.ID, Done)
		a, b = b, a
	}
	for i := range kept + 2 {
		id := fmt.Sprint("twin-", i)
		got, err := b.Result(t.Context(), id)
		switch {
		case i < 2:
			if !errors.Is(err, ErrNotFound) {
				t.Errorf("%s, which is too old: %v", id, err)
			}
		case err != nil || got.ID != id || got.Phase != Done:
			t.Errorf("%s: %+v, %v", id, got, err)
		}
	}
}

// A comparison whose replica has stopped ends as failed, some time after its run was
// ended, and another can begin.
func TestReplicaStopsDuringComparison(t *testing.T) {
	t.Parallel()
	now := time.Now()
	a, b, log := replicas(t, func() time.Time { return now })
	if err := log.Create(t.Context(), trace.Run{ID: "run-1", PatientID: "P-1042", Started: now}); err != nil {
		t.Fatal(err)
	}
	begin(t, a, Result{ID: "twin-1", RunID: "run-1", Phase: Running})
	now = now.Add(time.Hour)
	latest(t, b, "twin-1", Running)
	if _, err := log.Append(t.Context(), "run-1", trace.Event{Time: now, Step: trace.Complete{Outcome: trace.OutcomeInterrupted}}); err != nil {
		t.Fatal(err)
	}
	latest(t, b, "twin-1", Running)
	if err := b.add(t.Context(), Result{ID: "twin-2"}); !errors.Is(err, ErrBusy) {
		t.Errorf("the other replica may be about to end it: %v", err)
	}
	now = now.Add(abandonedAfter + time.Second)
	latest(t, b, "twin-1", Failed)
	begin(t, b, Result{ID: "twin-2", Phase: Running})
	a.publish(t.Context(), Result{ID: "twin-1", Phase: Done}) // it was frozen
	latest(t, a, "twin-2", Running)
}
