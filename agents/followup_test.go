package agents_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/devonartis/medassist-go/agentwrit/brokertest"
	"github.com/devonartis/medassist-go/trace"
)

// sent is the part of a request to a model that these tests look at.
type sent struct {
	Tools    []any `json:"tools"`
	Messages []struct {
		Role       string `json:"role"`
		Content    string `json:"content"`
		ToolCallID string `json:"tool_call_id"`
		ToolCalls  []struct {
			ID string `json:"id"`
		} `json:"tool_calls"`
	} `json:"messages"`
}

// thinks is an answer that depends on the request.
func thinks(t testing.TB, answer func(sent) turn) turn {
	return func(w http.ResponseWriter, r *http.Request) {
		var s sent
		if err := json.NewDecoder(r.Body).Decode(&s); err != nil {
			t.Error(err)
		}
		answer(s)(w, r)
	}
}

// A model that answers without a tool is asked once more. If it still calls
// none, the answer is marked as not based on the record.
func TestAnAnswerWithoutATool(t *testing.T) {
	t.Parallel()
	base := newWorld(t, brokertest.Start, worldConfig{})
	tests := []struct {
		name, request string
		turns         []turn
		asked, marked int
	}{
		{"it calls when asked", "Show records", []turn{say("I think she is fine."), wantRecords, say("Read.")}, 3, 0},
		{"it never calls", "Show records", []turn{say("I think she is fine."), say("She is fine.")}, 2, 1},
		{"it called before", "Show records", []turn{wantRecords, say("Read.")}, 2, 0},
		{"it announces calls and makes none", "Show records", []turn{func(w http.ResponseWriter, _ *http.Request) {
			begin(w)
			chunk(w, `{"content":"I'll read the chart."}`, "tool_calls")
		}, wantRecords, say("Read.")}, 3, 0},
		{"nothing to look up", "Hello!", []turn{say("Hello.")}, 1, 0},
		{"a greeting before a question", "Hello, what is her blood pressure and which drugs does she take?", []turn{say("Fine."), say("Fine.")}, 2, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := base.withModel(t, scripted(t, tt.turns...)).encounter(t, "P-1042", tt.request)
			finals, marked := 0, 0
			for _, r := range all[trace.LLMResponse](h) {
				if r.Final {
					finals++
				}
				if strings.Contains(r.Warning, "not based on the record") {
					marked++
				}
			}
			if n := len(all[trace.LLMStart](h)); n != tt.asked || finals != 1 || marked != tt.marked || h.Run.Outcome != trace.OutcomeAnswered {
				t.Errorf("%d turns, %d final replies, %d marked:\n%s", n, finals, marked, h)
			}
		})
	}
}

// The same call is not made twice. After a write the record may be read again;
// a write is never repeated.
func TestTheSameCallAgain(t *testing.T) {
	t.Parallel()
	note := want("write_clinical_notes", `{"patient_id":"P-1042","note":"Seen today."}`)
	other := want("get_patient_records", `{ "patient_id": "P-2187" }`)
	base := newWorld(t, brokertest.Start, worldConfig{})
	tests := []struct {
		name  string
		turns []turn
		made  string
		told  int // times that the model is told
	}{
		{"a read", []turn{wantRecords, wantRecords, say("Read.")}, "get_patient_records", 1},
		{"with other spaces", []turn{wantRecords, want("get_patient_records", ` { "patient_id" : "P-1042" } `), say("Read.")}, "get_patient_records", 1},
		{"in one reply", []turn{wantMany(3, "get_patient_records", `{"patient_id":"P-1042"}`), say("Read.")}, "get_patient_records", 2},
		{"two objects in one call", []turn{want("get_patient_records", `{"patient_id":"P-1042"}{"patient_id":"P-1042"}`), say("Read.")}, "get_patient_records", 1},
		{"a read after a write", []turn{wantRecords, note, wantRecords, say("Read.")}, "get_patient_records write_clinical_notes get_patient_records", 0},
		{"a write", []turn{note, note, say("Written.")}, "write_clinical_notes", 1},
		{"a refused call", []turn{other, other, say("Refused.")}, "", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			told := 0
			turns := slices.Clone(tt.turns)
			last := turns[len(turns)-1]
			turns[len(turns)-1] = thinks(t, func(s sent) turn {
				for _, m := range s.Messages {
					told += strings.Count(m.Content, "already_called")
				}
				return last
			})
			h := base.withModel(t, scripted(t, turns...)).encounter(t, "P-1042", "Do it")
			var made []string
			for _, c := range all[trace.ToolCall](h) {
				made = append(made, c.Tool)
			}
			if strings.Join(made, " ") != tt.made || told != tt.told || h.Run.Outcome != trace.OutcomeAnswered {
				t.Errorf("made %q, told %d times, want %q and %d:\n%s", made, told, tt.made, tt.told, h)
			}
		})
	}
}

// The last turn offers no tools, so that a model which would continue forever
// answers with what it has.
func TestTheLastTurnHasNoTools(t *testing.T) {
	t.Parallel()
	n := 0
	w := newWorld(t, brokertest.Start, worldConfig{}).withModel(t, scripted(t, thinks(t, func(s sent) turn {
		if n++; len(s.Tools) == 0 {
			return say("This is what I have.")
		}
		return wantRecords
	})))
	h := w.encounter(t, "P-1042", "Show records")
	if h.Run.Outcome != trace.OutcomeAnswered || h.answer() != "This is what I have." || n != 10 {
		t.Errorf("%d turns:\n%s", n, h)
	}
	w.assertEnded(t, h, 1)
}

// A reply that breaks off is requested again, once in a run, and the trace shows it.
// None of its calls is made.
func TestAReplyThatBreaksOff(t *testing.T) {
	t.Parallel()
	base := newWorld(t, brokertest.Start, worldConfig{})
	h := base.withModel(t, scripted(t, breaksOff, wantRecords, say("Read."))).encounter(t, "P-1042", "Show records")
	if wait := only[trace.LLMWait](t, h); !strings.Contains(wait.Reason, "broke off") || h.Run.Outcome != trace.OutcomeAnswered {
		t.Errorf("%+v:\n%s", wait, h)
	}
	h = base.withModel(t, scripted(t, breaksOff, wantRecords, breaksOff)).encounter(t, "P-1042", "Show records")
	if h.Run.Outcome != trace.OutcomeFailed || len(all[trace.LLMWait](h)) != 1 {
		t.Errorf("asked again more than once:\n%s", h)
	}
}

// Waiting for a model is on the page.
func TestWaitingForTheModelIsShown(t *testing.T) {
	t.Parallel()
	limited := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "1")
		http.Error(w, `{"message":"slow down"}`, http.StatusTooManyRequests)
	}
	h := newWorld(t, brokertest.Start, worldConfig{}).withModel(t, scripted(t, limited, wantRecords, say("Read."))).encounter(t, "P-1042", "Show records")
	if w := only[trace.LLMWait](t, h); w.WaitMS < 1000 || w.LimitMS < w.WaitMS || !strings.Contains(w.Reason, "slow down") {
		t.Errorf("%+v", w)
	}
}

// The conversation keeps the model's own call IDs, of whatever length, even if
// it repeats them; the trace gives each call a short one of its own.
func TestTheModelsCallIDs(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("signature-", 30)
	ask := func(id, tool string) turn {
		return func(w http.ResponseWriter, _ *http.Request) {
			begin(w)
			chunk(w, `{"tool_calls":[{"index":0,"id":"`+id+`","function":{"name":"`+tool+`","arguments":"{\"patient_id\":\"P-1042\"}"}}]}`, "tool_calls")
		}
	}
	var ids []string
	w := newWorld(t, brokertest.Start, worldConfig{}).withModel(t, scripted(t, ask(long, "get_patient_records"), ask("c0", "get_lab_results"), ask("c0", "get_billing_history"),
		thinks(t, func(s sent) turn {
			for _, m := range s.Messages {
				for _, c := range m.ToolCalls {
					ids = append(ids, c.ID)
				}
				if m.Role == "tool" && m.ToolCallID != ids[len(ids)-1] {
					t.Errorf("a result for %q follows the call %q", m.ToolCallID, ids[len(ids)-1])
				}
			}
			return say("Done.")
		})))
	h := w.encounter(t, "P-1042", "Show everything")
	if !slices.Equal(ids, []string{long, "c0", "c0"}) {
		t.Errorf("sent back %q", ids)
	}
	seen := map[string]bool{}
	for _, c := range all[trace.ToolCall](h) {
		if len(c.CallID) > 64 || seen[c.CallID] {
			t.Errorf("the trace has the call ID %q", c.CallID)
		}
		seen[c.CallID] = true
	}
}
