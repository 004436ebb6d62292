package agents

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"github.com/devonartis/medassist-go/internal/text"
	"github.com/devonartis/medassist-go/llm"
	"github.com/devonartis/medassist-go/trace"
)

// encounter is one run.
type encounter struct {
	Config
	id      string
	req     Request
	started time.Time

	rec         *recorder
	pace        *pacer
	credentials credentials

	cancel context.CancelCauseFunc
	left   atomic.Bool   // the run is another replica's
	stop   func()        // stops the run's clocks
	done   chan struct{} // closed when the run has ended

	messages   []llm.Message
	calls      map[string]bool // IDs of the tool calls so far
	answered   map[string]bool // calls that were made, by callKey; true for writes
	nudged     bool            // the model was told to call tools
	askedAgain bool            // a reply broke off, and the model was asked again

	service      *Service
	incidentDone bool
	stolen       atomic.Pointer[stolenToken] // nil until a token has been stolen
}

func (s *Service) newEncounter(run trace.Run, req Request, cancel context.CancelCauseFunc) *encounter {
	working := newAllowance(s.cfg.Limits.Run, func() {
		cancel(&failure{stage: "limit", message: fmt.Sprintf("The run reached its limit of %s of working time.", s.cfg.Limits.Run)})
	})
	staying := time.AfterFunc(s.cfg.Limits.Stay, func() {
		cancel(&failure{stage: "limit", message: fmt.Sprintf("The run reached its limit of %s.", s.cfg.Limits.Stay)})
	})
	pace := newPacer(req.Pace, working)
	if req.Hold {
		pace.keyMoment = s.cfg.KeyMoment
	}
	e := &encounter{
		Config: s.cfg, id: run.ID, req: req, started: run.Started,
		rec: &recorder{log: s.cfg.Log, runID: run.ID, now: s.cfg.Clock, logger: s.cfg.Logger, limits: s.cfg.Limits, full: cancel,
			logged: pace.logged},
		pace:   pace,
		cancel: cancel, done: make(chan struct{}), calls: make(map[string]bool), answered: make(map[string]bool), service: s,
	}
	e.rec.fenced = e.leave
	e.stop = func() {
		working.stop()
		staying.Stop()
		e.pace.states.Close()
		cancel(nil)
	}
	return e
}

// cancellation is the cause of a run that was stopped from outside.
type cancellation struct{ by, reason string }

func (c *cancellation) Error() string { return "cancelled by " + c.by }

// failure is an error that ends a run, in words for people.
type failure struct {
	stage   string // of trace.RunError
	message string
	hint    string
}

func (f *failure) Error() string { return f.message }

// run runs the encounter and returns how it ended. However it ends, its tokens are
// released and the run is completed, unless another replica has taken it over.
func (e *encounter) run(ctx context.Context) trace.Outcome {
	outcome := e.logEnd(ctx, e.recovered(ctx, e.converse))
	for _, last := range []func(context.Context) error{e.stealUnread, e.releaseTokens, e.retryStolenToken} {
		if e.left.Load() {
			break
		}
		if err := e.recovered(ctx, last); err != nil {
			outcome = e.logFailure(ctx, err)
		}
	}
	if e.left.Load() {
		e.releaseUnsaved(ctx)
		return trace.OutcomeInterrupted
	}
	return e.complete(ctx, outcome)
}

// complete logs the last step.
func (e *encounter) complete(ctx context.Context, outcome trace.Outcome) trace.Outcome {
	summary := e.rec.summary(e.req.Patient.String(), outcome, e.Clock().Sub(e.started))
	status := trace.StatusSuccess
	if outcome != trace.OutcomeAnswered || summary.MayLive() {
		status = trace.StatusWarning
	}
	e.rec.add(ctx, status, completeLabel(summary), summary)
	return outcome
}

// recovered calls f and turns a panic into an error.
func (e *encounter) recovered(ctx context.Context, f func(context.Context) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			e.Logger.ErrorContext(ctx, "panic in a run", slog.String("run", e.id), slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
			err = &failure{stage: "internal", message: "The program failed during this run.", hint: "See the program's log."}
		}
	}()
	return f(ctx)
}

// logEnd logs why the conversation ended, unless the model answered, and returns
// the outcome.
func (e *encounter) logEnd(ctx context.Context, err error) trace.Outcome {
	if err == nil {
		return trace.OutcomeAnswered
	}
	// A run that was stopped can fail in many ways; the reason is that it was stopped.
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	var stopped *cancellation
	if errors.As(err, &stopped) {
		e.rec.add(ctx, trace.StatusWarning, "Cancelled by the "+stopped.by, trace.Cancelled{By: stopped.by, Reason: stopped.reason})
		return trace.OutcomeCancelled
	}
	return e.logFailure(ctx, err)
}

func (e *encounter) logFailure(ctx context.Context, err error) trace.Outcome {
	var f *failure
	if !errors.As(err, &f) {
		e.Logger.ErrorContext(ctx, "a run failed", slog.String("run", e.id), slog.Any("error", err))
		f = &failure{stage: "internal", message: "The run could not continue.", hint: "See the program's log."}
	}
	e.rec.add(ctx, trace.StatusError, f.message, trace.RunError{Stage: f.stage, Message: f.message, Hint: f.hint})
	return trace.OutcomeFailed
}

// completeLabel returns the label of a run's last step.
func completeLabel(c trace.Complete) string {
	outcome := "Done"
	switch c.Outcome {
	case trace.OutcomeCancelled:
		outcome = "Cancelled"
	case trace.OutcomeFailed:
		outcome = "Failed"
	case trace.OutcomeInterrupted:
		outcome = "Interrupted"
	}
	switch {
	case c.AllRevoked:
		return outcome + ". All tokens revoked."
	case c.Tokens == 0 && c.RevokedUnseen > 0 && c.Unaccounted == 0:
		return outcome + ". No token was received; the whole task is revoked."
	case c.Tokens == 0 && c.Unaccounted == 0:
		return outcome + ". No token was issued."
	}
	var facts []string
	switch {
	case c.Tokens == 0:
	case !c.AllEnded():
		facts = append(facts, fmt.Sprintf("%d of %s confirmed revoked", c.ConfirmedRevoked, text.Count(c.Tokens, "token")))
	case c.ConfirmedRevoked > 0:
		facts = append(facts, fmt.Sprintf("%s revoked, %d expired", text.Count(c.ConfirmedRevoked, "token"), c.Expired))
	default:
		facts = append(facts, text.Count(c.Expired, "token")+" expired")
	}
	if c.Unaccounted > 0 {
		facts = append(facts, text.Count(c.Unaccounted, "response")+" lost that may have carried a token")
	}
	if c.ValidUntil > 0 {
		facts = append(facts, "tokens may be valid until "+clockTime(time.Unix(c.ValidUntil, 0)))
	}
	return outcome + ". " + strings.Join(facts, "; ") + "."
}

// clockTime returns the time of day of t, for people.
func clockTime(t time.Time) string { return t.UTC().Format("15:04:05 MST") }
