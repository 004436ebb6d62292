package hero

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/web/picture/sample"
)

var shapes = []Shape{Desk, Wall, Phone}

func render(t *testing.T, d Drawing) string {
	t.Helper()
	var b bytes.Buffer
	if err := SVG(d).Render(context.Background(), &b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Whatever happens in a run, the drawing is well-formed, stays inside its view box,
// keeps its text legible, and names each part once.
func TestDrawings(t *testing.T) {
	for _, history := range sample.Histories() {
		for _, shape := range shapes {
			t.Run(history.Name+"/"+shape.name, func(t *testing.T) {
				h := New("P-1042")
				for _, e := range history.Events {
					h.Apply(e)
					check(t, shape, Draw(h, "hero", shape))
				}
			})
		}
	}
}

// smallest is the least size of text: 14 on the encounter page, 20 on the stage.
var smallest = map[string]float64{"desk": 14, "wall": 20, "phone": 13}

func check(t *testing.T, s Shape, d Drawing) {
	t.Helper()
	ids := make(map[string]bool)
	for _, p := range d.Parts {
		if ids[p.ID] {
			t.Errorf("two parts are named %s", p.ID)
		}
		ids[p.ID] = true
		for _, n := range p.Nodes {
			if n.Text == nil {
				continue
			}
			if n.Text.Size < smallest[s.name] {
				t.Errorf("%q is set in %g, want at least %g", plain(n.Text.Spans), n.Text.Size, smallest[s.name])
			}
			for _, span := range n.Text.Spans {
				if span.Size != 0 && span.Size < smallest[s.name] {
					t.Errorf("%q is set in %g, want at least %g", span.Text, span.Size, smallest[s.name])
				}
			}
			if right := edge(n); right > d.Width+1 {
				t.Errorf("%q reaches to %g of %g", plain(n.Text.Spans), right, d.Width)
			}
			if n.Text.Y > d.Height {
				t.Errorf("%q is at %g of %g", plain(n.Text.Spans), n.Text.Y, d.Height)
			}
		}
	}
	dec := xml.NewDecoder(strings.NewReader(render(t, d)))
	for {
		if _, err := dec.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("the SVG is not well-formed: %v", err)
		}
	}
}

// edge estimates where a text ends.
func edge(n Node) float64 {
	w := n.Text.Length
	if w == 0 {
		w = 0.5 * n.Text.Size * float64(utf8.RuneCountInString(plain(n.Text.Spans)))
	}
	switch {
	case strings.Contains(n.Class, "end"):
		return n.Text.X
	case strings.Contains(n.Class, "mid"):
		return n.Text.X + w/2
	}
	return n.Text.X + w
}

// The same events always give the same bytes.
func TestDrawingIsDeterministic(t *testing.T) {
	events := full()
	draw := func() string {
		h := New("P-1042")
		for _, e := range events {
			h.Apply(e)
		}
		return render(t, Draw(h, "hero", Wall))
	}
	if first, second := draw(), draw(); first != second {
		t.Error("two drawings of one run differ")
	}
}

// full returns the events of a whole encounter.
func full() []trace.Event {
	for _, h := range sample.Histories() {
		if h.Name == "full" {
			return h.Events
		}
	}
	panic("no such history")
}

func apply(steps ...trace.Step) *Hero {
	h := New("P-1042")
	for i, s := range steps {
		h.Apply(trace.Event{Seq: int64(i + 1), Step: s})
	}
	return h
}

// What a model writes is text in the picture, never markup, and a long ID can't
// push anything out of its place.
func TestHostilePatientID(t *testing.T) {
	evil := `<script>"&` + strings.Repeat("x", 40)
	h := apply(trace.AgentCreated{Credential: trace.Credential{Category: "clinical"}, ExpiresIn: 300},
		trace.ScopeDenied{Credential: trace.Credential{Category: "clinical"}, Tool: "get_patient_records", PatientID: evil,
			MissingScope: []string{"read:records:" + evil}, RefusedBy: trace.RefusedByGate})
	for _, s := range shapes {
		d := Draw(h, "hero", s)
		check(t, s, d)
		if strings.Contains(render(t, d), "<script>") {
			t.Error("a patient ID became markup")
		}
	}
}

// A denied call stops before the gate; an allowed one lies behind it.
func TestDeniedCallStopsAtTheGate(t *testing.T) {
	c := trace.Credential{Category: "clinical"}
	h := apply(trace.AgentCreated{Credential: c, ExpiresIn: 300},
		trace.ToolCall{Credential: c, Tool: "get_patient_records", PatientID: "P-1042", RequiredScope: []string{"read:records:P-1042"}},
		trace.ScopeDenied{Credential: c, Tool: "get_patient_records", PatientID: "P-2187", MissingScope: []string{"read:records:P-2187"}, RefusedBy: trace.RefusedByGate})
	for _, s := range []Shape{Desk, Wall} {
		for _, p := range Draw(h, "hero", s).Parts {
			for _, n := range p.Nodes {
				if n.Text == nil || plain(n.Text.Spans) != "P-1042" && plain(n.Text.Spans) != "P-2187" || !strings.HasPrefix(p.ID, "hero-clinical-") {
					continue
				}
				if behind := n.Text.X > s.gateX; behind != (plain(n.Text.Spans) == "P-1042") {
					t.Errorf("%s: the pill for %s is at %g, the gate at %g", s.name, plain(n.Text.Spans), n.Text.X, s.gateX)
				}
			}
		}
	}
}

// A call that the model has only requested is nowhere behind the gate, and its picture
// has no gate on a phone.
func TestRequestedCallIsNotBehindTheGate(t *testing.T) {
	h := apply(trace.LLMResponse{ToolCalls: []trace.LLMCall{{CallID: "1", Tool: "get_patient_records", Args: `{"patient_id":"P-1042"}`}}})
	for _, s := range shapes {
		d := Draw(h, "hero", s)
		check(t, s, d)
		svg := render(t, d)
		if !strings.Contains(svg, "requested, not sent") || s.phone && strings.Contains(svg, `class="gate"`) {
			t.Errorf("%s: %s", s.name, svg)
		}
		for _, p := range d.Parts {
			for _, n := range p.Nodes {
				if n.Text != nil && !s.phone && n.Text.X > s.gateX && slices.Contains([]string{"get_patient_records", "P-1042"}, plain(n.Text.Spans)) {
					t.Errorf("%s: %q is at %g, the gate at %g", s.name, plain(n.Text.Spans), n.Text.X, s.gateX)
				}
			}
		}
	}
}

// A use of a stolen token counts as denied only if a check denied it.
func TestStolenTokenInWords(t *testing.T) {
	h := apply(trace.StolenTokenUsed{Credential: trace.Credential{Category: "clinical"}, PatientID: "P-1042", Authorized: true},
		trace.StolenTokenUsed{Credential: trace.Credential{Category: "clinical"}, PatientID: "P-2187", RefusedBy: trace.RefusedByRecords, MissingScope: []string{"read:records:P-2187"}},
		trace.StolenTokenUsed{Credential: trace.Credential{Category: "clinical"}, PatientID: "P-1042"},
		trace.StolenTokenUsed{Credential: trace.Credential{Category: "clinical"}, PatientID: "P-1042", RefusedBy: trace.RefusedByRecords})
	want := "Stolen token for P-1042: accepted. Stolen token for P-2187: denied, 403 wrong patient. Stolen token for P-1042: call failed. Stolen token for P-1042: denied, 401 token revoked."
	if got := h.Title(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// A lane never counts a denial away, however many calls there are.
func TestManyCalls(t *testing.T) {
	c := trace.Credential{Category: "clinical"}
	steps := []trace.Step{trace.AgentCreated{Credential: c, ExpiresIn: 300}}
	for range 40 {
		steps = append(steps, trace.ToolCall{Credential: c, Tool: "get_lab_results", PatientID: "P-1042", RequiredScope: []string{"read:labs:P-1042"}})
	}
	steps = append(steps, trace.ScopeDenied{Credential: c, Tool: "get_lab_results", PatientID: "P-2187", MissingScope: []string{"read:labs:P-2187"}, RefusedBy: trace.RefusedByGate})
	for _, s := range shapes {
		svg := render(t, Draw(apply(steps...), "hero", s))
		if !strings.Contains(svg, "P-2187") || !strings.Contains(svg, "35 more calls") {
			t.Errorf("%s: want the denial and the number of calls that are not shown", s.name)
		}
	}
}

func TestShort(t *testing.T) {
	for in, want := range map[string]string{"P-1042": "P-1042", "12345678": "12345678", "123456789": "1234…789", "": ""} {
		if got := short(in, 8); got != want {
			t.Errorf("short(%q) = %q, want %q", in, got, want)
		}
	}
}

func BenchmarkDraw(b *testing.B) {
	h := New("P-1042")
	for _, e := range full() {
		h.Apply(e)
	}
	for b.Loop() {
		if err := SVG(Draw(h, "hero", Wall)).Render(context.Background(), io.Discard); err != nil {
			b.Fatal(err)
		}
	}
}
