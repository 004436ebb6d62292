package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/attack"
	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/web"
	"github.com/devonartis/medassist-go/web/browsertest"
)

// The page shows the score of the last check and every attack. The presenter replays
// one as a run like any other, whose calls for another patient are denied.
func TestAttacks(t *testing.T) {
	t.Parallel()
	guarded := newSite(t, configure{web: func(c *web.Config) { c.PresenterKey = "a-key-for-the-presenter" }})
	if status, _ := guarded.form(t, "/attacks", url.Values{"attack": {attack.All()[0].ID}}); status != http.StatusForbidden {
		t.Errorf("replayed by a viewer: %d", status)
	}
	checked := attack.Report{Checked: time.Now(), Broker: "embedded", Score: attack.Score{Total: attack.Row{Goal: "total", Attacks: 117, Denied: 80}}}
	s := newSite(t, configure{web: func(c *web.Config) {
		c.AttackReport = func() (attack.Report, bool, error) { return checked, true, nil }
	}})
	_, body := s.fetch(t, "/attacks")
	for _, want := range []string{"117 attacks, ", "0 reached another patient", attack.All()[0].ID, "persistence in a note"} {
		if !strings.Contains(string(body), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if status, _ := s.form(t, "/attacks", url.Values{"attack": {"none"}}); status != http.StatusBadRequest {
		t.Errorf("an unknown attack: %d", status)
	}
	if status, body := s.form(t, "/attacks", url.Values{"attack": {attack.All()[0].ID}}); status != http.StatusOK {
		t.Fatalf("%d: %s", status, body)
	}
	runs, err := s.log.Runs(t.Context(), time.Time{}, 5)
	must(t, err)
	if len(runs) != 1 || runs[0].Live() || !runs[0].Summary.AllEnded() {
		t.Fatalf("%+v", runs)
	}
	events, err := s.log.Events(t.Context(), runs[0].ID, 0)
	must(t, err)
	denied := 0
	for _, e := range events {
		switch step := e.Step.(type) {
		case trace.ScopeDenied:
			denied++
		case trace.ToolCall:
			if step.PatientID != attack.Patient {
				t.Errorf("a call for %s was allowed", step.PatientID)
			}
		}
	}
	if denied == 0 {
		t.Error("nothing was denied")
	}
}

// The page fits a laptop and a phone, and an audit finds no violation.
func TestBrowserAttacks(t *testing.T) {
	s := newSite(t, configure{})
	b := browsertest.Start(t)
	for name, screen := range map[string]browsertest.Screen{"laptop": browsertest.Laptop, "phone": browsertest.Phone.InLight()} {
		p := open(t, b, screen, s.URL+"/attacks")
		p.Click(".attack-group summary")
		if wide := browsertest.Eval[int](p, `document.documentElement.scrollWidth - innerWidth`); wide > 0 {
			t.Errorf("%s: %d px too wide", name, wide)
		}
		p.Screenshot("attacks-" + name)
		p.Accessible("the attacks, " + name)
		if name == "laptop" {
			p.Click(".attack-group li button")
			p.Wait("the run's page is open", `location.pathname.startsWith("/runs/run-") && document.querySelector("#run")`)
		}
	}
}
