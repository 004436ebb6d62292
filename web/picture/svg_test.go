package picture_test

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/a-h/templ"
	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/web/picture"
	"github.com/devonartis/medassist-go/web/picture/sample"
	"pgregory.net/rapid"
)

func render(t testing.TB, c templ.Component) string {
	t.Helper()
	var b bytes.Buffer
	if err := c.Render(context.Background(), &b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// both are a history's two figures.
func both(t testing.TB, events []trace.Event) (authority, waterfall string) {
	t.Helper()
	p, tl := picture.New(picture.Encounter("", "medassist")), picture.NewTimeline("")
	for _, e := range events {
		p.Apply(e)
		tl.Apply(e)
	}
	return render(t, picture.Authority(p)), render(t, picture.Waterfall(tl))
}

// elements that the figures are made of; hostile text must not add any.
var elements = map[string]bool{
	"figure": true, "svg": true, "title": true, "desc": true, "defs": true, "linearGradient": true, "stop": true,
	"path": true, "text": true, "tspan": true, "g": true, "circle": true, "ul": true, "li": true,
}

// check reads a figure as XML and holds it to what every figure promises.
func check(t interface{ Errorf(string, ...any) }, name, figure string) {
	ids, refs := map[string]bool{}, []string{}
	d := xml.NewDecoder(strings.NewReader(figure))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Errorf("%s: not well-formed: %v", name, err)
			return
		}
		e, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		if !elements[e.Name.Local] {
			t.Errorf("%s: element %s does not belong here", name, e.Name.Local)
		}
		for _, a := range e.Attr {
			switch key := a.Name.Local; {
			case key == "style", strings.HasPrefix(key, "on"):
				t.Errorf("%s: attribute %s is against the page's policy", name, key)
			case key == "id":
				if ids[a.Value] {
					t.Errorf("%s: ID %s stands twice", name, a.Value)
				}
				ids[a.Value] = true
			case key == "aria-labelledby":
				refs = append(refs, strings.Fields(a.Value)...)
			case key == "fill":
				refs = append(refs, strings.TrimSuffix(strings.TrimPrefix(a.Value, "url(#"), ")"))
			}
			if strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf") {
				t.Errorf("%s: %s=%q", name, a.Name.Local, a.Value)
			}
		}
	}
	for _, r := range refs {
		if !ids[r] {
			t.Errorf("%s: nothing has the ID %s", name, r)
		}
	}
}

// Every state of every prepared run is well-formed, drawn the same twice, and
// allowed by a policy without inline styles and scripts.
func TestFiguresAreSound(t *testing.T) {
	t.Parallel()
	for _, h := range sample.Histories() {
		t.Run(h.Name, func(t *testing.T) {
			for n := range len(h.Events) + 1 {
				authority, waterfall := both(t, h.Events[:n])
				check(t, "authority", authority)
				check(t, "waterfall", waterfall)
				again, flows := both(t, h.Events[:n])
				if authority != again || waterfall != flows {
					t.Fatalf("after %d events: drawn differently the second time", n)
				}
			}
		})
	}
}

// Names from outside are text, whatever they are.
func TestHostileText(t *testing.T) {
	t.Parallel()
	authority, _ := both(t, history(t, "hostile"))
	if strings.Contains(authority, "<script") {
		t.Error("markup from an event stands in the figure")
	}
	if !strings.Contains(authority, "&lt;script&gt;") {
		t.Error("the text is gone; it should be escaped")
	}
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[ -~é…<>"'&:*]{0,60}`)
		cred := trace.Credential{Category: rapid.SampledFrom([]string{"clinical", "prescription", "billing", ""}).Draw(t, "category"), Delegated: rapid.Bool().Draw(t, "delegated")}
		by := trace.RefusedBy(text.Draw(t, "by"))
		scopes := rapid.SliceOfN(text, 0, 5)
		p := picture.New(picture.Encounter("", "medassist"))
		for i, step := range []trace.Step{
			trace.Validation{PatientID: text.Draw(t, "patient")},
			trace.AgentCreated{Credential: cred, SPIFFEID: text.Draw(t, "spiffe"), Scope: scopes.Draw(t, "scope"), ExpiresIn: rapid.IntRange(-5, 500).Draw(t, "life")},
			trace.ToolCall{Credential: cred, Tool: text.Draw(t, "tool"), RequiredScope: scopes.Draw(t, "required")},
			trace.ScopeDenied{Credential: cred, RefusedBy: by, RequiredScope: scopes.Draw(t, "needed"), MissingScope: scopes.Draw(t, "missing"), Reason: text.Draw(t, "reason")},
			trace.DelegationDenied{RequestedScope: scopes.Draw(t, "requested"), RefusedBy: by},
			trace.RunError{Stage: text.Draw(t, "stage")},
		} {
			p.Apply(trace.Event{Seq: int64(i + 1), Time: start, Step: step})
		}
		var b bytes.Buffer
		if err := picture.Authority(p).Render(context.Background(), &b); err != nil {
			t.Fatal(err)
		}
		check(t, "authority", b.String())
	})
}

func history(t testing.TB, name string) []trace.Event {
	t.Helper()
	for _, h := range sample.Histories() {
		if h.Name == name {
			return h.Events
		}
	}
	t.Fatalf("no history %q", name)
	return nil
}

var (
	frames = regexp.MustCompile(`viewBox="[^"]+"`)
	fixed  = regexp.MustCompile(`<path class="pic-(?:gate|app|operator|records|funnel)" d="[^"]+"`)
	scopes = regexp.MustCompile(`<text class="pic-scope[^"]*" x="[^"]+" y="([^"]+)"`)
)

// Whatever happens in a run, nothing in the picture moves.
func TestNothingJumps(t *testing.T) {
	t.Parallel()
	places := func(figure string) string {
		var all []string
		all = append(all, frames.FindAllString(figure, -1)...)
		all = append(all, fixed.FindAllString(figure, -1)...)
		for _, m := range scopes.FindAllStringSubmatch(figure, -1) {
			all = append(all, m[1])
		}
		return strings.Join(all, "\n")
	}
	empty, flow := both(t, nil)
	for _, h := range sample.Histories() {
		for n := range len(h.Events) + 1 {
			authority, waterfall := both(t, h.Events[:n])
			if places(authority) != places(empty) {
				t.Fatalf("%s, event %d: the layout has changed", h.Name, n)
			}
			if frames.FindString(waterfall) != frames.FindString(flow) {
				t.Fatalf("%s, event %d: the waterfall has changed its shape", h.Name, n)
			}
		}
	}
}

// What the five meanings look like in the drawing: found by their classes,
// which the stylesheet colours.
func TestWhatIsDrawn(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		run       string
		want, not []string
	}{
		{"empty", []string{"pic-ring-ghost", ">not created</tspan>"}, []string{"pic-pass", "pic-stop", `class="pic-ring pic-alive`}},
		{"spawning", []string{`class="pic-ring pic-alive`, ">alive</tspan>", "data-expires"}, []string{"pic-pass", "pic-stop"}},
		{"midway", []string{`pic-loan pic-alive`, "delegates 1 of 4", ">get_lab_results", "read:formulary:*"}, []string{"pic-stop", "pic-ended\""}},
		{"full", []string{">confirmed revoked</tspan>", "all tokens revoked", `data-clock="still"`, "+1"}, []string{`class="pic-ring pic-alive`, "pic-stop"}},
		{"cross-patient", []string{`class="pic-stopped pic-new" x=`, ">P-2187", "Denied by the gate"}, []string{"pic-loan pic-alive"}},
		{"over-reach", []string{"pic-broken", "broker: write:billing"}, []string{"pic-loan pic-alive"}},
		{"kill-switch", []string{"pic-severed", ">revoked</tspan>", ">revoked", "pic-loan pic-cut"}, []string{"pic-loan pic-alive"}},
		{"unknown-patient", []string{"not in the records"}, []string{"pic-stop"}},
		{"no-broker", []string{"stopped: broker failed", "not created"}, []string{"pic-pass", "pic-stop"}},
		{"not-issued", []string{"pic-strand pic-failed", ">not issued</tspan>"}, []string{"pic-severed\" d"}},
		{"records-refuse", []string{"Denied by the records", ">not held"}, []string{"Denied by the gate"}},
		{"short-life", []string{">expired", ">expired</tspan>"}, []string{">revoked"}},
	} {
		t.Run(tt.run, func(t *testing.T) {
			authority, _ := both(t, history(t, tt.run))
			for _, s := range tt.want {
				if !strings.Contains(authority, s) {
					t.Errorf("%q is missing", s)
				}
			}
			for _, s := range tt.not {
				if strings.Contains(authority, s) {
					t.Errorf("%q must not be there", s)
				}
			}
		})
	}
}

// Those who can't see the picture are told all that is in it.
func TestWords(t *testing.T) {
	t.Parallel()
	for run, want := range map[string][]string{
		"empty":           {"The app medassist has a ceiling of 9 scopes", "Clinical agent: not created."},
		"midway":          {"Delegated by the clinical agent to prescription: write:prescriptions:P-1042. Alive, expires in 1:00.", "Allowed: get_lab_results for P-1042, by read:labs:P-1042."},
		"full":            {"released, confirmed by the broker, renewed 1 time", "Tokens confirmed revoked: 4 of 4."},
		"cross-patient":   {"Denied by the gate: get_patient_records for P-2187 needs read:records:P-2187."},
		"over-reach":      {"Denied by the broker: the clinical agent may not delegate write:billing:P-1042 to the prescription agent. The delegator does not hold it. write_prescription was not called."},
		"kill-switch":     {"Clinical agent spiffe://agentwrit.local/agent/medassist/r-7f3a/9f3c2a7b11d04e58: revoked."},
		"no-broker":       {"Broker unreachable: connection refused."},
		"unknown-patient": {"Patient P-9999 is not in the records."},
	} {
		p := picture.New(picture.Encounter("", "medassist"))
		for _, e := range history(t, run) {
			p.Apply(e)
		}
		all := strings.Join(p.Lines(), "\n")
		for _, s := range want {
			if !strings.Contains(all, s) {
				t.Errorf("%s: %q is missing in:\n%s", run, s, all)
			}
		}
		figure := render(t, picture.Authority(p))
		if strings.Count(figure, `role="img"`) != 2 || !strings.Contains(figure, "<li>"+templ.EscapeString(p.Lines()[0])) {
			t.Errorf("%s: the figure lacks its text alternatives", run)
		}
	}
}

// A replay's tokens lived in another hour; the script must leave them alone.
func TestReplayStandsStill(t *testing.T) {
	t.Parallel()
	p := picture.New(picture.Encounter("", "medassist"))
	for _, e := range history(t, "midway") {
		p.Apply(e)
	}
	if strings.Contains(render(t, picture.Authority(p)), "data-clock") {
		t.Error("a live run must run down")
	}
	p.Still = true
	if !strings.Contains(render(t, picture.Authority(p)), `data-clock="still"`) {
		t.Error("a replay must stand still")
	}
}

// A motion is for what the last event changed, and for nothing else.
func TestOnlyTheNewestIsNew(t *testing.T) {
	t.Parallel()
	events := history(t, "cross-patient")
	last, _ := both(t, events)
	if !strings.Contains(last, `pic-stopped pic-new`) {
		t.Error("the refusal that just happened is not marked as new")
	}
	later, _ := both(t, append(events[:len(events):len(events)], trace.Event{Seq: 99, Time: start, Step: trace.LLMStart{}}))
	if strings.Contains(later, "pic-new") {
		t.Error("something is still marked as new one event later")
	}
}

// No word in a figure is smaller than 12 pixels at its layout's own size.
func TestTextSizes(t *testing.T) {
	t.Parallel()
	css, err := os.ReadFile("../static/picture.css")
	if err != nil {
		t.Fatal(err)
	}
	sizes := regexp.MustCompile(`(?:font-size: |font: )([0-9.]+)px`).FindAllSubmatch(css, -1)
	if len(sizes) == 0 {
		t.Fatal("no sizes found")
	}
	for _, m := range sizes {
		if px, err := strconv.ParseFloat(string(m[1]), 64); err != nil || px < 12 {
			t.Errorf("%s", m[0])
		}
	}
}
