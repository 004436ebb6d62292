package scenario

import (
	"strings"
	"testing"

	"github.com/devonartis/medassist-go/trace"
)

func trail(steps ...trace.Step) []trace.Event {
	var out []trace.Event
	for _, s := range steps {
		out = append(out, trace.Event{Step: s})
	}
	return out
}

// A run that shows what is expected passes; every deviation is named.
func TestJudge(t *testing.T) {
	expect := Expect{Spawned: []string{clinical}, Allowed: []string{"get_lab_results"}, Never: []string{"write_prescription"},
		Denied: []Denial{{"get_patient_records", trace.RefusedByGate}}, Delegated: 0}
	spawn := trace.AgentCreated{Credential: trace.Credential{Category: clinical}}
	call := trace.ToolCall{Tool: "get_lab_results"}
	denied := trace.ScopeDenied{Tool: "get_patient_records", RefusedBy: trace.RefusedByGate}
	end := trace.Complete{Outcome: trace.OutcomeAnswered, Tokens: 1, ConfirmedRevoked: 1, AllRevoked: true}
	if v := expect.Judge(trail(spawn, call, denied, end)); !v.AsExpected() {
		t.Errorf("as expected, and judged %v", v.Surprises)
	}
	for name, tc := range map[string]struct {
		trail []trace.Event
		want  string
	}{
		"no agent":            {trail(call, denied, end), "created nothing"},
		"one agent more":      {trail(spawn, trace.AgentCreated{Credential: trace.Credential{Category: billing}}, call, denied, end), "created billing, clinical"},
		"no answer":           {trail(spawn, denied, end), "get_lab_results did not respond"},
		"a forbidden call":    {trail(spawn, call, denied, trace.ToolCall{Tool: "write_prescription"}, end), "write_prescription was allowed"},
		"no refusal":          {trail(spawn, call, end), "was not denied"},
		"refused by another":  {trail(spawn, call, trace.ScopeDenied{Tool: "get_patient_records", RefusedBy: trace.RefusedByRecords}, end), "was not denied"},
		"a delegation":        {trail(spawn, call, denied, trace.Delegation{}, end), "1 delegations"},
		"a token not revoked": {trail(spawn, call, denied, trace.Complete{Outcome: trace.OutcomeAnswered, Tokens: 1}), "0 of 1 tokens confirmed revoked"},
		"an expired token":    {trail(spawn, call, denied, trace.Complete{Outcome: trace.OutcomeAnswered, Tokens: 1, Expired: 1}), "0 of 1 tokens confirmed revoked, 1 expired"},
		"a lost response":     {trail(spawn, call, denied, trace.Complete{Outcome: trace.OutcomeAnswered, Tokens: 1, ConfirmedRevoked: 1, Unaccounted: 1}), "1 of 1 tokens confirmed revoked"},
		"a revocation":        {trail(spawn, call, denied, trace.TokenRevoked{}, end), "1 revocations"},
		"a theft":             {trail(spawn, call, denied, trace.StolenTokenUsed{PatientID: "P-1", Authorized: true}, end), "P-1 allowed"},
		"a theft, lost":       {trail(spawn, call, denied, trace.StolenTokenUsed{PatientID: "P-1"}, end), "P-1 denied by nobody"},
		"failed":              {trail(spawn, call, denied, trace.Complete{Outcome: trace.OutcomeFailed, Tokens: 1, ConfirmedRevoked: 1, AllRevoked: true}), "the run failed"},
		"no end":              {trail(spawn, call, denied), "did not end"},
	} {
		if v := expect.Judge(tc.trail); v.AsExpected() || !strings.Contains(strings.Join(v.Surprises, "\n"), tc.want) {
			t.Errorf("%s: %q, want %q", name, v.Surprises, tc.want)
		}
	}
	// Where no refusal is expected, one is a surprise.
	if v := (Expect{Spawned: []string{clinical}}).Judge(trail(spawn, denied, end)); v.AsExpected() {
		t.Error("an unexpected refusal is no surprise")
	}
}
