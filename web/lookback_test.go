package web_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/devonartis/medassist-go/web/browsertest"
)

// Looking back shows what had happened by then, and nothing of what came after.
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
		t.Errorf("an unknown run: %d", resp.StatusCode)
	}
}

// The buttons change the pace of a live run. An invalid pace and an ended run are
// refused.
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
		t.Errorf("an invalid pace: %d", got)
	}
	if got := pace("instant"); got != http.StatusNoContent {
		t.Errorf("instant: %d", got)
	}
	s.finish(t, id)
	if got := pace("step"); got != http.StatusConflict {
		t.Errorf("an ended run: %d", got)
	}
}

// While a run waits, the presenter looks back and forward; the run continues
// meanwhile, and its pace can be changed.
func TestBrowserPaceAndLookingBack(t *testing.T) {
	t.Parallel()
	s := newSite(t, configure{})
	p := open(t, browsertest.Start(t), browsertest.Laptop, s.URL)
	setPace(p, "step")
	p.Press("3")
	p.Wait("the run is waiting", waits)
	p.Click("[data-next]")
	p.Wait("there is an agent, and the run is waiting again", `document.querySelector("#trace [data-type=agent_created], #trace .m-alive") && document.querySelector(".badge.waiting")`)

	looking := func() string { return p.Text("#looking") }
	past := `document.querySelector("#run[data-past]") && document.querySelector("#past-authority svg")`
	p.Click("[data-look=first]")
	p.Wait("the past is shown", past)
	if !strings.HasPrefix(looking(), "looking back: step 1 of ") || !strings.HasSuffix(looking(), "the run continues") {
		t.Errorf("it shows: %s", looking())
	}
	p.Click("[data-look=forward]")
	p.Wait("one step on", past+` && document.querySelector("#trace > li:nth-child(2).looked-at")`)
	cards := func(in string) int {
		return browsertest.Eval[int](p, `document.querySelectorAll("`+in+` .card").length`)
	}
	if n := cards("#past-cards"); n != 0 {
		t.Errorf("at the second step there were %d cards, want none", n)
	}
	p.Screenshot("looking-back-1280x720")
	p.Accessible("looking back")

	// The pace changes; the past picture stays.
	then := browsertest.Eval[string](p, `document.querySelector("#past-authority").innerHTML`)
	p.Press("t")
	p.Wait("the pace is talk", `document.querySelector("#pace-talk[aria-pressed=true]")`)
	p.Press("+")
	p.Wait("the pause is longer", `document.querySelector(".pause").innerText === "1.2 s"`)
	p.Screenshot("pace-talk-1280x720")
	p.Press("i")
	p.Wait("the run has ended", isOver)
	if got := browsertest.Eval[string](p, `document.querySelector("#past-authority").innerHTML`); got != then {
		t.Error("the past picture changed while the run continued")
	}
	p.Wait("it no longer shows that the run continues", `!document.querySelector("#looking").innerText.includes("continues")`)
	p.Click("[data-look=now]")
	p.Wait("the latest step is shown", `!document.querySelector("#run[data-past]") && !document.querySelector(".looked-at")`)
	if got, want := browsertest.Eval[int](p, `document.querySelectorAll("#trace > li").length`), len(s.finish(t, runShown(p))); got != want {
		t.Errorf("%d steps are shown, want %d", got, want)
	}

	// What the stream only announced is fetched when it is shown.
	p.Click(".tab:has(#tab-token)")
	p.Wait("all cards are there", `document.querySelectorAll("#cards .card").length === 4`)
	p.Click(".tab:has(#tab-timing)")
	p.Wait("the waterfall is that of the whole run", `document.querySelector("#waterfall svg .pic-lane")`)
	p.Click(".tab:has(#tab-trace)")
	p.Click("#trace > li:nth-child(1) summary")
	p.Wait("a line's detail is there", `document.querySelector("#trace > li:nth-child(1) .detail dl")`)

	// Keys do what the buttons do.
	for _, k := range []struct{ key, step string }{{"Home", "1"}, {"ArrowRight", "2"}, {"ArrowRight", "3"}, {"ArrowLeft", "2"}} {
		browsertest.Eval[bool](p, fmt.Sprintf(`document.body.dispatchEvent(new KeyboardEvent("keydown", {key: %q, bubbles: true}))`, k.key))
		p.Wait(k.key+" leads to step "+k.step, `document.querySelector("#trace > li:nth-child(`+k.step+`).looked-at") && document.querySelector("#run[data-past]")`)
	}
}
