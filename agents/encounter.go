package agents

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/llm"
	"github.com/devonartis/medassist-go/trace"
)

// encounter is one run.
type encounter struct {
	Config
	id      string
	req     Request
	started time.Time

	rec  *recorder
	pace *pacer
	crew crew

	cancel context.CancelCauseFunc
	end    func()        // stops the run's clocks
	done   chan struct{} // closed when all is over

	messages []llm.Message
	calls    map[string]bool // IDs of the tool calls so far

	service  *Service // to revoke by
	befallen bool     // the incident has happened
	loot     atomic.Pointer[loot]
}

func (s *Service) newEncounter(run trace.Run, req Request, cancel context.CancelCauseFunc) *encounter {
	working := newAllowance(s.cfg.Limits.Run, func() {
		cancel(&failure{stage: "limit", message: fmt.Sprintf("The run has worked for %s, which is the most that it may.", s.cfg.Limits.Run)})
	})
	staying := time.AfterFunc(s.cfg.Limits.Stay, func() {
		cancel(&failure{stage: "limit", message: fmt.Sprintf("The run was open for %s, which is the most that it may.", s.cfg.Limits.Stay)})
	})
	e := &encounter{
		Config: s.cfg, id: run.ID, req: req, started: run.Started,
		rec:    &recorder{log: s.cfg.Log, runID: run.ID, now: s.cfg.Clock, logger: s.cfg.Logger},
		pace:   newPacer(req.Pace, working),
		cancel: cancel, done: make(chan struct{}), calls: make(map[string]bool), service: s,
	}
	e.end = func() {
		working.end()
		staying.Stop()
		e.pace.states.Close()
		cancel(nil)
	}
	return e
}

// cancellation is a run that someone stopped.
type cancellation struct{ by, reason string }

func (c *cancellation) Error() string { return "cancelled by " + c.by }

// failure is a run that can't go on.
type failure struct {
	stage   string // of trace.RunError
	message string
	hint    string
}

func (f *failure) Error() string { return f.message }

// run does the whole encounter. Whatever happens in it, the tokens are ended
// and the run is completed.
func (e *encounter) run(ctx context.Context) {
	outcome := e.conclude(ctx, e.recovered(ctx, e.flow))
	for _, last := range []func(context.Context) error{e.release, e.tryLoot} {
		if err := e.recovered(ctx, last); err != nil {
			outcome = e.failed(ctx, err)
		}
	}
	summary := e.rec.summary(e.req.Patient.String(), outcome, e.Clock().Sub(e.started))
	status := trace.StatusSuccess
	if outcome != trace.OutcomeAnswered || summary.Tokens > 0 && !summary.AllRevoked {
		status = trace.StatusWarning
	}
	e.rec.add(ctx, status, completeLabel(summary), summary)
}

// recovered makes an error of a panic.
func (e *encounter) recovered(ctx context.Context, f func(context.Context) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			e.Logger.ErrorContext(ctx, "panic in a run", slog.String("run", e.id), slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
			err = &failure{stage: "internal", message: "The program failed in the middle of this run.", hint: "Its log says where."}
		}
	}()
	return f(ctx)
}

// conclude logs why the run ends, and says how.
func (e *encounter) conclude(ctx context.Context, err error) trace.Outcome {
	if err == nil {
		return trace.OutcomeAnswered
	}
	// A run that was stopped fails in many ways; the reason is that it was.
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	var stopped *cancellation
	if errors.As(err, &stopped) {
		e.rec.add(ctx, trace.StatusWarning, "Cancelled by the "+stopped.by, trace.Cancelled{By: stopped.by, Reason: stopped.reason})
		return trace.OutcomeCancelled
	}
	return e.failed(ctx, err)
}

func (e *encounter) failed(ctx context.Context, err error) trace.Outcome {
	var f *failure
	if !errors.As(err, &f) {
		e.Logger.ErrorContext(ctx, "a run failed", slog.String("run", e.id), slog.Any("error", err))
		f = &failure{stage: "internal", message: "The run could not go on.", hint: "The program's log says why."}
	}
	e.rec.add(ctx, trace.StatusError, f.message, trace.RunError{Stage: f.stage, Message: f.message, Hint: f.hint})
	return trace.OutcomeFailed
}

// flow is the encounter up to its answer.
func (e *encounter) flow(ctx context.Context) error {
	if err := e.lookUp(ctx); err != nil {
		return err
	}
	if err := e.askHealth(ctx); err != nil {
		return err
	}
	e.messages = []llm.Message{
		{Role: llm.RoleSystem, Content: prompt(e.req.Patient)},
		{Role: llm.RoleUser, Content: e.req.Text},
	}
	for turn := range e.Limits.Turns {
		reply, err := e.ask(ctx, turn+1)
		if err != nil {
			return err
		}
		if len(reply.ToolCalls) == 0 {
			return nil
		}
		for _, call := range reply.ToolCalls {
			result, err := e.call(ctx, call)
			if err != nil {
				return err
			}
			e.messages = append(e.messages, llm.Message{Role: llm.RoleTool, ToolCallID: call.ID, Content: result})
		}
	}
	return &failure{stage: "limit", hint: "A narrower request may help.",
		message: fmt.Sprintf("The model still asked for tools after %d turns.", e.Limits.Turns)}
}

func (e *encounter) lookUp(ctx context.Context) error {
	e.pace.wait(ctx, "look the patient up", false)
	id := e.req.Patient.String()
	done := e.rec.span(trace.LaneRecords, "find patient")
	name, known, err := e.Directory(ctx, e.req.Patient)
	span := done()
	if err != nil {
		e.Logger.ErrorContext(ctx, "patient lookup", slog.String("run", e.id), slog.Any("error", err))
		return &failure{stage: "records", message: "The patient records can't be read.", hint: "Is the disk full, or the database damaged?"}
	}
	step := trace.PatientLookup{PatientID: id, Found: known, Name: name}
	if known {
		e.rec.add(ctx, trace.StatusSuccess, fmt.Sprintf("Patient %s is %s", id, name), step, span)
	} else {
		e.rec.add(ctx, trace.StatusWarning, fmt.Sprintf("No patient %s in the records", id), step, span)
	}
	return nil
}

func (e *encounter) askHealth(ctx context.Context) error {
	e.pace.wait(ctx, "ask the broker's health", false)
	step := trace.BrokerHealth{URL: e.BrokerURL, Embedded: e.BrokerEmbedded}
	limited, cancel := context.WithTimeout(ctx, e.Limits.BrokerCall)
	defer cancel()
	done := e.rec.span(trace.LaneBroker, "health")
	health, err := e.Broker.Health(limited)
	span := done()
	if err != nil {
		step.Error, _, _ = brokerWords(err)
		e.rec.add(ctx, trace.StatusError, "The broker does not answer", step, span)
		return e.brokerFailure(err)
	}
	step.Status, step.Version, step.Uptime = health.Status, health.Version, health.Uptime
	step.DBConnected, step.AuditEventsCount = health.DBConnected, health.AuditEventsCount
	step.Error = strings.Join(health.Problems, "; ")
	status := trace.StatusSuccess
	if health.Status != "ok" {
		status = trace.StatusWarning
	}
	e.rec.add(ctx, status, "The broker says: "+health.Status, step, span)
	return nil
}

// brokerFailure ends a run because its broker can't be asked: nothing could be
// checked any more.
func (e *encounter) brokerFailure(err error) error {
	words, _, _ := brokerWords(err)
	f := &failure{stage: "broker", message: "Without the broker nothing can be checked, so nothing more is done: " + words + ".",
		hint: fmt.Sprintf("Does the broker at %s run, and can it be reached from here?", e.BrokerURL)}
	switch {
	case errors.Is(err, agentwrit.ErrAuthentication):
		f.hint = "Are the app's client ID and client secret right, and is the app still registered?"
	case errors.Is(err, agentwrit.ErrRateLimited):
		f.hint = "Wait a minute: the broker limits how often an app may log in."
	}
	return f
}

// brokerWords says what a broker's client failed with, for people.
func brokerWords(err error) (words, code, requestID string) {
	var be *agentwrit.Error
	if !errors.As(err, &be) || errors.Is(err, context.DeadlineExceeded) {
		return "the broker did not answer in time", "", ""
	}
	return cmp.Or(be.Detail, "no reason was given"), string(be.Code), be.RequestID
}

// refusedByBroker reports whether the broker answered, and said no.
func refusedByBroker(err error) bool {
	for _, kind := range []error{agentwrit.ErrAuthentication, agentwrit.ErrAuthorization, agentwrit.ErrNotFound, agentwrit.ErrInvalidRequest} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

func completeLabel(c trace.Complete) string {
	how := map[trace.Outcome]string{
		trace.OutcomeAnswered: "Answered", trace.OutcomeCancelled: "Cancelled", trace.OutcomeFailed: "Failed",
	}[c.Outcome]
	switch {
	case c.AllRevoked:
		return how + ": all tokens dead"
	case c.Unaccounted > 0:
		return fmt.Sprintf("%s: %d of %d tokens proven dead, %d answers lost that may have held another", how, c.ConfirmedRevoked, c.Tokens, c.Unaccounted)
	case c.Tokens == 0:
		return how + ": no token was issued"
	default:
		return fmt.Sprintf("%s: %d of %d tokens proven dead", how, c.ConfirmedRevoked, c.Tokens)
	}
}

// capital is a name as a sentence begins with it.
func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
