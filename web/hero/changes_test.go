package hero

import (
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
	h.Apply(trace.Event{Seq: 2, Time: begin.Add(time.Minute), Step: trace.BrokerHealth{}})
	if parts, same := Draw(h, "hero", Wall).Changes(before); !same || len(parts) > 0 {
		t.Errorf("a minute later %d parts have changed, same size: %v", len(parts), same)
	}
	h.Apply(trace.Event{Seq: 3, Time: begin.Add(time.Minute), Step: trace.TokenRenewed{Credential: clinical, NewExpiresIn: 300}})
	if parts, same := Draw(h, "hero", Wall).Changes(before); !same || len(parts) != 1 {
		t.Errorf("after the renewal %d parts have changed, same size: %v", len(parts), same)
	}
	h.Apply(trace.Event{Seq: 4, Time: begin.Add(time.Minute), Step: trace.ToolCall{Credential: clinical, Tool: "get_lab_results", PatientID: "P-1042",
		RequiredScope: []string{"read:labs:P-1042"}}})
	if _, same := Draw(h, "hero", Wall).Changes(before); same {
		t.Error("a new row leaves the list of parts as it is")
	}
}
