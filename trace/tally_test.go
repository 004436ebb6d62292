package trace_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/devonartis/medassist-go/trace"
)

func confirmed(c trace.Credential) trace.Step {
	return trace.PostReleaseValidation{Credential: c, Token: trace.TokenOfRelease}
}

func TestAllTokensAreRevokedOnlyIfTheBrokerConfirmedEach(t *testing.T) {
	spawned := trace.AgentCreated{Credential: clinical}
	delegation := trace.Delegation{Credential: delegated}
	tests := []struct {
		name      string
		steps     []trace.Step
		confirmed int
		all       bool
	}{
		{"one, released and confirmed", []trace.Step{spawned, trace.TokenReleased{Credential: clinical}, confirmed(clinical)}, 1, true},
		{"two, both confirmed", []trace.Step{spawned, delegation, confirmed(delegated), confirmed(clinical)}, 2, true},
		{"one revoked, so never released, but confirmed", []trace.Step{spawned, trace.ReleaseError{Credential: clinical, Stage: "renew"}, confirmed(clinical)}, 1, true},
		{"none issued", nil, 0, false},
		{"released but not confirmed", []trace.Step{spawned, trace.TokenReleased{Credential: clinical}}, 0, false},
		{"two, one confirmed", []trace.Step{spawned, delegation, confirmed(delegated)}, 1, false},
		{"still valid after its release", []trace.Step{spawned,
			trace.PostReleaseValidation{Credential: clinical, Token: trace.TokenOfRelease, Valid: true}}, 0, false},
		{"only the replaced token is confirmed", []trace.Step{spawned,
			trace.PostReleaseValidation{Credential: clinical, Token: trace.TokenOfRenewal}}, 0, false},
		{"confirmation for a token that was never issued", []trace.Step{spawned, confirmed(delegated)}, 0, false},
		{"the response to a registration was lost", []trace.Step{spawned, trace.AgentError{AnswerLost: true}, confirmed(clinical)}, 1, false},
		{"the response to a renewal was lost", []trace.Step{spawned,
			trace.ReleaseError{Credential: clinical, Stage: "renew", AnswerLost: true}, confirmed(clinical)}, 1, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var tally trace.Tally
			for _, s := range tt.steps {
				tally.Add(trace.Event{Time: noon, Step: s})
			}
			c := tally.Complete("P-1042", trace.OutcomeAnswered, 0)
			if c.AllRevoked != tt.all || c.ConfirmedRevoked != tt.confirmed {
				t.Errorf("all revoked = %v with %d of %d confirmed, want %v with %d", c.AllRevoked, c.ConfirmedRevoked, c.Tokens, tt.all, tt.confirmed)
			}
		})
	}
}

// A lost response is covered by a revocation of the whole task that follows it.
func TestLostResponse(t *testing.T) {
	lost := trace.AgentError{AnswerLost: true, ValidUntil: 1000}
	task := trace.TokenRevoked{Level: "task"}
	type counts struct {
		unaccounted, revokedUnseen int
		validUntil                 int64
	}
	tests := []struct {
		name  string
		steps []trace.Step
		want  counts
	}{
		{"no revocation", []trace.Step{lost}, counts{1, 0, 1000}},
		{"the task is revoked", []trace.Step{lost, lost, task}, counts{0, 2, 0}},
		{"the task was revoked before", []trace.Step{task, lost}, counts{1, 0, 1000}},
		{"another one follows", []trace.Step{lost, task, lost}, counts{1, 1, 1000}},
		{"one token is revoked", []trace.Step{lost, trace.TokenRevoked{Level: "token"}}, counts{1, 0, 1000}},
	}
	for _, tt := range tests {
		var tally trace.Tally
		for _, s := range tt.steps {
			tally.Add(trace.Event{Time: noon, Step: s})
		}
		c := tally.Complete("P-1042", trace.OutcomeFailed, 0)
		if got := (counts{c.Unaccounted, c.RevokedUnseen, c.ValidUntil}); got != tt.want || c.AllRevoked {
			t.Errorf("%s: %+v, all revoked = %v, want %+v", tt.name, got, c.AllRevoked, tt.want)
		}
	}
}

func TestTallyCounts(t *testing.T) {
	var tally trace.Tally
	for _, s := range []trace.Step{
		trace.Validation{}, trace.LLMStart{},
		trace.AgentCreated{Credential: clinical}, trace.ToolCall{}, trace.ToolCall{},
		trace.ScopeDenied{}, trace.TokenRejected{}, trace.DelegationDenied{},
		trace.ToolError{}, trace.AgentError{}, trace.Delegation{Credential: delegated},
		trace.TokenReleased{}, trace.TokenReleased{}, confirmed(delegated), confirmed(clinical),
	} {
		tally.Add(trace.Event{Time: noon, Step: s})
	}
	want := trace.Complete{PatientID: "P-1042", Agents: []string{"clinical"}, AgentsCount: 1, Allowed: 2, Denied: 3, Errors: 2,
		Delegations: 1, Tokens: 2, Released: 2, ConfirmedRevoked: 2, AllRevoked: true, Outcome: "answered", Milliseconds: 1500}
	if diff := cmp.Diff(want, tally.Complete("P-1042", trace.OutcomeAnswered, 1500*time.Millisecond)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
