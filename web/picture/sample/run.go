package sample

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/devonartis/medassist-go/trace"
)

// run writes a history, event by event, on a clock of its own.
type run struct {
	patient string
	ttl     int // seconds
	now     time.Time
	spans   []trace.Span // of the event to come
	events  []trace.Event
	live    []trace.Credential
	killed  []trace.Credential
	done    trace.Complete
}

func begin(patient string) *run {
	r := &run{patient: patient, ttl: 300, now: time.Date(2026, 11, 12, 14, 3, 20, 0, time.UTC)}
	r.add(trace.StatusSuccess, trace.Validation{PatientID: patient, Request: "Show the records.", Pace: "instant"})
	r.span(trace.LaneRecords, 2*time.Millisecond, "find patient")
	r.add(trace.StatusSuccess, trace.PatientLookup{PatientID: patient, Found: true, Name: "Maria Alvarez"})
	r.span(trace.LaneBroker, 3*time.Millisecond, "health")
	r.add(trace.StatusSuccess, trace.BrokerHealth{URL: "http://127.0.0.1:8080", Embedded: true, Status: "ok", DBConnected: true})
	return r
}

func (r *run) wait(d time.Duration) { r.now = r.now.Add(d) }

func (r *run) span(lane trace.Lane, took time.Duration, name string) {
	r.spans = append(r.spans, trace.Span{Lane: lane, Start: r.now, Took: took, Name: name})
	r.now = r.now.Add(took)
}

func (r *run) add(status trace.Status, step trace.Step) {
	r.now = r.now.Add(200 * time.Microsecond)
	r.events = append(r.events, trace.Event{
		RunID: "r-7f3a", Seq: int64(len(r.events) + 1), Time: r.now,
		Status: status, Label: string(step.Type()), Spans: r.spans, Step: step,
	})
	r.spans = nil
}

func (r *run) turn(took time.Duration, prompt, completion int, tools ...string) {
	r.add(trace.StatusInfo, trace.LLMStart{Model: "OFFLINE PLANNER", Mode: "offline", Turn: 1})
	r.span(trace.LaneModel, took, "complete")
	calls := make([]trace.LLMCall, len(tools))
	for i, tool := range tools {
		calls[i] = trace.LLMCall{CallID: fmt.Sprint("call_", i), Tool: tool}
	}
	r.add(trace.StatusInfo, trace.LLMResponse{ToolCalls: calls, FinishReason: "tool_calls",
		PromptTokens: prompt, CompletionTokens: completion})
}

func (r *run) answer(took time.Duration, prompt, completion int) {
	r.span(trace.LaneModel, took, "complete")
	r.add(trace.StatusSuccess, trace.LLMResponse{Content: "Done.", FinishReason: "stop", Final: true,
		PromptTokens: prompt, CompletionTokens: completion})
}

func spiffe(category string) string {
	return "spiffe://agentwrit.local/agent/medassist/r-7f3a/" + map[string]string{
		clinical: "9f3c2a7b11d04e58", prescription: "b21f6e90c3aa4d17", billing: "04d7c85a2e6f9b31",
	}[category]
}

func (r *run) spawn(category, trigger string) {
	r.span(trace.LaneBroker, 9*time.Millisecond, "register")
	cred := trace.Credential{Category: category}
	r.add(trace.StatusSuccess, trace.AgentCreated{Credential: cred, AgentID: spiffe(category), SPIFFEID: spiffe(category),
		Scope: scopes(category, r.patient), TaskID: "r-7f3a", OrchID: "medassist", ExpiresIn: r.ttl, Trigger: trigger})
	r.span(trace.LaneBroker, 2*time.Millisecond, "validate")
	r.add(trace.StatusSuccess, trace.TokenValidated{Credential: cred, Valid: true, Scope: scopes(category, r.patient), Context: "spawned"})
	r.live = append(r.live, cred)
	r.done.Agents, r.done.Tokens = append(r.done.Agents, category), r.done.Tokens+1
}

func (r *run) allow(category, tool, patient string, required ...string) {
	r.pass(trace.Credential{Category: category}, tool, patient, required)
}

func (r *run) allowLent(tool, patient string, required ...string) {
	r.pass(trace.Credential{Category: prescription, Delegated: true}, tool, patient, required)
}

func (r *run) pass(cred trace.Credential, tool, patient string, required []string) {
	r.span(trace.LaneBroker, 2*time.Millisecond, "validate")
	r.span(trace.LaneGate, 300*time.Microsecond, "compare")
	r.span(trace.LaneRecords, 6*time.Millisecond, tool)
	r.add(trace.StatusSuccess, trace.ToolCall{Credential: cred, Tool: tool, PatientID: patient, Authorized: true,
		RequiredScope: required, AgentID: spiffe(cred.Category), Output: json.RawMessage(`{}`)})
	r.done.Allowed++
}

func (r *run) deny(category, tool, patient string, by trace.RefusedBy, required ...string) {
	r.span(trace.LaneBroker, 2*time.Millisecond, "validate")
	r.span(trace.LaneGate, 300*time.Microsecond, "compare")
	if by == trace.RefusedByRecords {
		r.span(trace.LaneRecords, 3*time.Millisecond, tool)
	}
	r.add(trace.StatusDenied, trace.ScopeDenied{Credential: trace.Credential{Category: category}, Tool: tool,
		PatientID: patient, RequiredScope: required, HeldScope: scopes(category, r.patient), MissingScope: required,
		RefusedBy: by, AgentID: spiffe(category), Reason: required[0] + " is not held."})
	r.done.Denied++
}

func (r *run) reject(category string, delegated bool, tool string, by trace.RefusedBy, required string) {
	r.killed = append(r.killed, trace.Credential{Category: category, Delegated: delegated})
	r.span(trace.LaneBroker, 2*time.Millisecond, "validate")
	r.add(trace.StatusDenied, trace.TokenRejected{Credential: trace.Credential{Category: category, Delegated: delegated},
		Tool: tool, PatientID: r.patient, RequiredScope: []string{required}, RefusedBy: by, AgentID: spiffe(category),
		Reason: "The broker says: token is invalid or expired."})
	r.done.Denied++
}

func (r *run) lend(scope string) {
	r.span(trace.LaneBroker, 5*time.Millisecond, "delegate")
	cred := trace.Credential{Category: prescription, Delegated: true}
	r.add(trace.StatusSuccess, trace.Delegation{Credential: cred, DelegatorID: spiffe(clinical),
		DelegatorScope: scopes(clinical, r.patient), DelegateID: spiffe(prescription),
		DelegatedScope: []string{scope}, ExpiresIn: 60})
	r.live = append(r.live, cred)
	r.done.Delegations, r.done.Tokens = r.done.Delegations+1, r.done.Tokens+1
}

func (r *run) refuseLoan(scope ...string) {
	r.span(trace.LaneBroker, 4*time.Millisecond, "delegate")
	r.add(trace.StatusDenied, trace.DelegationDenied{Tool: "write_prescription", PatientID: r.patient, DelegatorID: spiffe(clinical), DelegatorScope: scopes(clinical, r.patient),
		DelegateID: spiffe(prescription), RequestedScope: scope, MissingScope: scope, RefusedBy: trace.RefusedByBroker,
		Reason: "The delegator does not hold it.", ErrorCode: "scope_violation"})
	r.done.Denied++
}

// end gives every token back, delegated ones first, and closes the run.
func (r *run) end(answered bool) {
	slices.SortStableFunc(r.live, func(a, b trace.Credential) int {
		if a.Delegated == b.Delegated {
			return 0
		}
		if a.Delegated {
			return -1
		}
		return 1
	})
	for _, cred := range r.live {
		r.span(trace.LaneBroker, 3*time.Millisecond, "renew")
		if slices.Contains(r.killed, cred) {
			r.add(trace.StatusWarning, trace.ReleaseError{Credential: cred, AgentID: spiffe(cred.Category), Stage: "renew", Error: "token verification failed"})
			r.span(trace.LaneBroker, 2*time.Millisecond, "validate")
			r.add(trace.StatusSuccess, trace.PostReleaseValidation{Credential: cred, AgentID: spiffe(cred.Category), Token: trace.TokenOfRelease})
			continue
		}
		r.add(trace.StatusSuccess, trace.TokenRenewed{Credential: cred, AgentID: spiffe(cred.Category), NewExpiresIn: r.ttl})
		r.span(trace.LaneBroker, 2*time.Millisecond, "validate")
		r.add(trace.StatusSuccess, trace.PostReleaseValidation{Credential: cred, AgentID: spiffe(cred.Category), Token: trace.TokenOfRenewal})
		r.span(trace.LaneBroker, 3*time.Millisecond, "release")
		r.add(trace.StatusSuccess, trace.TokenReleased{Credential: cred, AgentID: spiffe(cred.Category)})
		r.span(trace.LaneBroker, 2*time.Millisecond, "validate")
		r.add(trace.StatusSuccess, trace.PostReleaseValidation{Credential: cred, AgentID: spiffe(cred.Category), Token: trace.TokenOfRelease})
	}
	r.done.PatientID, r.done.AgentsCount = r.patient, len(r.done.Agents)
	r.done.Released, r.done.ConfirmedRevoked, r.done.AllRevoked = r.done.Tokens, r.done.Tokens, r.done.Tokens > 0
	r.done.Outcome = trace.OutcomeFailed
	if answered {
		r.done.Outcome = trace.OutcomeAnswered
	}
	r.add(trace.StatusSuccess, r.done)
}
