package web_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/agents"
	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/agentwrit/brokertest"
	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/web"
	"github.com/devonartis/medassist-go/web/browsertest"
)

// waiting starts a stepping run and advances it until it waits to take a step.
func (s *site) waiting(t *testing.T, request, before string) (id string) {
	t.Helper()
	req, err := agents.ParseRequest("P-1042", request, "step")
	must(t, err)
	run, err := s.service.Start(t.Context(), req)
	must(t, err)
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		state, err := s.service.State(run.ID)
		must(t, err)
		if state.Waiting == before {
			return run.ID
		}
		if state.Waiting != "" {
			must(t, s.service.Next(run.ID))
		}
	}
	t.Fatalf("the run never waited to %q", before)
	return ""
}

func (s *site) form(t *testing.T, path string, values url.Values) (int, string) {
	t.Helper()
	resp, err := http.PostForm(s.URL+path, values)
	must(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	return resp.StatusCode, string(body)
}

// stepsOf waits for a run's end and returns its steps of one type.
func stepsOf[T trace.Step](t *testing.T, s *site, id string) (out []T) {
	t.Helper()
	s.finish(t, id)
	events, err := s.log.Events(t.Context(), id, 0)
	must(t, err)
	for _, e := range events {
		if step, ok := e.Step.(T); ok {
			out = append(out, step)
		}
	}
	return out
}

// The operator sees the live agents and, before a revocation, its impact. The
// preview changes nothing; only its confirmation revokes.
func TestOperatorRevokes(t *testing.T) {
	t.Parallel()
	s := newSite(t, configure{})
	id := s.waiting(t, "Show records and labs", "call get_lab_results for P-1042")
	_, page := s.fetch(t, "/operator")
	if !strings.Contains(string(page), id) || !strings.Contains(string(page), "spiffe://") {
		t.Fatal("the live agent is not listed")
	}
	for _, fact := range []string{"<dt>version</dt>", "<dt>database</dt>", "✓ connected"} {
		if !strings.Contains(string(page), fact) {
			t.Errorf("the broker's health lacks %s", fact)
		}
	}
	revocation := url.Values{"level": {"agent"}, "target": {s.service.Tokens()[0].AgentID}}
	for range 2 {
		resp, preview := s.fetch(t, "/operator/revoke?"+revocation.Encode())
		if resp.StatusCode != 200 || !strings.Contains(string(preview), "revokes 1 token") {
			t.Errorf("preview: %s", resp.Status)
		}
	}
	if n := len(s.service.Tokens()); n != 1 {
		t.Fatalf("after the preview %d tokens are valid", n)
	}
	if status, said := s.form(t, "/operator/revoke", revocation); status != 200 || !strings.Contains(said, "Revoked agent ") {
		t.Errorf("revoke: %d", status)
	}
	must(t, s.service.SetPace(id, agents.Instant))
	if n := len(stepsOf[trace.TokenRevoked](t, s, id)); n != 1 {
		t.Errorf("%d revocations in the trace", n)
	}
	if n := len(stepsOf[trace.TokenRejected](t, s, id)); n != 1 {
		t.Errorf("%d calls were rejected for a revoked token", n)
	}
}

// With a broker that leaves delegated tokens valid, the preview states it, the result
// names what is still valid, and the whole tree is revoked one by one on request.
func TestOperatorAtTheReferenceBroker(t *testing.T) {
	t.Parallel()
	left := agentwrit.Promises{Keys: agentwrit.NotKept, Checkpoints: agentwrit.NotKept, Cascade: agentwrit.NotKept}
	s := newSite(t, configure{broker: brokertest.StartReference, web: func(c *web.Config) { c.Promises = func() agentwrit.Promises { return left } }})
	if _, page := s.fetch(t, "/operator"); strings.Count(string(page), "✕ not kept") != 3 {
		t.Error("the page does not name the promises that are not kept")
	}
	if _, page := s.fetch(t, "/audit"); strings.Contains(string(page), "/audit/checkpoint") || !strings.Contains(string(page), "this broker signs no checkpoint") {
		t.Error("the audit page offers a checkpoint")
	}
	if resp, body := s.fetch(t, "/audit/checkpoint"); resp.StatusCode != 404 || !strings.Contains(string(body), "signed checkpoints") {
		t.Errorf("checkpoint: %s", resp.Status)
	}
	for tree, says := range map[string]string{"": "still valid, because this broker does not revoke what was delegated", "yes": "2 tokens confirmed revoked"} {
		id := s.waiting(t, "Prescribe Amoxicillin for bacterial infection", "call write_prescription for P-1042")
		var agent string
		for _, token := range s.service.Tokens() {
			if token.RunID == id && token.Category == "clinical" {
				agent = token.AgentID
			}
		}
		revocation := url.Values{"level": {"agent"}, "target": {agent}}
		if _, preview := s.fetch(t, "/operator/revoke?"+revocation.Encode()); !strings.Contains(string(preview), "revokes 1 of up to 2 tokens: this broker does not revoke what was delegated") ||
			!strings.Contains(string(preview), "Revoke what was delegated too") {
			t.Error("the preview does not say what is left valid")
		}
		revocation.Set("tree", tree)
		if status, said := s.form(t, "/operator/revoke", revocation); status != 200 || !strings.Contains(said, says) {
			t.Errorf("tree %q: %d lacks %q", tree, status, says)
		}
		must(t, s.service.SetPace(id, agents.Instant))
		steps := stepsOf[trace.TokenRevoked](t, s, id)
		if tree == "" && (len(steps) != 1 || len(steps[0].StillValid) != 1) || tree == "yes" && (len(steps) != 2 || !steps[1].Remaining) {
			t.Errorf("tree %q: %+v", tree, steps)
		}
	}
}

func TestOperatorRefuses(t *testing.T) {
	t.Parallel()
	s := newSite(t, configure{})
	for name, tc := range map[string]struct {
		values url.Values
		says   string
	}{
		"no level":      {url.Values{"target": {"x"}}, "The level must be"},
		"another level": {url.Values{"level": {"planet"}, "target": {"x"}}, "The level must be"},
		"no target":     {url.Values{"level": {"agent"}}, "Enter a target to revoke"},
		"a long target": {url.Values{"level": {"agent"}, "target": {strings.Repeat("x", 513)}}, "Enter a target to revoke"},
	} {
		resp, body := s.fetch(t, "/operator/revoke?"+tc.values.Encode())
		if resp.StatusCode != 400 || !strings.Contains(string(body), tc.says) {
			t.Errorf("preview, %s: %s", name, resp.Status)
		}
		if status, body := s.form(t, "/operator/revoke", tc.values); status != 400 || !strings.Contains(body, tc.says) {
			t.Errorf("revoke, %s: %d", name, status)
		}
	}
}

// Without the admin secret, and for viewers, there are no controls.
func TestOperatorWithoutAuthority(t *testing.T) {
	t.Parallel()
	s := newSite(t, configure{web: func(c *web.Config) { c.Admin = nil }})
	if _, page := s.fetch(t, "/operator"); !strings.Contains(string(page), "AGENTWRIT_ADMIN_SECRET") {
		t.Error("the page does not name the admin secret")
	}
	guarded := newSite(t, configure{web: func(c *web.Config) { c.PresenterKey = "a-key-for-the-presenter" }})
	guarded.waiting(t, "Show records", "call get_patient_records for P-1042")
	_, page := guarded.fetch(t, "/operator")
	if html := string(page); strings.Contains(html, `method="post"`) || strings.Contains(html, "/operator/revoke") {
		t.Error("a viewer is offered to revoke")
	}
	for _, path := range []string{"/operator/revoke", "/operator/reset", "/api/reset"} {
		if status, _ := guarded.form(t, path, url.Values{"level": {"task"}, "target": {"x"}}); status != 403 {
			t.Errorf("%s without the key: %d", path, status)
		}
	}
}

// A reset in the middle of a run revokes its tokens first, and then restores the
// records.
func TestResetInTheMiddle(t *testing.T) {
	t.Parallel()
	s := newSite(t, configure{})
	before := s.medications(t)
	s.encounter(t, "P-1042", "Prescribe Amoxicillin for bacterial infection")
	if s.medications(t) == before {
		t.Fatal("the run wrote nothing")
	}
	id := s.waiting(t, "Show records and labs", "call get_lab_results for P-1042")
	resp, err := http.Post(s.URL+"/api/reset", "application/json", nil)
	must(t, err)
	defer resp.Body.Close()
	var answer struct {
		Cancelled int `json:"runs_cancelled"`
	}
	must(t, json.NewDecoder(resp.Body).Decode(&answer))
	if answer.Cancelled != 1 || len(s.service.Live()) > 0 || len(s.service.Tokens()) > 0 {
		t.Errorf("%d cancelled, live: %v", answer.Cancelled, s.service.Live())
	}
	run, err := s.log.Run(t.Context(), id)
	must(t, err)
	if run.Outcome != trace.OutcomeCancelled || !run.Summary.AllRevoked {
		t.Errorf("the run: %s, %+v", run.Outcome, run.Summary)
	}
	if s.medications(t) != before {
		t.Error("the records were not restored")
	}
}

// medications returns what the interaction check lists as the patient's.
func (s *site) medications(t *testing.T) string {
	t.Helper()
	id, _ := s.encounter(t, "P-1042", "Check the interactions of Ibuprofen")
	calls := stepsOf[trace.ToolCall](t, s, id)
	if len(calls) != 1 {
		t.Fatalf("%d calls", len(calls))
	}
	return string(calls[0].Output)
}

// Revoking from an agent's card and from the operator's page: a preview first,
// then the revocation, and the run's next call fails.
func TestBrowserKillSwitch(t *testing.T) {
	t.Parallel()
	s := newSite(t, configure{})
	b := browsertest.Start(t)
	for _, from := range []string{"card", "operator"} {
		id := s.waiting(t, "Show records and labs", "call get_lab_results for P-1042")
		stage := open(t, b, browsertest.Laptop, s.URL+"/runs/"+id)
		p := stage
		if from == "card" {
			p.Click(".tab:has(#tab-token)")
			p.Click("#card-clinical a")
			p.Click("dialog .danger")
		} else {
			p = open(t, b, browsertest.Laptop, s.URL+"/operator")
			p.Wait("the agent is listed", `document.querySelector(".revoke-links a")`)
			p.Click(".revoke-links a:nth-child(2)")
		}
		p.Wait("the preview is shown", `document.querySelector("#revocation .danger")`)
		if said := browsertest.Eval[string](p, `document.querySelector("#revocation").innerText`); !strings.Contains(said, "revokes 1 token") || !strings.Contains(said, "clinical") {
			t.Errorf("the preview: %s", said)
		}
		p.Screenshot("kill-" + from)
		p.Accessible("the preview of a revocation")
		p.Click("#revocation .danger")
		p.Wait("it is revoked", `document.querySelector("#revocation").innerText.includes("Revoked")`)
		stage.Wait("the stage shows it", `document.querySelector("[data-type=token_revoked]")`)
		stage.Press("n")
		stage.Wait("the next call fails", `document.querySelector("[data-type=token_rejected]")`)
		stage.Screenshot("killed-from-" + from)
		must(t, s.service.SetPace(id, agents.Instant))
		s.finish(t, id)
	}
}

// The operator's page fits every screen, with an agent and without.
func TestBrowserOperatorPage(t *testing.T) {
	t.Parallel()
	s := newSite(t, configure{})
	p := open(t, browsertest.Start(t), browsertest.Laptop, s.URL+"/operator")
	look := func(state string) {
		onEachScreen(p, func(name string) {
			p.Fits("the operator's page, " + state + ", " + name)
			p.Screenshot("operator-" + state + "-" + name)
			if name == "laptop" || name == "light" && state == "live" {
				p.Accessible("the operator's page, " + state + ", " + name)
			}
		})
		p.Show(browsertest.Laptop)
	}
	look("empty")
	id := s.waiting(t, "Prescribe Amoxicillin for bacterial infection", "call write_prescription for P-1042")
	p.Wait("the agents are listed", `document.querySelector(".revoke-links a")`)
	look("live")
	p.Click(".reset-form [type=checkbox]")
	p.Click(".reset-form button")
	p.Wait("the result is shown", `document.querySelector(".result")?.innerText.includes("1 live run cancelled")`)
	if run, err := s.log.Run(t.Context(), id); err != nil || run.Outcome != trace.OutcomeCancelled {
		t.Errorf("the run: %v, %v", run.Outcome, err)
	}
}

// The preflight's results arrive one by one, on the page and in the API.
func TestBrowserPreflight(t *testing.T) {
	t.Parallel()
	s := newSite(t, configure{})
	p := open(t, browsertest.Start(t), browsertest.Laptop, s.URL+"/operator")
	p.Click(".preflight-go button")
	p.Wait("all checks are done", `document.querySelectorAll("#checks li").length === 11 && !document.querySelector("#preflight-stream")`)
	if n := p.Count("#checks .is-allowed"); n != 11 {
		t.Errorf("%d of 11 checks pass: %s", n, browsertest.Eval[string](p, `document.querySelector("#checks").innerText`))
	}
	p.Screenshot("preflight")
	p.Accessible("the operator's page after a preflight")
	p.Reload()
	p.Wait("the results are shown again", `document.querySelectorAll("#checks li").length === 11`)
	resp, err := http.Post(s.URL+"/api/preflight", "", nil)
	must(t, err)
	defer resp.Body.Close()
	lines := 0
	for d := json.NewDecoder(resp.Body); d.More(); lines++ {
		must(t, d.Decode(new(map[string]any)))
	}
	if lines != 11 {
		t.Errorf("%d lines", lines)
	}
}

// One button stops all runs. Its preview lists what that ends and changes nothing;
// the result counts what the broker confirms.
func TestOperatorStopsEverything(t *testing.T) {
	t.Parallel()
	s := newSite(t, configure{})
	first := s.waiting(t, "Show records and labs", "call get_lab_results for P-1042")
	second := s.waiting(t, "Show billing history", "call get_billing_history for P-1042")
	_, page := s.fetch(t, "/operator")
	if a, b := strings.Index(string(page), ">"+second+"<"), strings.Index(string(page), ">"+first+"<"); a < 0 || b < a {
		t.Errorf("the newest run is not listed first: %d, %d", a, b)
	}
	for _, part := range []string{"Stop everything …", "Revoke task", "Revoke agent", "Revoke token"} {
		if !strings.Contains(string(page), part) {
			t.Errorf("the page lacks %q", part)
		}
	}
	_, preview := s.fetch(t, "/operator/stop")
	if !strings.Contains(string(preview), "This cancels 2 live runs and revokes 2 tokens:") || len(s.service.Live()) != 2 || len(s.service.Tokens()) != 2 {
		t.Errorf("the preview does not say what it ends, or ends it: %d runs live", len(s.service.Live()))
	}
	status, result := s.form(t, "/operator/stop", nil)
	if status != http.StatusOK || !strings.Contains(result, "2 runs stopped: 2 of 2 tokens confirmed revoked.") {
		t.Errorf("%d: %s", status, result)
	}
	for _, id := range []string{first, second} {
		if end := stepsOf[trace.Complete](t, s, id); len(end) != 1 || end[0].Outcome != trace.OutcomeCancelled || !end[0].AllRevoked {
			t.Errorf("%s ended with %+v", id, end)
		}
		if revoked := stepsOf[trace.TokenRevoked](t, s, id); len(revoked) != 1 || revoked[0].Level != "task" {
			t.Errorf("%s: revocations %+v", id, revoked)
		}
	}
	if _, page := s.fetch(t, "/operator"); strings.Contains(string(page), "Stop everything …") {
		t.Error("there is nothing to stop, and a button that does")
	}
}
