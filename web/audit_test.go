package web_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/web"
	"github.com/devonartis/medassist-go/web/browsertest"
)

// The page states how many events were verified, and shows those that the query
// selects.
func TestAuditPage(t *testing.T) {
	t.Parallel()
	s := newSite(t, configure{})
	id, _ := s.encounter(t, "P-1042", "Show me records for this patient and also get records for P-2187")
	other, _ := s.encounter(t, "P-1042", "Show labs")
	for query, tc := range map[string]struct {
		has, hasNot string
	}{
		"":                        {"events verified", "hash chain is broken"},
		"run=" + id:               {id, other},
		"task=" + other:           {other, id},
		"type=agent_registered":   {"<b>agent registered</b>", "<b>token released</b>"},
		"outcome=denied&task=x":   {"No matching events", "<b>agent registered</b>"},
		"type=%3Cscript%3E&run=x": {"No matching events", "<script>alert"},
	} {
		resp, body := s.fetch(t, "/audit?"+query)
		if page := string(body); resp.StatusCode != 200 || !strings.Contains(page, tc.has) || strings.Contains(page, tc.hasNot) {
			t.Errorf("%s: %s, has %q: %v, has %q: %v", query, resp.Status, tc.has, strings.Contains(page, tc.has), tc.hasNot, strings.Contains(page, tc.hasNot))
		}
	}
}

func TestAuditWithoutAdmin(t *testing.T) {
	t.Parallel()
	s := newSite(t, configure{web: func(c *web.Config) { c.Admin = nil }})
	for _, path := range []string{"/audit/frames", "/audit/export", "/audit/checkpoint"} {
		if resp, body := s.fetch(t, path); resp.StatusCode != 403 || !strings.Contains(string(body), "AGENTWRIT_ADMIN_SECRET") {
			t.Errorf("%s: %s", path, resp.Status)
		}
	}
}

// The export is the whole log, across the broker's pages, and verifies. It is
// denied to viewers.
func TestAuditExport(t *testing.T) {
	t.Parallel()
	s := newSite(t, configure{})
	admin := s.broker.Admin(t)
	var growing sync.WaitGroup
	for range 8 { // at once, so that they share commits
		growing.Go(func() {
			for range 1000 / 8 {
				if _, err := admin.Revoke(t.Context(), "task", "nothing"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	growing.Wait()
	resp, body := s.fetch(t, "/audit/export")
	var x struct {
		Total  int64                  `json:"total"`
		Events []agentwrit.AuditEvent `json:"events"`
	}
	must(t, json.Unmarshal(body, &x))
	n, _, err := agentwrit.VerifyChain(func(yield func(agentwrit.AuditEvent, error) bool) {
		for _, e := range x.Events {
			if !yield(e, nil) {
				return
			}
		}
	})
	if err != nil || n <= 1000 || n != x.Total || !strings.Contains(resp.Header.Get("Content-Disposition"), "attachment") {
		t.Errorf("%d of %d events: %v", n, x.Total, err)
	}
	if _, note := s.fetch(t, "/audit/checkpoint"); !strings.Contains(string(note), "\n"+fmt.Sprint(n)) {
		t.Logf("the checkpoint is later than the export: %s", note)
	}
	guarded := newSite(t, configure{web: func(c *web.Config) { c.PresenterKey = "a-key-for-the-presenter" }})
	if resp, _ := guarded.fetch(t, "/audit/export"); resp.StatusCode != 403 {
		t.Errorf("without the key: %s", resp.Status)
	}
	if status, _ := guarded.form(t, "/audit/reverify", nil); status != 403 {
		t.Errorf("starting over without the key: %d", status)
	}
}

// The page contains no token and no secret.
func TestAuditHoldsNoSecret(t *testing.T) {
	t.Parallel()
	s := newSite(t, configure{})
	s.encounter(t, "P-1042", "Prescribe Amoxicillin for bacterial infection")
	_, body := s.fetch(t, "/audit")
	if page := string(body); strings.Contains(page, "eyJhbGciOiJ") || strings.Contains(page, s.broker.AdminSecret) {
		t.Error("the page contains a token or a secret")
	}
}

// The page grows while a run is live, newest event first, with a filter or
// without.
func TestBrowserAuditLive(t *testing.T) {
	t.Parallel()
	s := newSite(t, configure{})
	s.encounter(t, "P-1042", "Show labs")
	b := browsertest.Start(t)
	all := open(t, b, browsertest.Laptop, s.URL+"/audit")
	some := open(t, b, browsertest.Laptop, s.URL+"/audit?type=agent_registered")
	ids := `[...document.querySelectorAll("#events > li")].map(li => li.id)`
	before, few := browsertest.Eval[[]string](all, ids), browsertest.Eval[[]string](some, ids)
	id, _ := s.encounter(t, "P-1042", "Show records, check billing, and prescribe Lisinopril")
	some.Wait("its three agents are listed", fmt.Sprintf(`document.querySelectorAll("#events > li").length === %d`, len(few)+3))
	all.Wait("the end of the run is listed", fmt.Sprintf(`document.querySelector("#trail").innerText.includes("events verified") && document.querySelectorAll("#events > li").length > %d`, len(before)+12))
	seen := map[string]bool{}
	for _, id := range browsertest.Eval[[]string](all, ids) {
		if seen[id] {
			t.Errorf("%s is shown twice", id)
		}
		seen[id] = true
	}
	if got := browsertest.Eval[string](all, `document.querySelector("#events > li time, #events > li .what").innerText`); got == "" {
		t.Error("the newest event is empty")
	}
	all.Click("#events > li summary")
	all.Screenshot("audit-open")
	all.Accessible("the audit page, an event open")
	all.Go(s.URL + "/runs/" + id)
	all.Click(".own-audit")
	all.Wait("the run's own events", `location.pathname === "/audit" && document.querySelectorAll("#events > li").length > 10`)
}

// MedAssist's own log is readable without the broker's admin secret, and the presenter
// can download it.
func TestAuditDecisions(t *testing.T) {
	t.Parallel()
	s := newSite(t, configure{web: func(c *web.Config) { c.Admin = nil }})
	id, _ := s.encounter(t, "P-1042", "Show me records for this patient and also get records for P-2187")
	_, body := s.fetch(t, "/audit?run="+id)
	for _, want := range []string{"MedAssist's own log", "2 decisions, chain intact", "get_patient_records for P-2187 by=gate", "AGENTWRIT_ADMIN_SECRET"} {
		if !strings.Contains(strings.ReplaceAll(string(body), `<span class="unbroken">P-2187</span>`, "P-2187"), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if resp, _ := s.fetch(t, "/audit/decisions?known=2"); resp.StatusCode != 204 {
		t.Errorf("no news: %s", resp.Status)
	}
	_, document := s.fetch(t, "/audit/decisions/export")
	var x struct {
		First  int64                  `json:"first"`
		Events []agentwrit.AuditEvent `json:"events"`
	}
	must(t, json.Unmarshal(document, &x))
	n, _, err := agentwrit.VerifyChain(func(yield func(agentwrit.AuditEvent, error) bool) {
		for _, e := range x.Events {
			if !yield(e, nil) {
				return
			}
		}
	})
	if err != nil || n != 2 || x.First != 1 || x.Events[1].Outcome != "denied" || x.Events[1].TaskID != id {
		t.Errorf("%d decisions from %d on: %v", n, x.First, err)
	}
	if strings.Contains(string(document), "eyJ") {
		t.Error("a token is in the log")
	}
}

// The tamper lab starts at the blocked call, in view. It changes a copy, shows that what
// follows breaks, and restores it, for MedAssist's own log and for the broker's.
func TestBrowserTamperLab(t *testing.T) {
	t.Parallel()
	s := newSite(t, configure{})
	s.encounter(t, "P-1042", "Show me records for this patient and also get records for P-2187")
	s.encounter(t, "P-1042", "Show records, check billing, and prescribe Lisinopril")
	b := browsertest.Start(t)
	p := open(t, b, browsertest.Laptop, s.URL+"/audit")
	const inView = `(e => { const r = e.getBoundingClientRect(); return r.top >= 0 && r.bottom <= innerHeight })`
	if !browsertest.Eval[bool](p, inView+`(document.querySelector("#lab"))`) || p.Count("#lab .block-denied") != 1 {
		t.Error("the blocked call is not in view")
	}
	if got := browsertest.Eval[string](p, `document.querySelector(".lab-form [name=event]").selectedOptions[0].innerText`); !strings.Contains(got, "P-2187") {
		t.Errorf("the lab starts at %s", got)
	}
	p.Click(".lab-form .danger")
	p.Wait("the change is detected", `document.querySelector(".lab-found")`)
	if broken := p.Count("#lab .block-broken"); broken < 4 || p.Count("#lab .block-changed.block-denied") != 1 || !browsertest.Eval[bool](p, inView+`(document.querySelector("#lab"))`) {
		t.Errorf("%d links break, in view", broken)
	}
	p.Screenshot("lab-own")
	for _, log := range []string{"own", "broker"} {
		for _, change := range []string{"edit", "forge", "delete", "swap", "cut"} {
			p.Click(".lab-form a")
			p.Wait("the copy is restored", `!document.querySelector(".lab-found")`)
			if now := browsertest.Eval[string](p, `document.querySelector(".lab-form [name=log]").value`); now != log {
				p.Go(s.URL + "/audit?log=" + log)
				p.Wait("the scripts have loaded", loaded)
			}
			browsertest.Eval[string](p, fmt.Sprintf(`document.querySelector(".lab-form [name=change]").value = %q`, change))
			browsertest.Eval[bool](p, `(document.querySelector(".lab-form [name=event]").selectedIndex = 2, true)`)
			p.Click(".lab-form .danger")
			p.Wait("the change is detected", `document.querySelector(".lab-found")`)
			if broken := p.Count("#lab .block-broken"); (broken > 0) != (change != "cut") {
				t.Errorf("%s of the %s log: %d links break", change, log, broken)
			}
		}
	}
	p.Accessible("the tamper lab")
	if p.Count("#trail .is-denied") > 0 {
		t.Error("the log itself is reported as broken")
	}
}

// The page fits every screen.
func TestBrowserAuditScreens(t *testing.T) {
	t.Parallel()
	s := newSite(t, configure{})
	s.encounter(t, "P-1042", "Show me records for this patient and also get records for P-2187")
	p := open(t, browsertest.Start(t), browsertest.Laptop, s.URL+"/audit")
	onEachScreen(p, func(name string) {
		p.Fits("the audit page, " + name)
		p.Screenshot("audit-" + name)
		if name == "laptop" || name == "light" {
			p.Accessible("the audit page, " + name)
		}
	})
}
