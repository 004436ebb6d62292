package web_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/devonartis/medassist-go/web/browsertest"
)

// A look back shows what had happened by then and nothing of what came after.
func TestLookBack(t *testing.T) {
	t.Parallel()
	s := newSite(t, configure{})
	id, lines := s.encounter(t, "P-1042", "Show records, check billing, and prescribe Lisinopril")
	for _, tc := range []struct {
		at       string
		status   int
		has, not string
	}{
		{"1", http.StatusOK, "past-authority", "released"},
		{fmt.Sprint(lines[len(lines)/2]), http.StatusOK, `id="past-card-clinical"`, "Revoke"},
		{fmt.Sprint(lines[len(lines)-1]), http.StatusOK, "released", `id="auth`},
		{"99999", http.StatusOK, "released", ""},
		{"-1", http.StatusBadRequest, "", ""},
		{"x", http.StatusBadRequest, "", ""},
	} {
		resp, body := s.fetch(t, "/runs/"+id+"/at/"+tc.at)
		if resp.StatusCode != tc.status || !strings.Contains(string(body), tc.has) || tc.not != "" && strings.Contains(string(body), tc.not) {
			t.Errorf("at %s: %d; want %d with %q and without %q", tc.at, resp.StatusCode, tc.status, tc.has, tc.not)
		}
	}
	if resp, _ := s.fetch(t, "/runs/r-nobody/at/1"); resp.StatusCode != http.StatusNotFound {
		t.Errorf("a run that never was: %d", resp.StatusCode)
	}
}

// The pace of a live run is changed by its buttons; that of one which is over,
// or to something that is none, is not.
func TestPaceFromPage(t *testing.T) {
	t.Parallel()
	s := newSite(t, configure{})
	id := s.start(t, "P-1042", "Show records", "step")
	pace := func(p string) int {
		resp, err := http.PostForm(s.URL+"/runs/"+id+"/pace", url.Values{"pace": {p}})
		must(t, err)
		resp.Body.Close()
		return resp.StatusCode
	}
	if got := pace("at once"); got != http.StatusBadRequest {
		t.Errorf("no pace: %d", got)
	}
	if got := pace("instant"); got != http.StatusNoContent {
		t.Errorf("instant: %d", got)
	}
	s.finish(t, id)
	if got := pace("step"); got != http.StatusConflict {
		t.Errorf("a run that is over: %d", got)
	}
}

// While a run waits, the presenter goes back through it and forward again; the
// run goes on beneath, and its pace can be changed in the middle.
func TestBrowserPaceAndLookingBack(t *testing.T) {
	s := newSite(t, configure{})
	p := open(t, browsertest.Start(t), browsertest.Laptop, s.URL)
	setPace(p, "step")
	p.Press("3")
	p.Wait("it waits", waits)
	p.Click("[data-next]")
	p.Wait("an agent lives, and it waits again", `document.querySelector("#trace [data-type=agent_created], #trace .m-alive") && document.querySelector(".badge.waiting")`)

	looking := func() string { return p.Text("#looking") }
	past := `document.querySelector("#run[data-past]") && document.querySelector("#past-authority svg")`
	p.Click("[data-look=first]")
	p.Wait("the past is shown", past)
	if !strings.HasPrefix(looking(), "looking back: step 1 of ") || !strings.HasSuffix(looking(), "the run continues") {
		t.Errorf("it says: %s", looking())
	}
	p.Click("[data-look=forward]")
	p.Wait("one step on", past+` && document.querySelector("#trace > li:nth-child(2).looked-at")`)
	cards := func(in string) int {
		return browsertest.Eval[int](p, `document.querySelectorAll("`+in+` .card").length`)
	}
	if then, now := cards("#past-cards"), cards("#cards"); then != 0 || now == 0 {
		t.Errorf("at the second step there were %d cards, now %d; want none, and some", then, now)
	}
	p.Screenshot("looking-back-1280x720")
	p.Accessible("looking back")

	// The pace changes beneath; the picture that is looked at stays.
	then := browsertest.Eval[string](p, `document.querySelector("#past-authority").innerHTML`)
	p.Press("t")
	p.Wait("it talks", `document.querySelector("#pace-talk[aria-pressed=true]")`)
	p.Press("+")
	p.Wait("it talks slower", `document.querySelector(".pause").innerText === "1.2 s"`)
	p.Screenshot("pace-talk-1280x720")
	p.Press("i")
	p.Wait("the run is over", isOver)
	if got := browsertest.Eval[string](p, `document.querySelector("#past-authority").innerHTML`); got != then {
		t.Error("what was looked at changed while the run went on")
	}
	p.Wait("it says that the run is over", `!document.querySelector("#looking").innerText.includes("continues")`)
	p.Click("[data-look=now]")
	p.Wait("now is shown", `!document.querySelector("#run[data-past]") && !document.querySelector(".looked-at")`)
	if got, want := browsertest.Eval[int](p, `document.querySelectorAll("#trace > li").length`), len(s.finish(t, runShown(p))); got != want {
		t.Errorf("%d steps are shown, want %d", got, want)
	}

	// Keys do what the buttons do.
	for _, k := range []struct{ key, step string }{{"Home", "1"}, {"ArrowRight", "2"}, {"ArrowRight", "3"}, {"ArrowLeft", "2"}} {
		browsertest.Eval[bool](p, fmt.Sprintf(`document.body.dispatchEvent(new KeyboardEvent("keydown", {key: %q, bubbles: true}))`, k.key))
		p.Wait(k.key+" leads to step "+k.step, `document.querySelector("#trace > li:nth-child(`+k.step+`).looked-at") && document.querySelector("#run[data-past]")`)
	}
}
