package web_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/devonartis/medassist-go/scenario"
	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/web/browsertest"
	"github.com/devonartis/medassist-go/web/internal/newrun"
)

// wholeToken matches a JWT that could be used.
var wholeToken = regexp.MustCompile(`eyJ[\w-]{10,}`)

// Each decision leads to what was required and held, to the authority behind it, to
// an event of the broker's log, and to a command that contains no token.
func TestWhy(t *testing.T) {
	t.Parallel()
	s := newSite(t, configure{})
	decisions := map[trace.Type]int{}
	for _, request := range []string{"Show records, check billing, and prescribe Lisinopril",
		"Show me records for this patient and also get records for P-2187", "Prescribe Amoxicillin for P-2187"} {
		id, _ := s.encounter(t, "P-1042", request)
		events, err := s.log.Events(t.Context(), id, 0)
		must(t, err)
		_, audit := s.fetch(t, "/audit?run="+id)
		for _, e := range events {
			typ := e.Step.Type()
			resp, page := s.fetch(t, fmt.Sprintf("/runs/%s/why/%d", id, e.Seq))
			want := []string{"Operator&#39;s ceiling", "9 scopes, any patient", "Launch token", "any patient → P-1042", "agent, for", "curl -s", "$ADMIN_TOKEN"}
			switch typ {
			case trace.TypeAgentCreated:
				want[4] = "registered with its own key"
			case trace.TypeToolCall:
				want[4] = "The token holds every scope"
			case trace.TypeScopeDenied:
				want[4] = `differs">P-2187</span>`
			case trace.TypeDelegation:
				want = append(want, "delegation created", "4 → 1 scope")
			case trace.TypeDelegationDenied:
				want[4] = "delegation attenuation violation"
			default:
				if resp.StatusCode != http.StatusNotFound {
					t.Errorf("%s is no decision: %d", typ, resp.StatusCode)
				}
				continue
			}
			decisions[typ]++
			for _, part := range want {
				if !strings.Contains(string(page), part) {
					t.Errorf("why %s: the page lacks %q", typ, part)
				}
			}
			if wholeToken.Match(page) {
				t.Errorf("why %s: the page contains a token", typ)
			}
			for _, m := range regexp.MustCompile(`/audit\?run=[\w-]+#(event-[\w-]+)"`).FindAllSubmatch(page, -1) {
				if !strings.Contains(string(audit), `id="`+string(m[1])+`"`) {
					t.Errorf("why %s: the audit page has no %s", typ, m[1])
				}
			}
			if !strings.Contains(string(page), `#event-`) {
				t.Errorf("why %s: no event is named", typ)
			}
		}
	}
	for _, typ := range []trace.Type{trace.TypeAgentCreated, trace.TypeToolCall, trace.TypeScopeDenied, trace.TypeDelegation, trace.TypeDelegationDenied} {
		if decisions[typ] == 0 {
			t.Errorf("no %s was explained", typ)
		}
	}
}

// A token that is no longer accepted is explained in words, and leads to the event
// that ended it; a use of a stolen token that was accepted does not.
func TestWhyOfAnEndedToken(t *testing.T) {
	t.Parallel()
	s := newSite(t, configure{})
	runs := map[string]string{}
	for _, name := range []string{"kill-switch", "stolen-token"} {
		sc, _ := scenario.ByID(name)
		req, err := newrun.Play(sc, "instant").Parse(false)
		must(t, err)
		run, err := s.service.Start(t.Context(), req)
		must(t, err)
		s.finish(t, run.ID)
		runs[name] = run.ID
	}
	const released = "token released"
	for _, tc := range []struct {
		scenario, label    string // the scenario, and how the decision's label begins
		reason, event, not string
	}{
		{"kill-switch", "Operator revoked", "The operator revoked agent", "token revoked", "no event"},
		{"kill-switch", "Denied at the gate", "The operator revoked the token.", "token revoked", "no event"},
		{"stolen-token", "Stolen token accepted for P-1042", "A bearer token works for anyone", "token issued", released},
		{"stolen-token", "Stolen token denied for P-2187", "The token lacks what is marked.", "token issued", released},
		{"stolen-token", "Stolen token denied for P-1042", "The token was revoked at the end of the run.", released, "no event"},
	} {
		id := runs[tc.scenario]
		events, err := s.log.Events(t.Context(), id, 0)
		must(t, err)
		i := slices.IndexFunc(events, func(e trace.Event) bool { return strings.HasPrefix(e.Label, tc.label) })
		if i < 0 {
			t.Fatalf("%s: no step %q", tc.scenario, tc.label)
		}
		_, page := s.fetch(t, fmt.Sprintf("/runs/%s/why/%d", id, events[i].Seq))
		for _, want := range []string{`<p class="why-reason">` + tc.reason, tc.event, "curl -s", "/v1/token/validate", "$ADMIN_TOKEN"} {
			if !strings.Contains(string(page), want) {
				t.Errorf("%s, %s: the page lacks %q", tc.scenario, tc.label, want)
			}
		}
		if strings.Contains(string(page), tc.not) {
			t.Errorf("%s, %s: the page has %q", tc.scenario, tc.label, tc.not)
		}
	}
}

// A token's page shows what a JWT debugger shows, as of then, but not the token.
func TestTokenPage(t *testing.T) {
	t.Parallel()
	s := newSite(t, configure{})
	id, _ := s.encounter(t, "P-1042", "Show records, check billing, and prescribe Lisinopril")
	events, err := s.log.Events(t.Context(), id, 0)
	must(t, err)
	at := slices.IndexFunc(events, func(e trace.Event) bool { return e.Step.Type() == trace.TypeDelegation })
	for _, tc := range []struct {
		path   string
		status int
		want   []string
	}{
		{"tokens/clinical", 200, []string{"alg", "EdDSA", "kid", "task_id", id, "jti", "6 of 86 characters", "This agent holds 4 scopes and delegated 1", "Before and after renewal", "confirmed revoked", "get_patient_records"}},
		{"tokens/prescription-delegated", 200, []string{"The delegator holds 4 scopes, this token 1", "not delegated", "delegation_chain", "chain_hash", "Delegation", "Delegator and delegate"}},
		{fmt.Sprintf("tokens/clinical?at=%d", events[at].Seq), 200, []string{"left of 5:00", "This agent holds 4 scopes and delegated 1"}},
		{"tokens/clinical?at=1", 404, nil},
		{"tokens/clinical?at=x", 400, nil},
		{"tokens/nobody", 404, nil},
		{"why/x", 400, nil},
		{"why/99999", 404, nil},
	} {
		resp, page := s.fetch(t, "/runs/"+id+"/"+tc.path)
		if resp.StatusCode != tc.status {
			t.Errorf("%s: %d, want %d", tc.path, resp.StatusCode, tc.status)
		}
		for _, part := range tc.want {
			if !strings.Contains(string(page), part) {
				t.Errorf("%s: the page lacks %q", tc.path, part)
			}
		}
		if wholeToken.Match(page) {
			t.Errorf("%s: the page contains a token", tc.path)
		}
	}
	if resp, _ := s.fetch(t, "/runs/r-nobody/tokens/clinical"); resp.StatusCode != http.StatusNotFound {
		t.Errorf("an unknown run: %d", resp.StatusCode)
	}
}

// A card, a lane and a denial open the drawer, which follows the run; Escape closes
// it and the focus returns.
func TestBrowserDrawer(t *testing.T) {
	t.Parallel()
	s := newSite(t, configure{})
	p := open(t, browsertest.Start(t), browsertest.Laptop, s.URL)
	setPace(p, "step")
	p.Press("4")
	proceed := func() {
		p.Wait("the run is waiting", waits)
		at := browsertest.Eval[string](p, `document.querySelector(".verdict-next").innerText`)
		p.Press("n")
		p.Wait("the run continues", fmt.Sprintf(`(document.querySelector(".verdict-next")?.innerText ?? "") !== %q`, at))
	}
	proceed()
	proceed()
	proceed()
	p.Click(".tab:has(#tab-token)")
	p.Click("#card-clinical a")
	p.Wait("the drawer is open", `document.querySelector("dialog[open] .jwt")`)
	p.Wait("the lifetime counts down", `/^4:\d\d$/.test(document.querySelector("dialog .drawer-left b").innerText)`)
	browsertest.Eval[bool](p, `(document.querySelector("#run tspan.life").dataset.expires = 1, true)`)
	p.Wait("an expired token says that it has expired", `document.querySelector("#run tspan.life").textContent === "expired"`)
	p.Accessible("the token's drawer")
	proceed()
	p.Wait("the drawer follows the run", `document.querySelectorAll("dialog .drawer-calls li").length === 1`)
	p.Press(browsertest.Escape)
	p.Wait("Escape closes the drawer", `!document.querySelector("dialog[open]")`)
	if on := browsertest.Eval[bool](p, `!document.querySelector("dialog[open]") && document.activeElement.closest("#card-clinical") !== null`); !on {
		t.Error("the focus does not return to the card")
	}
	for !browsertest.Eval[bool](p, `!!document.querySelector(".m-denied")`) {
		proceed()
	}
	p.Press("i")
	p.Wait("the run has ended", isOver)
	p.Click(".tab:has(#tab-trace)")
	p.Click(".m-denied .denial a")
	p.Wait("the explanation is open", `document.querySelector("dialog[open] .why")`)
	p.Accessible("why")
	fits := browsertest.Eval[json.RawMessage](p, `(e => ({wide: e.scrollWidth - e.clientWidth}))(document.querySelector("dialog"))`)
	if string(fits) != `{"wide":0}` {
		t.Errorf("the drawer scrolls sideways: %s", fits)
	}
	browsertest.Eval[bool](p, `(document.querySelector("dialog").close(), true)`)
	browsertest.Eval[bool](p, `(document.querySelector("#run svg.hero g[id$=-clinical] text").dispatchEvent(new MouseEvent("click", {bubbles: true})), true)`)
	p.Wait("the lane opens its token", `document.querySelector("dialog[open] .jwt")`)
}
