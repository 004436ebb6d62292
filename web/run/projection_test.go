package run_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/web/run"
	"github.com/devonartis/medassist-go/web/ui"
)

var (
	clinical  = trace.Credential{Category: "clinical"}
	delegated = trace.Credential{Category: "prescription", Delegated: true}
)

// log numbers steps and gives them times a second apart.
func log(steps ...trace.Step) []trace.Event {
	events := make([]trace.Event, len(steps))
	for i, s := range steps {
		events[i] = trace.Event{RunID: "r-7f3a", Seq: int64(i + 1), Time: began.Add(time.Duration(i+1) * time.Second), Label: string(s.Type()), Step: s}
	}
	return events
}

// Every step conveys its meaning by sign and word, not by color alone.
func TestMeaningOfSteps(t *testing.T) {
	bad := trace.StatusError
	tests := []struct {
		step   trace.Step
		status trace.Status
		want   ui.Meaning
	}{
		{trace.ToolCall{}, "", ui.Allowed},
		{trace.ScopeDenied{}, "", ui.Denied},
		{trace.TokenRejected{}, "", ui.Denied},
		{trace.DelegationDenied{}, "", ui.Denied},
		{trace.Delegation{}, "", ui.Delegated},
		{trace.AgentCreated{}, "", ui.Alive},
		{trace.TokenRenewed{}, "", ui.Alive},
		{trace.TokenValidated{Valid: true}, "", ui.Alive},
		{trace.TokenValidated{}, bad, ui.Ended},
		{trace.TokenReleased{}, "", ui.Ended},
		{trace.PostReleaseValidation{}, "", ui.Ended},
		{trace.PostReleaseValidation{Valid: true}, bad, ui.Trouble}, // a released token that is still valid is a failure
		{trace.ReleaseError{}, bad, ui.Trouble},
		{trace.ToolError{}, bad, ui.Trouble},
		{trace.AgentError{}, bad, ui.Trouble},
		{trace.RunError{}, bad, ui.Trouble},
		{trace.Cancelled{}, trace.StatusWarning, ui.Trouble},
		{trace.PatientLookup{}, trace.StatusWarning, ui.Trouble},
		{trace.PatientLookup{Found: true}, trace.StatusSuccess, ui.Plain},
		{trace.LLMResponse{}, trace.StatusInfo, ui.Plain},
		{trace.Complete{}, trace.StatusSuccess, ui.Plain},
	}
	for _, tt := range tests {
		r := project(trace.Event{Seq: 1, Time: began, Status: tt.status, Label: "Said", Step: tt.step})
		if got := r.Steps[0].Meaning; got != tt.want {
			t.Errorf("%T %+v means %s, want %s", tt.step, tt.step, got, tt.want)
		}
		line := render(t, run.StepLine(r.Steps[0]))
		if got := line.texts("span", "sign"); len(got) != 1 || got[0] != tt.want.Sign() || got[0] == "" {
			t.Errorf("%T has the sign %q", tt.step, got)
		}
		said := line.texts("span", "what")[0]
		if want := tt.want.Word(); want != "" && !strings.HasPrefix(said, want+": ") || tt.want == ui.Plain && said != "Said" {
			t.Errorf("%T has the text %q", tt.step, said)
		}
	}
}

// The segments that differ are marked, and no others.
func TestDenialShowsWhatIsMissing(t *testing.T) {
	held := []string{"read:records:P-1042", "write:records:P-1042", "read:labs:P-1042"}
	tests := []struct {
		name           string
		required, held []string
		missing        []string
		marked         []string // scopes, their segments that differ in brackets
	}{
		{"another patient", []string{"read:records:P-2187"}, held, []string{"read:records:P-2187"}, []string{"read:records:[P-2187]"}},
		{"another action", []string{"write:labs:P-1042"}, held, []string{"write:labs:P-1042"}, []string{"[write]:labs:P-1042"}},
		{"another action on another patient", []string{"write:labs:P-9"}, held, []string{"write:labs:P-9"}, []string{"[write]:labs:[P-9]"}},
		{"everybody", []string{"read:records:*"}, held, []string{"read:records:*"}, []string{"read:records:[*]"}},
		{"nothing like it", []string{"read:billing:P-1042"}, held, []string{"read:billing:P-1042"}, []string{"[read]:[billing]:[P-1042]"}},
		{"nothing held", []string{"read:labs:P-1042"}, nil, []string{"read:labs:P-1042"}, []string{"[read]:[labs]:[P-1042]"}},
		{"one of two", []string{"read:formulary:*", "read:prescriptions:P-2187"}, []string{"read:formulary:*", "read:prescriptions:P-1042"},
			[]string{"read:prescriptions:P-2187"}, []string{"read:formulary:*", "read:prescriptions:[P-2187]"}},
		{"a wildcard held of another action", []string{"write:formulary:drug"}, []string{"read:formulary:*"}, []string{"write:formulary:drug"}, []string{"[write]:formulary:drug"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := project(log(trace.ScopeDenied{Credential: clinical, RequiredScope: tt.required, HeldScope: tt.held, MissingScope: tt.missing, RefusedBy: trace.RefusedByGate})...)
			var got []string
			for _, c := range r.Steps[0].Denial.Required {
				var parts []string
				for _, s := range c.Segments {
					if s.Differs {
						s.Text = "[" + s.Text + "]"
					}
					parts = append(parts, s.Text)
				}
				got = append(got, strings.Join(parts, ":"))
			}
			if diff := cmp.Diff(tt.marked, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			d := render(t, run.StepLine(r.Steps[0]))
			if got := len(d.all("span", "chip-missing")); got != len(tt.missing) {
				t.Errorf("%d chips are marked as missing", got)
			}
			// It is not within an element that has to be opened.
			for n := d.all("dl", "denial")[0]; n != nil; n = n.Parent {
				if n.Data == "details" {
					t.Error("the denial is collapsed")
				}
			}
		})
	}
}

func TestDeniedBy(t *testing.T) {
	for _, tt := range []struct {
		step trace.Step
		want string
	}{
		{trace.ScopeDenied{RefusedBy: trace.RefusedByGate}, "denied by the gate (scopes verified with the broker)"},
		{trace.ScopeDenied{RefusedBy: trace.RefusedByRecords}, "denied by the records API"},
		{trace.TokenRejected{RefusedBy: trace.RefusedByGate, Reason: "The token was revoked."}, "reason The token was revoked. denied by the gate (scopes verified with the broker)"},
		{trace.DelegationDenied{RefusedBy: trace.RefusedByBroker, Reason: "Not held."}, "reason Not held. denied by the broker"},
	} {
		d := render(t, run.StepLine(project(log(tt.step)...).Steps[0]))
		if got := d.texts("dl", "denial")[0]; !strings.HasSuffix(got, tt.want+" Why?") {
			t.Errorf("%+v: %q, want …%q", tt.step, got, tt.want)
		}
	}
}

// Lines are numbered without the pieces of the answer.
func TestLinesAreNumberedWithoutGaps(t *testing.T) {
	r := project(log(trace.LLMStart{}, trace.LLMDelta{Text: "a"}, trace.LLMDelta{Text: "b"}, trace.LLMResponse{Content: "ab"}, trace.Complete{})...)
	var numbers, steps []string
	for _, s := range r.Steps {
		d := render(t, run.StepLine(s))
		numbers = append(numbers, d.texts("span", "no")...)
		steps = append(steps, attr(d.all("li")[0], "id"))
	}
	if diff := cmp.Diff([]string{"01", "02", "03"}, numbers); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"step-1", "step-4", "step-5"}, steps); diff != "" {
		t.Error(diff)
	}
}

func TestAnswerWhileStreaming(t *testing.T) {
	var steps []trace.Step
	then := func(step trace.Step, thinking bool, answer string) {
		t.Helper()
		steps = append(steps, step)
		r := project(log(steps...)...)
		if r.Thinking != thinking || r.Answer() != answer {
			t.Errorf("after %T: thinking %v, answer %q", step, r.Thinking, r.Answer())
		}
	}
	then(trace.LLMStart{Turn: 1}, true, "")
	then(trace.LLMDelta{Text: "Let me "}, false, "Let me ")
	then(trace.LLMDelta{Text: "look."}, false, "Let me look.")
	then(trace.LLMResponse{Content: "Let me look.", ToolCalls: []trace.LLMCall{{Tool: "x"}}}, false, "Let me look.")
	then(trace.ToolCall{}, false, "Let me look.")
	then(trace.LLMStart{Turn: 2}, true, "Let me look.") // until the next text
	then(trace.LLMDelta{Text: "**Ada**"}, false, "**Ada**")
	then(trace.RunError{Stage: "model", Message: "The stream was cut."}, false, "**Ada**")
	then(trace.Complete{Outcome: trace.OutcomeFailed}, false, "**Ada**")
}

func TestAnswerBeforeThereIsOne(t *testing.T) {
	for _, tt := range []struct {
		name  string
		steps []trace.Step
		want  string
	}{
		{"before it", []trace.Step{trace.Validation{}}, "The answer streams here."},
		{"while the model is thinking", []trace.Step{trace.LLMStart{}}, "Waiting for the model (OFFLINE PLANNER)"},
		{"a failure", []trace.Step{trace.RunError{Message: "The broker is out of reach.", Hint: "Start it."}, trace.Complete{Outcome: "failed"}}, "The broker is out of reach. Start it."},
		{"an empty answer", []trace.Step{trace.LLMResponse{}, trace.Complete{Outcome: "answered"}}, "The model did not answer."},
	} {
		d := render(t, run.Answer(project(log(tt.steps...)...)))
		if got := words(d.root); got != tt.want {
			t.Errorf("%s: %q", tt.name, got)
		}
	}
}

// A card follows its token from issue to confirmed revocation.
func TestCard(t *testing.T) {
	var steps []trace.Step
	then := func(step trace.Step, want string) {
		t.Helper()
		steps = append(steps, step)
		got := render(t, run.Cards(project(log(steps...)...))).texts("a")
		if diff := cmp.Diff(want, strings.Join(got, " | ")); diff != "" {
			t.Errorf("after %T (-want +got):\n%s", step, diff)
		}
	}
	then(trace.Validation{}, "")
	then(trace.AgentCreated{Credential: clinical, SPIFFEID: "spiffe://x/clinical", Scope: []string{"read:labs:P-1042"}, ExpiresIn: 300}, "clinical ● 5:00")
	then(trace.TokenValidated{Credential: clinical, Valid: true, Scope: []string{"read:labs:P-1042"}}, "clinical ● 4:59")
	then(trace.Delegation{Credential: delegated, DelegatedScope: []string{"write:prescriptions:P-1042"}, ExpiresIn: 60},
		"clinical ● 4:58 | prescription ⇢ delegated ● 1:00")
	then(trace.TokenRenewed{Credential: clinical, NewExpiresIn: 300}, "clinical ● 5:00 | prescription ⇢ delegated ● 0:59")
	then(trace.TokenReleased{Credential: delegated}, "clinical ● 4:59 | prescription ⇢ delegated ■ released")
	then(trace.PostReleaseValidation{Credential: delegated, Token: trace.TokenOfRelease}, "clinical ● 4:58 | prescription ⇢ delegated ■ confirmed revoked")
	then(trace.TokenRejected{Credential: clinical}, "clinical ■ revoked | prescription ⇢ delegated ■ confirmed revoked")
}

// An exported card compares delegator and delegate, and a token before and after its
// renewal.
func TestCardComparisons(t *testing.T) {
	r := project(log(
		trace.AgentCreated{Credential: clinical, SPIFFEID: "spiffe://x/clinical", TokenPreview: "aaa…bbb", Scope: []string{"read:labs:P-1042", "write:prescriptions:P-1042"}, ExpiresIn: 300},
		trace.TokenValidated{Credential: clinical, Valid: true, Scope: []string{"read:labs:P-1042", "write:prescriptions:P-1042"}, IssuedAt: 1, ExpiresAt: 301, TokenID: "0f0f"},
		trace.Delegation{Credential: delegated, DelegatorID: "spiffe://x/clinical", DelegateID: "spiffe://x/prescription",
			DelegatorScope: []string{"read:labs:P-1042", "write:prescriptions:P-1042"}, DelegatedScope: []string{"write:prescriptions:P-1042"}, TokenPreview: "ccc…ddd", ExpiresIn: 60},
		trace.TokenRenewed{Credential: clinical, OldPreview: "aaa…bbb", NewPreview: "eee…fff", NewExpiresIn: 300},
	)...)
	d := render(t, run.CardDetails(r))
	tables := d.all("table", "comparison")
	if len(tables) != 2 {
		t.Fatalf("%d comparisons", len(tables))
	}
	for i, want := range [][]string{
		{"Renewal", "before", "after", "aaa…bbb", "eee…fff", "00:05:01 UTC", "unchanged"},
		{"Delegation", "spiffe://x/clinical", "spiffe://x/prescription", "aaa…bbb", "ccc…ddd", "read labs P-1042 not delegated"},
	} {
		for _, part := range want {
			if got := words(tables[i]); !strings.Contains(got, part) {
				t.Errorf("comparison %d does not say %q: %s", i, part, got)
			}
		}
	}
	if dropped := d.all("span", "chip-dropped"); len(dropped) != 1 {
		t.Errorf("%d scopes are marked as not delegated", len(dropped))
	}
	if got := words(d.root); !strings.Contains(got, "0f0f token ID") {
		t.Errorf("the claims are not explained: %s", got)
	}
}

// A released token that the broker still accepts must not look revoked.
func TestReleasedTokenStillValid(t *testing.T) {
	r := project(log(trace.AgentCreated{Credential: clinical, ExpiresIn: 300}, trace.TokenReleased{Credential: clinical},
		trace.PostReleaseValidation{Credential: clinical, Token: trace.TokenOfRelease, Valid: true})...)
	if c := r.Cards[0]; c.Meaning() != ui.Trouble || c.State() != "still valid" || !c.Alive() {
		t.Errorf("meaning %s, state %s, alive %v", c.Meaning(), c.State(), c.Alive())
	}
}

func TestStatus(t *testing.T) {
	full := trace.Complete{Outcome: trace.OutcomeAnswered, AgentsCount: 3, Allowed: 4, Delegations: 1, Tokens: 4, Released: 4, ConfirmedRevoked: 4, AllRevoked: true}
	unproven := full
	unproven.ConfirmedRevoked, unproven.AllRevoked, unproven.Unaccounted = 3, false, 1
	tests := []struct {
		name    string
		steps   []trace.Step
		waiting string
		want    string
	}{
		{"nothing yet", nil, "", "live Starting"},
		{"going on", []trace.Step{trace.Validation{}}, "", "live validation"},
		{"the model is slow", []trace.Step{trace.LLMStart{}}, "", "live Waiting for the model (OFFLINE PLANNER)"},
		{"the model writes", []trace.Step{trace.LLMStart{}, trace.LLMDelta{Text: "a"}}, "", "live The model is writing"},
		{"waiting", []trace.Step{trace.Validation{}}, "register the clinical agent", "waiting Waiting to register the clinical agent"},
		{"done", []trace.Step{full}, "", "answered 3 agents ✓ 4 allowed ✕ 0 denied ⇢ 1 delegated ■ all 4 tokens confirmed revoked"},
		{"not proven", []trace.Step{unproven}, "", "answered 3 agents ✓ 4 allowed ✕ 0 denied ⇢ 1 delegated ! 3 of 4 tokens confirmed revoked ! 1 response lost that may hold a token"},
		{"none received", []trace.Step{trace.Complete{Outcome: "failed", Unaccounted: 1}}, "",
			"failed 0 agents ✓ 0 allowed ✕ 0 denied ⇢ 0 delegated ! 1 response lost that may hold a token"},
		{"none received, task revoked", []trace.Step{trace.Complete{Outcome: "failed", RevokedUnseen: 1}}, "",
			"failed 0 agents ✓ 0 allowed ✕ 0 denied ⇢ 0 delegated no token received, task revoked"},
		{"one token", []trace.Step{trace.Complete{Outcome: "cancelled", AgentsCount: 1, Tokens: 1, ConfirmedRevoked: 1, AllRevoked: true}}, "",
			"cancelled 1 agent ✓ 0 allowed ✕ 0 denied ⇢ 0 delegated ■ 1 token confirmed revoked"},
		{"no token", []trace.Step{trace.RunError{Message: "The broker does not answer.", Hint: "Start it."}, trace.Complete{Outcome: "failed", Errors: 1}}, "",
			"failed The broker does not answer. Start it. 0 agents ✓ 0 allowed ✕ 0 denied ⇢ 0 delegated ! 1 failed no token issued"},
	}
	for _, tt := range tests {
		r := project(log(tt.steps...)...)
		r.Waiting = tt.waiting
		d := render(t, run.Status(r))
		got := words(d.all("div", "status")[0])
		if cut := strings.Index(got, " InstantTalkStep"); cut > 0 {
			got = got[:cut]
		}
		got = strings.TrimSuffix(got, " Replay · Save as HTML · Save as JSON")
		if got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
		if all := strings.Contains(got, "all 4 tokens confirmed"); all && !r.Complete.AllRevoked {
			t.Errorf("%s: claims more than the broker confirmed", tt.name)
		}
	}
}

// A step's detail is shown as text, never as markup.
func TestStepDetail(t *testing.T) {
	r := project(log(trace.ToolCall{Credential: clinical, Tool: "get_lab_results", Output: json.RawMessage(`{"note":"<script>alert(1)</script>"}`)})...)
	d := render(t, run.StepLine(r.Steps[0]))
	if len(d.all("script")) > 0 {
		t.Fatal("markup from a record")
	}
	if got := d.texts("pre")[0]; !strings.Contains(got, `"note": "<script>alert(1)</script>"`) {
		t.Errorf("JSON: %s", got)
	}
}
