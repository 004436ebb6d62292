package hero

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/web/picture/sample"
)

// Replacing the changed parts of a drawing gives the next drawing, after every
// event of every history.
func TestChangesLeadToTheNextDrawing(t *testing.T) {
	for _, history := range sample.Histories() {
		for _, shape := range shapes {
			h := New("P-1042")
			page := Draw(h, "hero", shape)
			for _, e := range history.Events {
				h.Apply(e)
				next := Draw(h, "hero", shape)
				parts, same := next.Changes(page)
				if !same {
					page = next
					continue
				}
				for _, p := range parts {
					for i := range page.Parts {
						if page.Parts[i].ID == p.ID {
							page.Parts[i] = p
						}
					}
				}
				if left, _ := next.Changes(page); len(left) > 0 || len(page.Parts) != len(next.Parts) {
					t.Fatalf("%s, %s, event %d: %d parts still differ", history.Name, shape.name, e.Seq, len(left))
				}
			}
		}
	}
}

// A lifetime that runs on is no change; a renewed one is, and so is any other
// difference.
func TestWhatIsAChange(t *testing.T) {
	begin := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	clinical := trace.Credential{Category: "clinical"}
	h := New("P-1042")
	h.Apply(trace.Event{Seq: 1, Time: begin, Step: trace.AgentCreated{Credential: clinical, Scope: []string{"read:labs:P-1042"}, ExpiresIn: 300}})
	before := Draw(h, "hero", Wall)
	changes := func() ([]Part, bool) {
		now := Draw(h, "hero", Wall)
		return now.Changes(before)
	}
	h.Apply(trace.Event{Seq: 2, Time: begin.Add(time.Minute), Step: trace.BrokerHealth{}})
	if parts, same := changes(); !same || len(parts) > 0 {
		t.Errorf("a minute later %d parts have changed, same size: %v", len(parts), same)
	}
	h.Apply(trace.Event{Seq: 3, Time: begin.Add(time.Minute), Step: trace.TokenRenewed{Credential: clinical, NewExpiresIn: 300}})
	if parts, same := changes(); !same || len(parts) != 1 {
		t.Errorf("after the renewal %d parts have changed, same size: %v", len(parts), same)
	}
	h.Apply(trace.Event{Seq: 4, Time: begin.Add(time.Minute), Step: trace.ToolCall{Credential: clinical, Tool: "get_lab_results", PatientID: "P-1042",
		RequiredScope: []string{"read:labs:P-1042"}}})
	if _, same := changes(); same {
		t.Error("a new row leaves the list of parts as it is")
	}
}

// moving returns what moves in the picture when a run takes a step.
func moving(h *Hero, s Shape, step trace.Step) (out []string) {
	before := Draw(h, "hero", s)
	h.Apply(trace.Event{Step: step})
	now := Draw(h, "hero", s)
	now.Changes(before)
	for _, p := range now.Parts {
		for _, n := range p.Nodes {
			if p.Moves != "" && n.Text != nil && strings.HasPrefix(n.Class, "moving ") {
				out = append(out, string(p.Moves)+" "+plain(n.Text.Spans))
			}
		}
	}
	return out
}

// What has just happened moves, once, and nothing else does.
func TestWhatMoves(t *testing.T) {
	c := trace.Credential{Category: "clinical"}
	call := func(id, patient string) trace.LLMCall {
		return trace.LLMCall{CallID: id, Tool: "get_patient_records", Args: `{"patient_id":"` + patient + `"}`}
	}
	for _, s := range shapes {
		h := apply()
		for _, tc := range []struct {
			step trace.Step
			want []string
		}{
			{trace.LLMResponse{ToolCalls: []trace.LLMCall{call("1", "P-1042"), call("2", "P-2187")}}, nil},
			{trace.AgentCreated{Credential: c, Scope: []string{"read:records:P-1042"}, ExpiresIn: 300}, nil},
			{trace.ToolCall{Credential: c, CallID: "1", Tool: "get_patient_records", PatientID: "P-1042", RequiredScope: []string{"read:records:P-1042"}},
				[]string{"passes get_patient_records", "passes P-1042"}},
			{trace.ScopeDenied{Credential: c, CallID: "2", Tool: "get_patient_records", PatientID: "P-2187", MissingScope: []string{"read:records:P-2187"}, RefusedBy: trace.RefusedByGate},
				[]string{"stops get_patient_records", "stops P-2187"}},
			{trace.StolenTokenUsed{Credential: c, PatientID: "P-1042", Authorized: true}, []string{"passes stolen token", "passes P-1042"}},
			{trace.StolenTokenUsed{Credential: c, PatientID: "P-2187", RefusedBy: trace.RefusedByRecords, MissingScope: []string{"read:records:P-2187"}},
				[]string{"stops stolen token", "stops P-2187"}},
			{trace.TokenReleased{Credential: c}, []string{"appears REVOKED"}},
			{trace.BrokerHealth{}, nil},
		} {
			if got := moving(h, s, tc.step); !slices.Equal(got, tc.want) {
				t.Errorf("%s, %T: %q moves, want %q", s.name, tc.step, got, tc.want)
			}
		}
	}
}
