package web_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/web/browsertest"
)

func (s *site) runs(t *testing.T) []trace.Run {
	t.Helper()
	all, err := s.log.Runs(t.Context(), time.Time{}, 100)
	must(t, err)
	return all
}

func body(t *testing.T, res *http.Response) string {
	t.Helper()
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	must(t, err)
	return string(b)
}

// A form that is sent twice starts one run, without scripts too; another button of
// the same form, and the same button on another page, start another.
func TestFormStartsOneRun(t *testing.T) {
	t.Parallel()
	s := newSite(t, configure{})
	key := func() string {
		t.Helper()
		m := regexp.MustCompile(`name="idempotency_key" value="(\w{16})"`).FindStringSubmatch(body(t, get(t, s.URL+"/")))
		if m == nil {
			t.Fatal("the form has no key")
		}
		return m[1]
	}
	first, second := key(), key()
	if first == second {
		t.Fatal("two pages have the same key")
	}
	for i, tc := range []struct {
		key, scenario string
		runs          int
	}{
		{first, "billing", 1}, {first, "billing", 1}, {first, "clinical", 2}, {second, "billing", 3}, {"", "billing", 4}, {"", "billing", 5},
	} {
		res, err := http.PostForm(s.URL+"/runs", url.Values{"idempotency_key": {tc.key}, "scenario": {tc.scenario}, "patient_id": {"P-1042"}, "request": {""}, "pace": {"instant"}})
		must(t, err)
		res.Body.Close()
		if got := len(s.runs(t)); res.StatusCode != http.StatusOK || got != tc.runs {
			t.Errorf("%d: %s, %d runs, want %d", i, res.Status, got, tc.runs)
		}
	}
}

// A program's request with the key of an earlier one returns its run.
func TestAPIStartsOneRun(t *testing.T) {
	t.Parallel()
	s := newSite(t, configure{})
	start := func(key, patient string) (status int, answer string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/api/runs", strings.NewReader(fmt.Sprintf(`{"patient_id":%q,"request":"Show labs"}`, patient)))
		must(t, err)
		if key != "" {
			req.Header.Set("Idempotency-Key", key)
		}
		res, err := http.DefaultClient.Do(req)
		must(t, err)
		return res.StatusCode, body(t, res)
	}
	_, first := start("k", "P-1042")
	if status, again := start("k", "P-1042"); status != http.StatusAccepted || again != first {
		t.Errorf("the repeated request: %d %s, the first %s", status, again, first)
	}
	for _, tc := range []struct {
		name, key, patient string
		status             int
	}{
		{"another key", "l", "P-1042", http.StatusAccepted},
		{"no key", "", "P-1042", http.StatusAccepted},
		{"the key of another request", "k", "P-2187", http.StatusBadRequest},
		{"a long key", strings.Repeat("k", 101), "P-1042", http.StatusBadRequest},
	} {
		if status, answer := start(tc.key, tc.patient); status != tc.status || answer == first {
			t.Errorf("%s: %d %s", tc.name, status, answer)
		}
	}
}

// pressed dispatches a key press as a keyboard with another layout sends it.
func pressed(p *browsertest.Page, code, key string) {
	browsertest.Eval[bool](p, fmt.Sprintf(`(document.activeElement.dispatchEvent(new KeyboardEvent("keydown", {code: %q, key: %q, bubbles: true, cancelable: true})), true)`, code, key))
}

// A double click and a bounced key start one run. Shortcuts work with Caps Lock and
// on other layouts, also right after a request was typed.
func TestBrowserStartsOneRun(t *testing.T) {
	t.Parallel()
	s := newSite(t, configure{})
	p := open(t, browsertest.Start(t), browsertest.Laptop, s.URL)
	browsertest.Eval[bool](p, `(document.querySelector(".starts [value=cross-patient]").click(), document.querySelector(".starts [value=cross-patient]").click(), true)`)
	p.Wait("the run has ended", isOver)
	if got := len(s.runs(t)); got != 1 {
		t.Errorf("a double click started %d runs", got)
	}

	browsertest.Eval[bool](p, `(document.querySelector("#pace").value = "step", document.querySelector("#pace").dispatchEvent(new Event("change", {bubbles: true})), true)`)
	browsertest.Eval[bool](p, `(document.querySelector("#request").select(), true)`)
	p.Press("Show labs")
	p.Press("\r\r\r\r\r")
	p.Wait("the run is waiting", waits)
	if got := len(s.runs(t)); got != 2 {
		t.Errorf("Enter, pressed five times, started %d runs", got-1)
	}
	for _, k := range []struct{ layout, code, key string }{{"Latin", "KeyN", "n"}, {"Caps Lock", "KeyN", "N"}, {"Cyrillic", "KeyN", "т"}} {
		at := browsertest.Eval[string](p, `document.querySelector(".verdict-next").innerText`)
		pressed(p, k.code, k.key)
		p.Wait(k.layout+": the run continues", fmt.Sprintf(`document.querySelector(".verdict-next") && document.querySelector(".verdict-next").innerText !== %q || document.querySelector(".expectation, .badge.done")`, at))
		p.Wait("the run is waiting", waits)
	}
	if got := browsertest.Eval[string](p, `document.querySelector("#request").value`); got != "Show labs" {
		t.Errorf("a key was typed into the request: %q", got)
	}
	pressed(p, "KeyX", "ч")
	p.Wait("the run is cancelled", isOver+` && !document.querySelector("#stream")`)

	p.Press("/")
	if on := browsertest.Eval[string](p, `document.activeElement.id`); on != "request" {
		t.Errorf("after / the focus is on %q", on)
	}
	pressed(p, "Escape", "Escape")
	if on := browsertest.Eval[string](p, `document.activeElement.tagName`); on != "BODY" {
		t.Errorf("after Escape the focus is on %s", on)
	}
	before := len(s.runs(t))
	pressed(p, "Digit2", "é") // AZERTY
	p.Wait("scenario 2 runs", `document.querySelector('#scenarios [value=clinical][aria-pressed=true]')`)
	if got := len(s.runs(t)); got != before+1 {
		t.Errorf("the key 2 on AZERTY started %d runs", got-before)
	}
	if pace := browsertest.Eval[string](p, `document.querySelector("#pace").value`); pace != "step" {
		t.Errorf("the pace is %s", pace)
	}
	pressed(p, "KeyX", "x")
	p.Wait("the run is cancelled", isOver)
	p.Go(s.URL)
	if pace := browsertest.Eval[string](p, `document.querySelector("#pace").value`); pace != "step" {
		t.Errorf("on the next page the pace is %s", pace)
	}
}
