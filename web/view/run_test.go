package view_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/web/view"
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

// Every step has a meaning that is said by sign and word, and not by colour
// alone.
func TestWhatStepsMean(t *testing.T) {
	bad := trace.StatusError
	tests := []struct {
		step   trace.Step
		status trace.Status
		want   view.Meaning
	}{
		{trace.ToolCall{}, "", view.Allowed},
		{trace.ScopeDenied{}, "", view.Denied},
		{trace.TokenRejected{}, "", view.Denied},
		{trace.DelegationDenied{}, "", view.Denied},
		{trace.Delegation{}, "", view.Delegated},
		{trace.AgentCreated{}, "", view.Alive},
		{trace.TokenRenewed{}, "", view.Alive},
		{trace.TokenValidated{Valid: true}, "", view.Alive},
		{trace.TokenValidated{}, bad, view.Ended},
		{trace.TokenReleased{}, "", view.Ended},
		{trace.PostReleaseValidation{}, "", view.Ended},
		{trace.PostReleaseValidation{Valid: true}, bad, view.Trouble}, // a released token that lives is no good end
		{trace.ReleaseError{}, bad, view.Trouble},
		{trace.ToolError{}, bad, view.Trouble},
		{trace.AgentError{}, bad, view.Trouble},
		{trace.RunError{}, bad, view.Trouble},
		{trace.Cancelled{}, trace.StatusWarning, view.Trouble},
		{trace.PatientLookup{}, trace.StatusWarning, view.Trouble},
		{trace.PatientLookup{Found: true}, trace.StatusSuccess, view.Plain},
		{trace.LLMResponse{}, trace.StatusInfo, view.Plain},
		{trace.Complete{}, trace.StatusSuccess, view.Plain},
	}
	for _, tt := range tests {
		run := project(trace.Event{Seq: 1, Time: began, Status: tt.status, Label: "Said", Step: tt.step})
		if got := run.Steps[0].Meaning; got != tt.want {
			t.Errorf("%T %+v means %s, want %s", tt.step, tt.step, got, tt.want)
		}
		line := render(t, view.StepLine(run.Steps[0]))
		if got := line.texts("span", "sign"); len(got) != 1 || got[0] != tt.want.Sign() || got[0] == "" {
			t.Errorf("%T has the sign %q", tt.step, got)
		}
		said := line.texts("span", "what")[0]
		if want := tt.want.Word(); want != "" && !strings.HasPrefix(said, want+": ") || tt.want == view.Plain && said != "Said" {
			t.Errorf("%T is said as %q", tt.step, said)
		}
	}
}

// The segment that made the difference is marked, and no other.
func TestADenialShowsWhatIsMissing(t *testing.T) {
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
			run := project(log(trace.ScopeDenied{Credential: clinical, RequiredScope: tt.required, HeldScope: tt.held, MissingScope: tt.missing, RefusedBy: trace.RefusedByGate})...)
			var got []string
			for _, c := range run.Steps[0].Denial.Required {
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
			d := render(t, view.StepLine(run.Steps[0]))
			if got := len(d.all("span", "chip-missing")); got != len(tt.missing) {
				t.Errorf("%d chips are marked as missing", got)
			}
			// It stands open, not within what has to be opened.
			for n := d.all("dl", "denial")[0]; n != nil; n = n.Parent {
				if n.Data == "details" {
					t.Error("the denial is folded away")
				}
			}
		})
	}
}

func TestWhoRefused(t *testing.T) {
	for _, tt := range []struct {
		step trace.Step
		want string
	}{
		{trace.ScopeDenied{RefusedBy: trace.RefusedByGate}, "refused by the gate, on the broker's word"},
		{trace.ScopeDenied{RefusedBy: trace.RefusedByRecords}, "refused by the records API"},
		{trace.TokenRejected{RefusedBy: trace.RefusedByGate, Reason: "The token was revoked."}, "because The token was revoked. refused by the gate, on the broker's word"},
		{trace.DelegationDenied{RefusedBy: trace.RefusedByBroker, Reason: "Not held."}, "because Not held. refused by the broker"},
	} {
		d := render(t, view.StepLine(project(log(tt.step)...).Steps[0]))
		if got := d.texts("dl", "denial")[0]; !strings.HasSuffix(got, tt.want) {
			t.Errorf("%+v: %q, want …%q", tt.step, got, tt.want)
		}
	}
}

// A line has a number of its own: pieces of the answer have none.
func TestLinesAreNumberedWithoutGaps(t *testing.T) {
	run := project(log(trace.LLMStart{}, trace.LLMDelta{Text: "a"}, trace.LLMDelta{Text: "b"}, trace.LLMResponse{Content: "ab"}, trace.Complete{})...)
	var numbers, steps []string
	for _, s := range run.Steps {
		d := render(t, view.StepLine(s))
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

func TestTheAnswerAsItStreams(t *testing.T) {
	var steps []trace.Step
	then := func(step trace.Step, thinking bool, answer string) {
		t.Helper()
		steps = append(steps, step)
		run := project(log(steps...)...)
		if run.Thinking != thinking || run.Answer() != answer {
			t.Errorf("after %T: thinking %v, answer %q", step, run.Thinking, run.Answer())
		}
	}
	then(trace.LLMStart{Turn: 1}, true, "")
	then(trace.LLMDelta{Text: "Let me "}, false, "Let me ")
	then(trace.LLMDelta{Text: "look."}, false, "Let me look.")
	then(trace.LLMResponse{Content: "Let me look.", ToolCalls: []trace.LLMCall{{Tool: "x"}}}, false, "Let me look.")
	then(trace.ToolCall{}, false, "Let me look.")
	then(trace.LLMStart{Turn: 2}, true, "Let me look.") // until the next words come
	then(trace.LLMDelta{Text: "**Ada**"}, false, "**Ada**")
	then(trace.RunError{Stage: "model", Message: "The stream was cut."}, false, "**Ada**")
	then(trace.Complete{Outcome: trace.OutcomeFailed}, false, "**Ada**")
}

func TestWhatStandsWhereTheAnswerWouldBe(t *testing.T) {
	for _, tt := range []struct {
		name  string
		steps []trace.Step
		want  string
	}{
		{"before it", []trace.Step{trace.Validation{}}, "What the model answers appears here, as it writes."},
		{"while the model thinks", []trace.Step{trace.LLMStart{}}, "Waiting for the model, OFFLINE PLANNER"},
		{"a failure", []trace.Step{trace.RunError{Message: "The broker is out of reach.", Hint: "Start it."}, trace.Complete{Outcome: "failed"}}, "The broker is out of reach. Start it."},
		{"nothing was said", []trace.Step{trace.LLMResponse{}, trace.Complete{Outcome: "answered"}}, "The model gave no answer."},
	} {
		d := render(t, view.Answer(project(log(tt.steps...)...)))
		if got := words(d.root); got != tt.want {
			t.Errorf("%s: %q", tt.name, got)
		}
	}
}

// A token's card follows it from birth to proven death.
func TestACardsLife(t *testing.T) {
	var steps []trace.Step
	then := func(step trace.Step, want string) {
		t.Helper()
		steps = append(steps, step)
		got := render(t, view.Cards(project(log(steps...)...))).texts("summary")
		if diff := cmp.Diff(want, strings.Join(got, " | ")); diff != "" {
			t.Errorf("after %T (-want +got):\n%s", step, diff)
		}
	}
	then(trace.Validation{}, "")
	then(trace.AgentCreated{Credential: clinical, SPIFFEID: "spiffe://x/clinical", Scope: []string{"read:labs:P-1042"}, ExpiresIn: 300}, "clinical ● 5:00 read:labs:P-1042")
	then(trace.TokenValidated{Credential: clinical, Valid: true, Scope: []string{"read:labs:P-1042"}}, "clinical ● 4:59 read:labs:P-1042")
	then(trace.Delegation{Credential: delegated, DelegatedScope: []string{"write:prescriptions:P-1042"}, ExpiresIn: 60},
		"clinical ● 4:58 read:labs:P-1042 | prescription ⇢ delegated ● 1:00 write:prescriptions:P-1042")
	then(trace.TokenRenewed{Credential: clinical, NewExpiresIn: 300}, "clinical ● 5:00 read:labs:P-1042 | prescription ⇢ delegated ● 0:59 write:prescriptions:P-1042")
	then(trace.TokenReleased{Credential: delegated}, "clinical ● 4:59 read:labs:P-1042 | prescription ⇢ delegated ✝ released write:prescriptions:P-1042")
	then(trace.PostReleaseValidation{Credential: delegated, Token: trace.TokenOfRelease}, "clinical ● 4:58 read:labs:P-1042 | prescription ⇢ delegated ✝ proven dead write:prescriptions:P-1042")
	then(trace.TokenRejected{Credential: clinical}, "clinical ✝ revoked read:labs:P-1042 | prescription ⇢ delegated ✝ proven dead write:prescriptions:P-1042")
}

// An opened card shows what was handed on and what was not, and a token before
// and after its renewal.
func TestACardCompares(t *testing.T) {
	run := project(log(
		trace.AgentCreated{Credential: clinical, SPIFFEID: "spiffe://x/clinical", TokenPreview: "aaa…bbb", Scope: []string{"read:labs:P-1042", "write:prescriptions:P-1042"}, ExpiresIn: 300},
		trace.TokenValidated{Credential: clinical, Valid: true, Scope: []string{"read:labs:P-1042", "write:prescriptions:P-1042"}, IssuedAt: 1, ExpiresAt: 301, TokenID: "0f0f"},
		trace.Delegation{Credential: delegated, DelegatorID: "spiffe://x/clinical", DelegateID: "spiffe://x/prescription",
			DelegatorScope: []string{"read:labs:P-1042", "write:prescriptions:P-1042"}, DelegatedScope: []string{"write:prescriptions:P-1042"}, TokenPreview: "ccc…ddd", ExpiresIn: 60},
		trace.TokenRenewed{Credential: clinical, OldPreview: "aaa…bbb", NewPreview: "eee…fff", NewExpiresIn: 300},
	)...)
	d := render(t, view.Cards(run))
	tables := d.all("table", "comparison")
	if len(tables) != 2 {
		t.Fatalf("%d comparisons", len(tables))
	}
	for i, want := range [][]string{
		{"Renewed", "before", "after", "aaa…bbb", "eee…fff", "00:05:01 UTC", "the same"},
		{"What was handed on", "spiffe://x/clinical", "spiffe://x/prescription", "aaa…bbb", "ccc…ddd", "read labs P-1042 not handed on"},
	} {
		for _, part := range want {
			if got := words(tables[i]); !strings.Contains(got, part) {
				t.Errorf("comparison %d does not say %q: %s", i, part, got)
			}
		}
	}
	if dropped := d.all("span", "chip-dropped"); len(dropped) != 1 {
		t.Errorf("%d scopes are marked as not handed on", len(dropped))
	}
	if got := words(d.root); !strings.Contains(got, "0f0f this one token") {
		t.Errorf("the claims are not explained: %s", got)
	}
}

// "Proven dead" is the broker's word, so a token that was given back and is
// still accepted must not look like an end.
func TestAReleasedTokenThatLivesIsTrouble(t *testing.T) {
	run := project(log(trace.AgentCreated{Credential: clinical, ExpiresIn: 300}, trace.TokenReleased{Credential: clinical},
		trace.PostReleaseValidation{Credential: clinical, Token: trace.TokenOfRelease, Valid: true})...)
	if c := run.Cards[0]; c.Meaning() != view.Trouble || c.State() != "still valid" || !c.Alive() {
		t.Errorf("meaning %s, state %s, alive %v", c.Meaning(), c.State(), c.Alive())
	}
}

func TestHowARunStands(t *testing.T) {
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
		{"the model is slow", []trace.Step{trace.LLMStart{}}, "", "live Waiting for the model, OFFLINE PLANNER"},
		{"the model writes", []trace.Step{trace.LLMStart{}, trace.LLMDelta{Text: "a"}}, "", "live The model writes"},
		{"waiting", []trace.Step{trace.Validation{}}, "spawn the clinical agent", "waiting Next: spawn the clinical agent"},
		{"done", []trace.Step{full}, "", "answered 3 agents ✓ 4 allowed ✕ 0 denied ⇢ 1 delegated ✝ all 4 tokens dead, the broker says"},
		{"not proven", []trace.Step{unproven}, "", "answered 3 agents ✓ 4 allowed ✕ 0 denied ⇢ 1 delegated ! 3 of 4 tokens proven dead ! 1 answer lost that may hold another"},
		{"one token", []trace.Step{trace.Complete{Outcome: "cancelled", AgentsCount: 1, Tokens: 1, ConfirmedRevoked: 1, AllRevoked: true}}, "",
			"cancelled 1 agent ✓ 0 allowed ✕ 0 denied ⇢ 0 delegated ✝ its token is dead, the broker says"},
		{"no token", []trace.Step{trace.RunError{Message: "The broker does not answer.", Hint: "Start it."}, trace.Complete{Outcome: "failed", Errors: 1}}, "",
			"failed The broker does not answer. Start it. 0 agents ✓ 0 allowed ✕ 0 denied ⇢ 0 delegated ! 1 failed no token was issued"},
	}
	for _, tt := range tests {
		run := project(log(tt.steps...)...)
		run.Waiting = tt.waiting
		d := render(t, view.Status(run))
		got := words(d.all("div", "status")[0])
		if cut := strings.Index(got, " InstantTalkStep"); cut > 0 {
			got = got[:cut]
		}
		got = strings.TrimSuffix(got, " Replay · Save as HTML · Save as JSON")
		if got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
		if dead := strings.Contains(got, "dead, the broker says"); dead && !run.Complete.AllRevoked {
			t.Errorf("%s: says more than the broker did", tt.name)
		}
	}
}

// What is in a step is shown as it is, and never as markup.
func TestAStepOpensToItsDetail(t *testing.T) {
	run := project(log(trace.ToolCall{Credential: clinical, Tool: "get_lab_results", Output: json.RawMessage(`{"note":"<script>alert(1)</script>"}`)})...)
	d := render(t, view.StepLine(run.Steps[0]))
	if len(d.all("script")) > 0 {
		t.Fatal("markup from a record")
	}
	if got := d.texts("pre")[0]; !strings.Contains(got, `"note": "<script>alert(1)</script>"`) {
		t.Errorf("JSON: %s", got)
	}
}
