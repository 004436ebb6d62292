package run_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/a-h/templ"
	"golang.org/x/net/html"

	"github.com/devonartis/medassist-go/scenario"
	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/web/picture/sample"
	"github.com/devonartis/medassist-go/web/run"
	"github.com/devonartis/medassist-go/web/static"
	"github.com/devonartis/medassist-go/web/ui"
)

// doc is a rendered component, to be examined.
type doc struct {
	t    testing.TB
	text string
	root *html.Node
}

func render(t testing.TB, c templ.Component) doc {
	t.Helper()
	var b bytes.Buffer
	if err := c.Render(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	root, err := html.Parse(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	return doc{t, b.String(), root}
}

// all returns the elements that have this tag and all of these classes. An empty
// tag matches any.
func (d doc) all(tag string, classes ...string) (out []*html.Node) {
	for n := range d.root.Descendants() {
		if n.Type != html.ElementNode || tag != "" && n.Data != tag {
			continue
		}
		has := strings.Fields(attr(n, "class"))
		if !slices.ContainsFunc(classes, func(c string) bool { return !slices.Contains(has, c) }) {
			out = append(out, n)
		}
	}
	return out
}

// texts returns the text of those elements.
func (d doc) texts(tag string, classes ...string) (out []string) {
	for _, n := range d.all(tag, classes...) {
		out = append(out, words(n))
	}
	return out
}

func (d doc) byID(id string) *html.Node {
	d.t.Helper()
	for n := range d.root.Descendants() {
		if attr(n, "id") == id {
			return n
		}
	}
	d.t.Fatalf("there is no element %q", id)
	return nil
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// words returns an element's text, with spaces normalized.
func words(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		switch {
		case d.Type == html.TextNode:
			b.WriteString(d.Data)
		case strings.Contains(" p li dt dd td th ", " "+d.Data+" "):
			b.WriteByte(' ')
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// began is when the prepared runs start.
var began = time.Date(2026, 11, 12, 14, 3, 20, 0, time.UTC)

// project returns the projection of these events.
func project(events ...trace.Event) *run.Run {
	r := run.NewRun(trace.Run{ID: "r-7f3a", PatientID: "P-1042", Request: "Show the records.", ModelName: "OFFLINE PLANNER", Started: began})
	for _, e := range events {
		r.Apply(e)
	}
	return r
}

// prepared returns the prepared run of that name.
func prepared(t testing.TB, name string) []trace.Event {
	t.Helper()
	for _, h := range sample.Histories() {
		if h.Name == name {
			return h.Events
		}
	}
	t.Fatalf("there is no prepared run %q", name)
	return nil
}

func page(presenter bool) ui.Page {
	return ui.Page{Files: static.New(run.Assets), Title: "Encounter", Name: "encounter", Current: "/", Broker: "http://127.0.0.1:8080", Embedded: true,
		Model: "OFFLINE PLANNER", ModelMode: "offline", Presenter: presenter, Now: began}
}

func encounter(r *run.Run) run.Encounter {
	e := run.Encounter{Page: page(true), Scenarios: scenario.All(),
		Patients: []run.PatientOption{{ID: "P-1042", Name: "Maria Alvarez"}}, Form: run.Form{PatientID: "P-1042"}}
	if r != nil {
		e.Content = run.RunView(r)
	}
	return e
}

// A patient is suggested, never guessed: the run is not started with another ID than
// the one that was typed.
func TestSuggestedPatient(t *testing.T) {
	e := encounter(nil)
	e.Form = run.Form{PatientID: "p-1042", Errors: map[string]string{"patient_id": "No patient p-1042. Maria Alvarez is P-1042."}, Suggested: &run.PatientOption{ID: "P-1042", Name: "Maria Alvarez"}}
	d := render(t, run.RequestForm(e))
	if got := attr(d.byID("patient"), "value"); got != "p-1042" {
		t.Errorf("patient = %q", got)
	}
	if got := d.texts("button", "quiet"); len(got) != 1 || got[0] != "Use P-1042" {
		t.Errorf("offered: %q", got)
	}
}
