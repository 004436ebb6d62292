package run_test

import (
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/web/picture/sample"
	"github.com/devonartis/medassist-go/web/run"
)

// Each prepared run makes a page with unique IDs, without inline scripts and
// styles, and with no markup from outside.
func TestPageOfEachPreparedRun(t *testing.T) {
	for _, h := range sample.Histories() {
		t.Run(h.Name, func(t *testing.T) {
			r := project(h.Events...)
			d := render(t, run.EncounterPage(encounter(r)))
			ids := map[string]bool{}
			for n := range d.root.Descendants() {
				if n.Type != html.ElementNode {
					continue
				}
				if id := attr(n, "id"); id != "" && ids[id] {
					t.Errorf("two elements have the ID %q", id)
				} else {
					ids[id] = true
				}
				assertNothingInline(t, n)
			}
			for n := range d.root.Descendants() {
				for _, a := range n.Attr {
					if a.Key == "for" || a.Key == "form" || strings.HasPrefix(a.Key, "aria-labelledby") || a.Key == "aria-describedby" {
						for _, id := range strings.Fields(a.Val) {
							if !ids[id] {
								t.Errorf("<%s %s=%q> names no element", n.Data, a.Key, a.Val)
							}
						}
					}
				}
			}
			if got := len(d.all("li", "step")); got != len(h.Events) {
				t.Errorf("%d lines for %d events", got, len(h.Events))
			}
		})
	}
}

func assertNothingInline(t *testing.T, n *html.Node) {
	t.Helper()
	if n.Data == "style" || n.Data == "script" && (attr(n, "src") == "" || n.FirstChild != nil) {
		t.Errorf("an inline <%s>", n.Data)
	}
	for _, a := range n.Attr {
		switch {
		case a.Key == "style", strings.HasPrefix(a.Key, "on"), strings.HasPrefix(a.Key, "hx-on"):
			t.Errorf("<%s %s=%q>", n.Data, a.Key, a.Val)
		case (a.Key == "src" || a.Key == "href" || a.Key == "action") && !strings.HasPrefix(a.Val, "/") && !strings.HasPrefix(a.Val, "#"):
			t.Errorf("<%s %s=%q> leads elsewhere", n.Data, a.Key, a.Val)
		}
	}
}

// Only a live run has a stream, which resumes after the last event shown.
func TestOnlyALiveRunHasAStream(t *testing.T) {
	events := prepared(t, "full")
	live := render(t, run.RunView(project(events[:7]...)))
	if got := attr(live.byID("stream"), "data-stream"); got != "/runs/r-7f3a/frames?after=7" {
		t.Errorf("the stream is %s", got)
	}
	over := render(t, run.RunView(project(events...)))
	if strings.Contains(over.text, "data-stream") || strings.Contains(over.text, "data-live") {
		t.Error("an ended run has a stream")
	}
}

func TestFormKeepsWhatWasTyped(t *testing.T) {
	e := encounter(nil)
	e.Form = run.Form{PatientID: `"><b>`, Request: "<i>x</i>", Pace: "talk:800ms", Errors: map[string]string{"patient_id": "That is no ID.", "": "Too many runs."}}
	d := render(t, run.RequestForm(e))
	if got := attr(d.byID("patient"), "value"); got != `"><b>` {
		t.Errorf("patient = %q", got)
	}
	if got := attr(d.byID("request"), "value"); got != "<i>x</i>" {
		t.Errorf("request = %q", got)
	}
	for _, n := range d.all("option") {
		if _, selected := find(n, "selected"); selected != (attr(n, "value") == "talk") && attr(n, "value") != "P-1042" {
			t.Errorf("pace %s is selected: %v", attr(n, "value"), selected)
		}
	}
	if got := words(d.byID(attr(d.byID("patient"), "aria-describedby"))); got != "That is no ID." {
		t.Errorf("the patient's error: %q", got)
	}
	if attr(d.byID("request"), "aria-invalid") != "" {
		t.Error("the request is marked, though nothing is wrong with it")
	}
	if got := d.texts("div", "field-error"); len(got) != 2 || got[1] != "Too many runs." {
		t.Errorf("errors: %q", got)
	}
}

func find(n *html.Node, name string) (string, bool) {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}

// The audience is offered no controls.
func TestAudienceHasNoControls(t *testing.T) {
	for _, r := range []*run.Run{nil, project(prepared(t, "midway")...)} {
		e := encounter(r)
		e.Page = page(false)
		d := render(t, run.EncounterPage(e))
		for _, form := range d.all("form") {
			inControls := false
			for n := form; n != nil; n = n.Parent {
				inControls = inControls || strings.Contains(attr(n, "class"), "presenter-only")
			}
			if !inControls {
				t.Errorf("a form that posts to %s", attr(form, "action"))
			}
		}
		if !strings.Contains(attr(d.all("body")[0], "class"), "audience") {
			t.Error("the page is not marked as the audience's")
		}
	}
}

func TestHistory(t *testing.T) {
	d := render(t, run.HistoryPage(run.History{Page: page(true), Runs: []trace.Run{
		{ID: "run-2", PatientID: "P-1042", Request: "<b>Show</b>", Started: began},
		{ID: "run-1", PatientID: "P-2187", Request: "Show", Started: began, Ended: began, Outcome: "answered", Summary: &trace.Complete{Allowed: 3, Denied: 1, Tokens: 2, ConfirmedRevoked: 2}},
	}}))
	got := d.texts("tr")
	for i, want := range []string{"P-1042 <b>Show</b> live", "P-2187 Show answered 3 1 2 of 2 Replay P-2187, " + began.Local().Format("2 Jan 15:04:05")} {
		if line := strings.Join(strings.Fields(got[i+1])[3:], " "); line != want {
			t.Errorf("row %d: %q, want %q", i, line, want)
		}
	}
	if got := render(t, run.HistoryPage(run.History{Page: page(true), Newest: true})).texts("p", "muted"); len(got) != 1 || !strings.HasPrefix(got[0], "No runs yet.") {
		t.Errorf("without a run: %q", got)
	}
}
