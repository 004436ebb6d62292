package agents

import (
	"context"
	"errors"
	"fmt"
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
	limits Limits
	full   func(error) // called once, when the trace reaches its limit
	logged func(trace.Step)
	fenced func() // called when the log refuses a step because the run is another replica's

	mu    sync.Mutex
	tally trace.Tally
	steps int
	bytes int
	over  bool // the trace has reached its limit
}

// add logs a step. An error of the log is reported but does not stop the run: its
// tokens must be released all the same. A trace that has reached its limit ends
// the run; what the run does from then on, which is to release its tokens, is
// still logged.
func (r *recorder) add(ctx context.Context, status trace.Status, label string, step trace.Step, spans ...trace.Span) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, delta := step.(trace.LLMDelta); delta && r.over {
		return
	}
	e := trace.Event{Time: r.now(), Status: status, Label: label, Spans: spans, Step: step}
	r.tally.Add(e)
	e, err := r.log.Append(context.WithoutCancel(ctx), r.runID, e)
	if errors.Is(err, trace.ErrFenced) {
		r.fenced()
		return
	}
	if err != nil {
		r.logger.ErrorContext(ctx, "a step was not logged", "run", r.runID, "step", step.Type(), "error", err)
		return
	}
	r.logged(step)
	r.measure(e)
}

// measure counts a logged step against the limits. The caller holds the lock.
func (r *recorder) measure(e trace.Event) {
	encoded, err := e.JSON()
	if err != nil {
		return // it could not have been logged
	}
	r.steps++
	r.bytes += len(encoded)
	if r.over || r.steps < r.limits.TraceSteps && r.bytes < r.limits.TraceBytes {
		return
	}
	r.over = true
	r.full(&failure{stage: "limit", hint: "Try a narrower request.",
		message: fmt.Sprintf("The run's trace reached its limit of %d steps or %d KiB.", r.limits.TraceSteps, r.limits.TraceBytes>>10)})
}

// restore counts the steps that another replica has logged.
func (r *recorder) restore(events []trace.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range events {
		r.tally.Add(e)
	}
}

// lost returns the number of lost responses that may have carried a token.
func (r *recorder) lost() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.tally.Lost()
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
