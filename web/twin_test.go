package web_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/twin"
	"github.com/devonartis/medassist-go/web"
	"github.com/devonartis/medassist-go/web/browsertest"
)

// compare makes a comparison over HTTP and returns its result.
func (s *site) compare(t *testing.T, scenario string) twin.Result {
	t.Helper()
	if status, body := s.form(t, "/twin", url.Values{"scenario": {scenario}}); status != 200 {
		t.Fatalf("%d: %s", status, body)
	}
	for {
		r, ok := s.twins.Latest(t.Context())
		if ok && !r.Live() {
			return r
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// The presenter starts a comparison, viewers see its figures, and its files hold them
// without the key.
func TestTwin(t *testing.T) {
	t.Parallel()
	const key = "a-key-for-the-presenter"
	guarded := newSite(t, configure{web: func(c *web.Config) { c.PresenterKey = key }})
	if status, _ := guarded.form(t, "/twin", url.Values{"scenario": {"cross-patient"}}); status != 403 {
		t.Errorf("started by a viewer: %d", status)
	}
	if _, ok := guarded.twins.Latest(t.Context()); ok {
		t.Error("a viewer started a comparison")
	}
	s := newSite(t, configure{})
	if status, _ := s.form(t, "/twin", url.Values{"scenario": {"billing"}}); status != 400 {
		t.Errorf("a scenario without a comparison: %d", status)
	}
	if resp, _ := s.fetch(t, "/twin/twin-0"); resp.StatusCode != 404 {
		t.Errorf("an unknown comparison: %s", resp.Status)
	}
	r := s.compare(t, "over-reach")
	for _, tc := range []struct {
		path string
		has  []string
	}{
		{"/twin", []string{"The shared key opened 4 of 4 patients and still works.", "AgentWrit: 1 of 4, and now nothing.", "prescription for P-2187", "1 write blocked",
			"exists only during this comparison", "no end", "until someone rotates it", "the API key"}},
		{"/twin/" + r.ID, []string{"1 of 4 patients, until release", r.RunID}},
		{"/twin/" + r.ID + "/export.html", []string{"default-src &#39;none&#39;; style-src &#39;sha256-", "4 of 4 patients, and keeps it", r.RunID}},
		{"/twin/" + r.ID + "/export.json", []string{`"access_log":[{`, `"decision_log":[{`, `"key_preview":"demo-key-…`}},
	} {
		_, body := s.fetch(t, tc.path)
		text := strings.NewReplacer(`<span class="unbroken">`, "", "</span>", "").Replace(string(body))
		for _, want := range tc.has {
			if !strings.Contains(text, want) {
				t.Errorf("%s lacks %q", tc.path, want)
			}
		}
		if strings.Contains(strings.ReplaceAll(string(body), r.KeyPreview, ""), "demo-key-") || strings.Contains(string(body), "eyJhbGciOi") {
			t.Errorf("%s shows a credential", tc.path)
		}
	}
	_, body := s.fetch(t, "/twin/"+r.ID+"/export.json")
	var again twin.Result
	must(t, json.Unmarshal(body, &again))
	if again.ID != r.ID || len(again.Calls) != 2 || len(again.AccessLog) != len(r.AccessLog) {
		t.Errorf("the file holds %+v", again)
	}
	for shown, status := range map[string]int{
		fmt.Sprintf("%s done %d", r.ID, r.Changes):      204,
		fmt.Sprintf("%s running %d", r.ID, r.Changes):   200,
		fmt.Sprintf("%s running %d", r.ID, r.Changes-1): 200,
		"": 200,
	} {
		if resp, body := s.fetch(t, "/twin/news?shown="+url.QueryEscape(shown)); resp.StatusCode != status || status == 200 && len(body) > 40_000 {
			t.Errorf("a page that shows %q: %s, %d bytes", shown, resp.Status, len(body))
		}
	}
	if status, _ := s.form(t, "/twin/"+r.ID+"/cancel", nil); status != 404 {
		t.Errorf("cancelled after its end: %d", status)
	}
}

// A comparison fits every screen without scrolling sideways, in text of at least
// 14 px, and an audit finds no violation.
func TestBrowserTwin(t *testing.T) {
	t.Parallel()
	s := newSite(t, configure{})
	b := browsertest.Start(t)
	p := open(t, b, browsertest.Laptop, s.URL+"/twin")
	p.Accessible("before the first comparison")
	p.Screenshot("twin-intro")
	p.Press("9")
	p.Wait("the comparison is over", `document.querySelector(".twin-verdict b")?.innerText.includes("now nothing")`)
	const small = `[...document.querySelectorAll("#twin *")].filter(e => e.childNodes.length && [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) && e.getClientRects().length)
		.map(e => [e.ownerSVGElement ? e.getScreenCTM().a * parseFloat(e.getAttribute("font-size") ?? 99) : parseFloat(getComputedStyle(e).fontSize), e.textContent.trim()])
		.filter(([px]) => px < 13.9).map(String)`
	check := func(name string) {
		t.Helper()
		if wide := browsertest.Eval[int](p, `document.documentElement.scrollWidth - innerWidth`); wide > 0 {
			t.Errorf("%s: %d px too wide", name, wide)
		}
		if got := browsertest.Eval[[]string](p, small); len(got) > 0 {
			t.Errorf("%s: text below 14 px: %q", name, got)
		}
		p.Accessible("a comparison, " + name)
	}
	for _, key := range []string{"4", "8", "9", "s"} {
		was := browsertest.Eval[string](p, `document.querySelector("#twin .exports a").href`)
		p.Press(key)
		p.Wait("another comparison is over", fmt.Sprintf(`(a => a && a.href !== %q)(document.querySelector("#twin .exports a"))`, was))
		p.Screenshot("twin-" + key)
	}
	if tall := browsertest.Eval[int](p, `document.documentElement.scrollHeight - innerHeight`); tall > 0 {
		t.Errorf("at 1280x720 the page is %d px too tall", tall)
	}
	check("laptop, dark")
	for name, screen := range map[string]browsertest.Screen{"light": browsertest.Laptop.InLight(), "projector": browsertest.Projector, "phone": browsertest.Phone,
		"small phone": {Width: 360, Height: 640, Touch: true}} {
		p = open(t, b, screen, s.URL+"/twin")
		check(name)
		p.Screenshot("twin-" + strings.ReplaceAll(name, " ", "-"))
		if name == "phone" {
			browsertest.Eval[bool](p, `(document.querySelector(".twin-side:not(.twin-shared)").scrollIntoView(), true)`)
			p.Screenshot("twin-phone-right")
		}
	}
	for name, at := range map[string]struct {
		path   string
		screen browsertest.Screen
	}{"stage": {"/stage", browsertest.Laptop}, "stage-large": {"/stage", browsertest.Projector}, "follow": {"/follow", browsertest.Phone}} {
		p = open(t, b, at.screen, s.URL+at.path)
		p.Wait("the comparison is on the stage", `document.querySelector(".twin-stage .twin-verdict")`)
		if wide := browsertest.Eval[int](p, `document.documentElement.scrollWidth - innerWidth`); wide > 0 || p.Count(".twin-stage :is(a, button, form)") > 0 {
			t.Errorf("%s: %d px too wide, or with controls", name, wide)
		}
		p.Screenshot("twin-on-" + name)
	}
	p = open(t, b, browsertest.Laptop, s.URL+"/twin")
	p.Press("p")
	p.Screenshot("twin-projector-mode")
	p.Press("p")
}
