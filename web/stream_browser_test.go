package web_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/devonartis/medassist-go/scenario"
	"github.com/devonartis/medassist-go/web/browsertest"
	"github.com/devonartis/medassist-go/web/internal/newrun"
)

// frames counts the streams that a page has asked for.
func frames(p *browsertest.Page) (n int) {
	for _, address := range p.Requested() {
		if strings.Contains(address, "/frames?") {
			n++
		}
	}
	return n
}

// startScenario runs a scenario and puts it on the stage.
func (s *site) startScenario(t *testing.T, id, pace string) string {
	t.Helper()
	sc, _ := scenario.ByID(id)
	req, err := newrun.Play(sc, pace).Parse(true)
	must(t, err)
	run, err := s.service.Start(t.Context(), req)
	must(t, err)
	must(t, s.web.Show(t.Context(), run.ID))
	return run.ID
}

// Every page has one stream at most, whatever happens on it, and closes it when it
// is left: the pages of a talk fit into the six connections of a browser.
func TestBrowserOneStreamPerPage(t *testing.T) {
	t.Parallel()
	s := newSite(t, configure{})
	b := browsertest.Start(t)
	pages := map[string]*browsertest.Page{}
	for _, path := range []string{"/present", "/stage", "/follow"} {
		pages[path] = open(t, b, browsertest.Laptop, s.URL+path)
	}
	for _, sc := range []string{"billing", "cross-patient"} {
		s.finish(t, s.startScenario(t, sc, "instant"))
		for path, p := range pages {
			p.Wait(path+" shows the end", `document.querySelector("#foot")?.innerText.includes("confirmed revoked")`)
		}
	}
	pages["/runs"] = open(t, b, browsertest.Laptop, s.URL+"/runs/"+s.startScenario(t, "billing", "step"))
	pages["/runs"].Wait("the run waits", waits)
	for path, p := range pages {
		if n := frames(p); n != 1 {
			t.Errorf("%s has asked for %d streams: %v", path, n, p.Requested())
		}
		p.Go("about:blank")
	}
	observer := b.Open(t, browsertest.Laptop)
	observer.ExpectError("404") // /favicon.ico
	observer.Go(s.URL + "/healthz")
	observer.Wait("no stream is open", `fetch("/metrics").then(r => r.text()).then(text => /^medassist_viewers 0$/m.test(text))`)
}

// broken is a server whose streams are silent, unknown or refused.
type broken struct {
	mode    atomic.Value // "", "silent", "gone"
	streams atomic.Int32
}

func (b *broken) middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mode, _ := b.mode.Load().(string)
		if r.URL.Path != "/stage" && r.URL.Path != "/stage/frames" {
			next.ServeHTTP(w, r)
			return
		}
		if r.URL.Path == "/stage" {
			rec := httptest.NewRecorder()
			next.ServeHTTP(rec, r)
			for name, values := range rec.Header() {
				w.Header()[name] = values
			}
			w.Header().Del("Content-Length")
			fmt.Fprint(w, strings.ReplaceAll(rec.Body.String(), "data-stream=", `data-silent="500" data-stream=`))
			return
		}
		b.streams.Add(1)
		switch mode {
		case "silent":
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprint(w, ": connected\n\n")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		case "gone":
			http.Error(w, "no such run", http.StatusNotFound)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// A page says that its stream is silent, that its run no longer exists, and that
// the demo has stopped, each in its own words.
func TestBrowserSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	var front broken
	s := newSite(t, configure{front: front.middleware})
	id := s.startScenario(t, "billing", "step")
	p := open(t, browsertest.Start(t), browsertest.Laptop, s.URL+"/stage")
	p.ExpectError("404")
	says := func(words string) string {
		return `document.querySelector("#connection").innerText.startsWith(` + quote(words) + `)`
	}
	p.Wait("the run is shown", `document.querySelector("#verdict")`)
	front.mode.Store("silent")
	p.Reload()
	p.Wait("the silence is reported", says("Server unreachable since"))
	front.mode.Store("")
	p.Wait("it is over", `document.querySelector("#connection").innerText === ""`)
	s.pace(t, id, "instant")
	p.Wait("the stage goes on", `document.querySelector("#foot").innerText.includes("confirmed revoked")`)

	front.mode.Store("gone")
	p.Go(s.URL + "/stage")
	p.Wait("the loss is reported", says("This run no longer exists"))
	asked := front.streams.Load()
	browsertest.Eval[bool](p, `new Promise(r => setTimeout(() => r(true), 1200))`)
	if n := front.streams.Load(); n != asked {
		t.Errorf("the page asks %d times more for what does not exist", n-asked)
	}

	front.mode.Store("")
	p.Go(s.URL + "/stage")
	p.Wait("the page is connected", `document.querySelector("#verdict")`)
	s.startScenario(t, "billing", "step")
	p.Wait("another run is shown", `document.querySelector("#verdict").innerText.includes("Model requests")`)
	must(t, s.service.Shutdown(t.Context()))
	s.web.Close()
	p.Wait("the end is reported", says("The demo stopped at"))
	if !browsertest.Eval[bool](p, `document.querySelector("#verdict").innerText.includes("ancelled")`) {
		t.Errorf("the page does not show the run's end, but %s", p.Text("#verdict"))
	}
}

// legible returns what is too small, or cut off, on the stage.
const legible = `(() => {
  const stage = document.querySelector(".stage").getBoundingClientRect(), wrong = [];
  for (const e of document.querySelectorAll(".stage text, .stage :is(b, q, p, span, h2)")) {
    const box = e.getBoundingClientRect();
    if (!box.width || e.closest(".unseen")) continue;
    const words = e.textContent.trim().slice(0, 40);
    if (box.left < stage.left - 1 || box.right > stage.right + 1 || box.top < stage.top - 1 || box.bottom > stage.bottom + 1) wrong.push("cut off: " + words);
    const scale = e.ownerSVGElement ? e.getScreenCTM().a : 1;
    const size = parseFloat(e.ownerSVGElement ? e.getAttribute("font-size") : getComputedStyle(e).fontSize) * scale;
    if (size < %g) wrong.push(size.toFixed(1) + " px: " + words);
  }
  return wrong.join("\n");
})()`

// Every picture is legible and whole: 20 px on the stage at 1280 pixels, and on
// phones the whole picture without scrolling.
func TestBrowserStageIsLegible(t *testing.T) {
	s := newSite(t, configure{})
	b := browsertest.Start(t)
	screens := []struct {
		path     string
		screen   browsertest.Screen
		smallest float64
	}{
		{"/stage", browsertest.Laptop, 19.5},
		{"/stage", browsertest.Projector.InLight(), 29},
		{"/stage", browsertest.Screen{Width: 1024, Height: 768}, 15.6},
		{"/follow", browsertest.Screen{Width: 360, Height: 640, Touch: true, Light: true}, 10},
		{"/follow", browsertest.Screen{Width: 430, Height: 932, Touch: true}, 13},
		{"/follow", browsertest.Screen{Width: 844, Height: 390, Touch: true}, 10},
	}
	pages := make([]*browsertest.Page, len(screens))
	for i, sc := range screens {
		pages[i] = open(t, b, sc.screen, s.URL+sc.path)
	}
	for _, id := range []string{"full", "injection", "kill-switch", "over-reach"} {
		s.finish(t, s.startScenario(t, id, "instant"))
		for i, p := range pages {
			sc := screens[i]
			name := fmt.Sprintf("%s-%s-%dx%d", id, sc.path[1:], sc.screen.Width, sc.screen.Height)
			p.Wait(name+" is over", `document.querySelector("#foot")?.innerText.includes("confirmed") && document.querySelector("#act").innerText.startsWith(`+quote(titleOf(id))+`)`)
			if wrong := browsertest.Eval[string](p, fmt.Sprintf(legible, sc.smallest)); wrong != "" {
				t.Errorf("%s:\n%s", name, wrong)
			}
			if over := browsertest.Eval[int](p, `Math.max(document.documentElement.scrollWidth - innerWidth, document.documentElement.scrollHeight - innerHeight)`); over > 0 {
				t.Errorf("%s: %d px too large for the screen", name, over)
			}
			p.Screenshot("legible-" + name)
		}
	}
}

func titleOf(id string) string {
	sc, _ := scenario.ByID(id)
	return sc.Title
}
