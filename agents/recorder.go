package agents

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/devonartis/medassist-go/trace"
)

// recorder writes a run's steps to the log and counts them.
type recorder struct {
	log    trace.Log
	runID  string
	now    func() time.Time
	logger *slog.Logger

	mu    sync.Mutex
	tally trace.Tally
}

// add logs a step. An error of the log is reported but does not stop the run: its
// tokens must be released all the same.
func (r *recorder) add(ctx context.Context, status trace.Status, label string, step trace.Step, spans ...trace.Span) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tally.Add(step)
	e := trace.Event{Time: r.now(), Status: status, Label: label, Spans: spans, Step: step}
	if _, err := r.log.Append(context.WithoutCancel(ctx), r.runID, e); err != nil {
		r.logger.ErrorContext(ctx, "a step was not logged", "run", r.runID, "step", step.Type(), "error", err)
	}
}

// summary returns the run's last step, which counts what was logged.
func (r *recorder) summary(patientID string, outcome trace.Outcome, took time.Duration) trace.Complete {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.tally.Complete(patientID, outcome, took)
}

// span starts to measure time; the returned function ends the measurement.
func (r *recorder) span(lane trace.Lane, name string) func() trace.Span {
	start := r.now()
	return func() trace.Span {
		return trace.Span{Lane: lane, Start: start, Took: r.now().Sub(start), Name: name}
	}
}
