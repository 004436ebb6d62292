package trace

import (
	"io"
	"log/slog"
	"testing"
	"time"
)

// A failing database must neither stop a run nor lose it once it recovers.
func TestAFailingDatabaseStopsNoRun(t *testing.T) {
	s, err := OpenStore(t.Context(), "", slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	exec := func(query string) {
		t.Helper()
		if _, err := s.db.(*sqlite).sql.ExecContext(t.Context(), query); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Create(t.Context(), Run{ID: "run-1", Started: time.Now()}); err != nil {
		t.Fatal(err)
	}
	exec(`CREATE TRIGGER fault BEFORE INSERT ON event BEGIN SELECT RAISE(ABORT, 'disk I/O error'); END`)
	for range 3 {
		if _, err := s.Append(t.Context(), "run-1", Event{Step: LLMDelta{Text: "a"}}); err != nil {
			t.Errorf("a live run fails: %v", err)
		}
	}
	if _, err := s.Append(t.Context(), "run-1", Event{Time: time.Now(), Step: Complete{Outcome: OutcomeAnswered}}); err == nil {
		t.Error("the run is reported as stored, and is not")
	}
	// Its readers see all of it anyway.
	if events, err := s.Events(t.Context(), "run-1", 0); err != nil || len(events) != 4 {
		t.Errorf("%d events, %v", len(events), err)
	}
	if run, err := s.Run(t.Context(), "run-1"); err != nil || run.Live() || !run.Unsaved || s.Fault() == nil {
		t.Errorf("run = %+v, %v; fault %v", run, err, s.Fault())
	}
	if events, _ := s.Events(t.Context(), "run-1", 3); len(events) != 1 || !events[0].Unsaved {
		t.Errorf("the run's end does not tell that it is not stored: %+v", events)
	}

	exec(`DROP TRIGGER fault`)
	for deadline := time.Now().Add(10 * time.Second); !s.writer.idle(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it was not stored after the database recovered")
		}
	}
	if run, err := s.Run(t.Context(), "run-1"); err != nil || run.Unsaved || s.Fault() != nil {
		t.Errorf("stored later: %+v, %v; fault %v", run, err, s.Fault())
	}
	if events, err := s.db.events(t.Context(), "run-1"); err != nil || len(events) != 4 {
		t.Errorf("%d events are stored, %v", len(events), err)
	}
	if run, found, err := s.db.run(t.Context(), "run-1"); err != nil || !found || run.Live() {
		t.Errorf("stored run = %+v, %v, %v", run, found, err)
	}
}
