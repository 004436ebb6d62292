package trace_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/devonartis/medassist-go/trace"
)

var ignoreEncoded = cmpopts.IgnoreUnexported(trace.Event{})

// steps is one of each kind, with what the contract's keys are filled from.
var steps = []trace.Step{
	trace.Validation{PatientID: "P-1042", Request: "Show records", Pace: "instant"},
	trace.PatientLookup{PatientID: "P-1042", Found: true, Name: "Maria"},
	trace.BrokerHealth{URL: "http://127.0.0.1:8080", Status: "ok", DBConnected: true},
	trace.LLMStart{Model: "m", Mode: "offline", Turn: 1, Tools: []string{"get_lab_results"}},
	trace.AgentCreated{Credential: clinical, Scope: []string{"read:labs:P-1042"}},
	trace.AgentError{Credential: clinical, Error: "no"},
	trace.TokenValidated{Credential: clinical, Valid: true, Subject: "spiffe://x", Scope: []string{"read:labs:P-1042"}, TokenID: "j", OrchID: "o", TaskID: "t", Error: "e"},
	trace.ToolCall{Credential: clinical, Authorized: true, Args: json.RawMessage(`{"a":"<b>"}`), Output: json.RawMessage(`{}`)},
	trace.ToolError{Tool: "x", Args: "{", Reason: "bad JSON"},
	trace.ScopeDenied{Credential: clinical, Args: json.RawMessage(`{}`), MissingScope: []string{"read:labs:P-2"}, RefusedBy: trace.RefusedByGate},
	trace.TokenRejected{Credential: clinical, RefusedBy: trace.RefusedByRecords},
	trace.Delegation{Credential: delegated, Chain: []trace.Hop{{Agent: "spiffe://x"}}},
	trace.DelegationDenied{RefusedBy: trace.RefusedByBroker},
	trace.LLMDelta{Turn: 1, Text: "Hello"},
	trace.LLMResponse{Turn: 1, ToolCalls: []trace.LLMCall{{Tool: "x"}}},
	trace.TokenRenewed{Credential: clinical, OldPreview: "a", NewPreview: "b"},
	trace.TokenReleased{Credential: clinical},
	trace.ReleaseError{Credential: clinical, Stage: "renew", Error: "gone"},
	trace.PostReleaseValidation{Credential: clinical, Token: trace.TokenOfRelease, Error: "token is invalid or expired"},
	trace.Cancelled{By: "presenter", Reason: "enough"},
	trace.RunError{Stage: "model", Message: "500"},
	trace.Complete{PatientID: "P-1042", Agents: []string{}, Outcome: trace.OutcomeAnswered},
}

var (
	clinical  = trace.Credential{Category: "clinical"}
	delegated = trace.Credential{Category: "prescription", Delegated: true}
)

// The keys that clients of the Python demo read.
var contract = map[trace.Type]string{
	trace.TypeAgentCreated:          "agent_id spiffe_id scope tools task_id orch_id expires_in token_preview category trigger",
	trace.TypeTokenValidated:        "valid sub scope jti orch_id task_id category error context",
	trace.TypeToolCall:              "tool patient_id args authorized required_scope held_scope agent_id output category",
	trace.TypeScopeDenied:           "tool patient_id args authorized required_scope held_scope agent_id reason category missing_scope refused_by",
	trace.TypeDelegation:            "delegator_id delegator_scope delegate_id delegated_scope token_preview chain expires_in",
	trace.TypeTokenRenewed:          "agent_id old_preview new_preview new_expires_in category",
	trace.TypeTokenReleased:         "agent_id spiffe_id task_id category",
	trace.TypePostReleaseValidation: "agent_id valid error",
	trace.TypeComplete:              "patient_id agents_spawned agents_count",
}

func TestEventsKeepTheirJSONContract(t *testing.T) {
	for _, step := range steps {
		t.Run(string(step.Type()), func(t *testing.T) {
			want := trace.Event{RunID: "run-1", Seq: 7, Time: time.Date(2026, 11, 23, 9, 0, 0, 5, time.UTC), Status: trace.StatusInfo,
				Label: "A label", Spans: []trace.Span{{Lane: trace.LaneBroker, Took: time.Millisecond, Name: "validate"}}, Step: step}
			b, err := want.JSON()
			if err != nil {
				t.Fatal(err)
			}
			var got trace.Event
			if err := json.Unmarshal(b, &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, ignoreEncoded, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("round trip (-want +got):\n%s", diff)
			}
			var doc struct {
				StepType  trace.Type      `json:"step_type"`
				Label     string          `json:"label"`
				Detail    map[string]any  `json:"detail"`
				Status    trace.Status    `json:"status"`
				Timestamp json.RawMessage `json:"timestamp"`
			}
			if err := json.Unmarshal(b, &doc); err != nil {
				t.Fatal(err)
			}
			if doc.StepType != step.Type() || doc.Label != "A label" || doc.Status != "info" || string(doc.Timestamp) != `"2026-11-23T09:00:00.000000005Z"` {
				t.Errorf("event = %s", b)
			}
			for _, key := range strings.Fields(contract[step.Type()]) {
				if _, ok := doc.Detail[key]; !ok {
					t.Errorf("detail has no %q: %s", key, b)
				}
			}
		})
	}
}

func TestTheListOfStepsAboveIsWhole(t *testing.T) {
	var types []trace.Type
	for _, s := range steps {
		types = append(types, s.Type())
		if b, _ := json.Marshal(trace.Event{Step: s}); !strings.Contains(string(b), string(s.Type())) {
			t.Errorf("%s does not name itself", reflect.TypeOf(s))
		}
	}
	slices.Sort(types)
	if n := len(slices.Compact(types)); n != 22 {
		t.Errorf("%d step types are tested, DESIGN.md has 22", n)
	}
}

func TestWhatIsNotAnEventIsRefused(t *testing.T) {
	for _, s := range []string{
		``, `null`, `[]`, `{}`,
		`{"step_type":"telepathy","detail":{}}`,
		`{"step_type":"complete"}`,
		`{"step_type":"complete","detail":[]}`,
		`{"step_type":"complete","detail":{"tokens":"four"}}`,
		`{"step_type":"complete","detail":{},"seq":"1"}`,
	} {
		var e trace.Event
		if err := e.UnmarshalJSON([]byte(s)); err == nil {
			t.Errorf("%s was taken for %+v", s, e)
		}
	}
}

func FuzzEvent(f *testing.F) {
	for _, s := range steps {
		b, err := json.Marshal(trace.Event{RunID: "run-1", Seq: 1, Step: s})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var e, again trace.Event
		if json.Unmarshal(b, &e) != nil {
			return
		}
		out, err := e.JSON()
		if err != nil {
			t.Fatalf("an event was read that can't be written: %v", err)
		}
		if strings.ContainsAny(string(out), "\n\r") {
			t.Fatalf("the public form is not one line: %q", out)
		}
		if err := json.Unmarshal(out, &again); err != nil {
			t.Fatalf("an event was written that can't be read: %v", err)
		}
		if out2, _ := again.JSON(); string(out) != string(out2) {
			t.Fatalf("%s became %s", out, out2)
		}
	})
}
