package trace

import (
	"context"
	"fmt"
	"time"
)

// closeInterrupted ends the runs that a crash left open with an event that reports
// the crash, at the time of their last event.
func (s *Store) closeInterrupted(ctx context.Context, db *sqlite) error {
	open, err := db.openRuns(ctx)
	if err != nil {
		return err
	}
	for _, run := range open {
		events, err := db.events(ctx, run.ID)
		if err != nil {
			return fmt.Errorf("events of %s: %w", run.ID, err)
		}
		rows, err := interrupted(run, events)
		if err != nil {
			return err
		}
		if err := s.writer.putAndWait(rows...); err != nil {
			return err
		}
	}
	return nil
}

// interrupted returns the rows that end a run whose process ended.
func interrupted(run Run, events []Event) ([]row, error) {
	var tally Tally
	last := Event{Time: run.Started}
	for _, e := range events {
		tally.Add(e)
		last = e
	}
	summary := tally.Complete(run.PatientID, OutcomeInterrupted, last.Time.Sub(run.Started))
	lost := RunError{Stage: "internal", Message: "The process ended during this run; later steps are unknown."}
	if summary.ValidUntil > 0 {
		lost.Hint = fmt.Sprintf("Tokens that were not released expire by %s.", time.Unix(summary.ValidUntil, 0).UTC().Format(time.DateTime+" MST"))
	}
	rows := make([]row, 0, 3)
	for i, e := range []Event{
		{Label: "Interrupted", Status: StatusError, Step: lost},
		{Label: "Interrupted", Status: StatusError, Step: summary},
	} {
		e.RunID, e.Seq, e.Time = run.ID, last.Seq+int64(i)+1, last.Time
		var err error
		if e.encoded, err = e.encode(); err != nil {
			return nil, err
		}
		rows = append(rows, row{event: &e})
	}
	run.Ended, run.Outcome, run.Summary = last.Time, OutcomeInterrupted, &summary
	return append(rows, row{run: &run}), nil
}
