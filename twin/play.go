package twin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"time"

	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/internal/text"
	"github.com/devonartis/medassist-go/patient"
	"github.com/devonartis/medassist-go/tools"
	"github.com/devonartis/medassist-go/trace"
)

// play is one comparison while it runs. It follows the trace of the run with
// AgentWrit, and makes each call that was decided there with the shared key.
type play struct {
	*Service
	instance   *instance
	result     Result
	requested  []trace.LLMCall
	categories map[string]string // of agents, by their SPIFFE ID
	released   bool              // the run has begun to release its tokens
	summary    *trace.Complete
}

// play follows the run to its end and closes the instance, whatever happens.
func (p *play) play(ctx context.Context) {
	defer func() {
		if cause := recover(); cause != nil {
			p.cfg.Logger.ErrorContext(ctx, "panic in a comparison", "cause", cause, "stack", string(debug.Stack()))
			p.result.Phase, p.result.Problem = Failed, "The program failed during this comparison. See its log."
		}
		p.cancel() // the run may still go on after a panic, or if its trace can't be read
		if err := p.release(); err != nil {
			p.cfg.Logger.ErrorContext(ctx, "close the second instance", "error", err)
		}
		p.result.Ended = p.cfg.Clock()
		p.publish(ctx, p.result)
	}()
	if err := p.follow(ctx); err != nil {
		p.cfg.Logger.ErrorContext(ctx, "a comparison failed", "run", p.result.RunID, "error", err)
		p.result.Phase, p.result.Problem = Failed, "The run's trace can't be read."
		return
	}
	p.finish(ctx)
}

// cancel ends the run with AgentWrit.
func (p *play) cancel() {
	if p.result.RunID != "" {
		_ = p.cfg.Runs.Cancel(p.result.RunID, "comparison", "The comparison ended.") // fails if it has ended
	}
}

// release closes the instance.
func (p *play) release() error {
	defer p.count(-1)
	return p.instance.close()
}

// follow applies the run's events until its last one.
func (p *play) follow(ctx context.Context) error {
	cursor, err := p.cfg.Log.Follow(ctx, p.result.RunID, 0)
	if err != nil {
		return err
	}
	for {
		events, err := cursor.Next(ctx)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		for _, e := range events {
			if p.apply(ctx, e) {
				p.result.AccessLog, p.result.Changes = p.instance.accesses(), p.result.Changes+1
				p.publish(ctx, p.result)
			}
		}
	}
}

// apply takes one event of the run, and reports whether the comparison shows more
// than before.
func (p *play) apply(ctx context.Context, e trace.Event) bool {
	switch s := e.Step.(type) {
	case trace.LLMResponse:
		p.requested = append(p.requested, s.ToolCalls...)
		if s.Final {
			p.result.Answered = e.Time
		}
	case trace.AgentCreated:
		p.categories[s.AgentID] = s.Category
	case trace.ToolCall:
		p.call(ctx, s.CallID, s.Tool, string(s.Args), OutcomeAllowed, "")
	case trace.ScopeDenied:
		p.call(ctx, s.CallID, s.Tool, string(s.Args), OutcomeDenied, s.RefusedBy)
	case trace.TokenRejected:
		p.call(ctx, s.CallID, s.Tool, "", OutcomeDenied, s.RefusedBy)
	case trace.DelegationDenied:
		p.call(ctx, s.CallID, s.Tool, "", OutcomeDenied, s.RefusedBy)
	case trace.ToolError:
		p.call(ctx, s.CallID, s.Tool, s.Args, OutcomeFailed, "")
	case trace.TokenReleased:
		p.released = true
		return false
	case trace.StolenTokenUsed:
		p.theft(ctx, e, s)
	case trace.Complete:
		p.summary = &s
		return false
	default:
		return false
	}
	return true
}

// call makes a call with the shared key that was decided on the side with AgentWrit.
// Its arguments are those of the step, or else those that the model wrote.
func (p *play) call(ctx context.Context, id, tool, args string, writ Outcome, by trace.RefusedBy) {
	if args == "" {
		i := slices.IndexFunc(p.requested, func(c trace.LLMCall) bool { return c.CallID == id })
		if i >= 0 {
			args = p.requested[i].Args
		}
	}
	c := Call{Tool: tool, Writ: writ, By: string(by), Shared: OutcomeFailed}
	if parsed, err := tools.Parse(tool, args); err == nil {
		c.Patient, c.Writes = parsed.Patient.String(), parsed.Tool.Writes()
		c.Shared = p.instance.do(ctx, parsed)
	}
	p.result.Calls = append(slices.Clip(p.result.Calls), c)
}

// theft uses the shared key as the attacker has just used the stolen token.
func (p *play) theft(ctx context.Context, e trace.Event, s trace.StolenTokenUsed) {
	t := Theft{Patient: s.PatientID, Outcome: OutcomeFailed, After: p.released}
	switch {
	case s.Authorized:
		t.Outcome = OutcomeAllowed
	case s.RefusedBy != "":
		t.Outcome = OutcomeDenied
	}
	if t.After && !p.result.Answered.IsZero() {
		t.Since = e.Time.Sub(p.result.Answered)
	}
	p.result.Writ.Thefts = append(slices.Clip(p.result.Writ.Thefts), t)
	if !t.After { // the shared key is tried again when the run has ended
		p.steal(ctx, s.PatientID, false)
	}
}

// steal has the attacker use the shared key for a patient.
func (p *play) steal(ctx context.Context, id string, after bool) {
	t := Theft{Patient: id, Outcome: OutcomeFailed, After: after}
	if parsed, err := patient.ParseID(id); err == nil {
		t.Outcome = p.instance.read(ctx, parsed)
	}
	if after {
		t.Since = p.cfg.Clock().Sub(p.result.Answered)
	}
	p.result.Shared.Thefts = append(slices.Clip(p.result.Shared.Thefts), t)
}

// finish completes the result of a run that has ended.
func (p *play) finish(ctx context.Context) {
	r := &p.result
	switch {
	case p.summary != nil && p.summary.Outcome == trace.OutcomeAnswered:
	case p.summary != nil && p.summary.Outcome == trace.OutcomeCancelled:
		r.Phase, r.Problem = Cancelled, "The run with AgentWrit was cancelled."
		return
	default:
		r.Phase, r.Problem = Failed, "The run with AgentWrit did not end with an answer, so there is nothing to compare."
		return
	}
	if !r.Shared.Tried() { // no token was issued that could have been stolen
		for _, id := range r.Patients {
			p.steal(ctx, id.ID, false)
		}
	}
	p.steal(ctx, r.Patient, true)
	r.AccessLog = p.instance.accesses()
	r.Shared.Names = named(r.AccessLog)
	r.Writ.Tokens, r.Writ.Revoked = p.summary.Tokens, p.summary.ConfirmedRevoked
	if p.summary.ValidUntil > 0 {
		r.Writ.ValidFor = max(0, time.Unix(p.summary.ValidUntil, 0).Sub(r.Answered))
	}
	for e, err := range p.cfg.Decisions.Events(ctx, r.RunID) {
		if err != nil {
			r.Phase, r.Problem = Failed, "The log of decisions can't be read."
			return
		}
		r.Decisions = append(r.Decisions, e)
	}
	r.Writ.Names = p.agents(r.Decisions)
	r.Phase = Done
}

// named returns whom an access log names.
func named(log []Access) (out []Name) {
	for _, a := range log {
		out = add(out, Name{Name: a.Credential})
	}
	return out
}

// agents returns whom the log of decisions names.
func (p *play) agents(log []wire.AuditEvent) (out []Name) {
	for _, e := range log {
		category := cmp.Or(p.categories[e.AgentID], "unknown")
		out = add(out, Name{Name: fmt.Sprintf("%s agent", text.Capitalize(category)), Task: e.TaskID})
	}
	return out
}

func add(names []Name, n Name) []Name {
	i := slices.IndexFunc(names, func(x Name) bool { return x.Name == n.Name && x.Task == n.Task })
	if i < 0 {
		n.Entries = 1
		return append(names, n)
	}
	names[i].Entries++
	return names
}
