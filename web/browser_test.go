package web_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/devonartis/medassist-go/web/browsertest"
)

// JavaScript expressions for what a page shows.
const (
	isOver   = `document.querySelector(".badge.done, .badge.failed")`
	steps    = `[...document.querySelectorAll("#trace > li")].map(li => Number(li.id.slice(5)))`
	loaded   = `document.readyState === "complete" && window.htmx`
	waits    = `document.querySelector("[data-next]")`
	atNewest = `(({scrollHeight, scrollTop, clientHeight}) => scrollHeight - scrollTop - clientHeight < 2)(document.querySelector("#trace"))`
)

// open opens an address and waits until its scripts have loaded.
func open(t *testing.T, b *browsertest.Browser, screen browsertest.Screen, address string) *browsertest.Page {
	t.Helper()
	p := b.Open(t, screen)
	p.Go(address)
	p.Wait("the scripts have loaded", loaded)
	return p
}

// onEachScreen puts a page on each of the screens that it is designed for, by name.
func onEachScreen(p *browsertest.Page, look func(name string)) {
	for _, s := range []struct {
		name   string
		screen browsertest.Screen
	}{
		{"laptop", browsertest.Laptop}, {"light", browsertest.Laptop.InLight()},
		{"projector", browsertest.Projector}, {"phone", browsertest.Phone},
	} {
		p.Show(s.screen)
		look(s.name)
	}
}

func runShown(p *browsertest.Page) string {
	return browsertest.Eval[string](p, `document.querySelector("#run").dataset.run ?? ""`)
}

func setPace(p *browsertest.Page, pace string) {
	browsertest.Eval[string](p, fmt.Sprintf(`document.querySelector("#pace").value = %q`, pace))
}

// flaky breaks a page's streams: it refuses the first attempts, and cuts a number
// of later ones after a few writes.
type flaky struct {
	refuse, cut atomic.Int32
	streams     atomic.Int32
}

func (f *flaky) middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/frames") {
			next.ServeHTTP(w, r)
			return
		}
		f.streams.Add(1)
		if f.refuse.Add(-1) >= 0 {
			http.Error(w, "not now", http.StatusServiceUnavailable)
			return
		}
		writes := -1
		if f.cut.Add(-1) >= 0 {
			writes = 2
		}
		next.ServeHTTP(&failing{ResponseWriter: w, left: writes}, r)
	})
}

// failing is a connection that breaks when no writes are left. A negative number
// means that it never breaks.
type failing struct {
	http.ResponseWriter
	left int
}

func (f *failing) Write(b []byte) (int, error) {
	if f.left == 0 {
		panic(http.ErrAbortHandler)
	}
	f.left--
	return f.ResponseWriter.Write(b)
}

func (f *failing) Unwrap() http.ResponseWriter { return f.ResponseWriter }

// No step is lost or shown twice, however often the connection breaks. When the
// run has ended, the page does not reconnect.
func TestBrowserReconnects(t *testing.T) {
	t.Parallel()
	var f flaky
	f.refuse.Store(1)
	f.cut.Store(4)
	s := newSite(t, configure{front: f.middleware})
	p := open(t, browsertest.Start(t), browsertest.Laptop, s.URL)
	p.ExpectError("503")
	p.ExpectError("ERR_INCOMPLETE_CHUNKED_ENCODING")
	p.ExpectError("network error")
	browsertest.Eval[bool](p, `(document.querySelector("#pace option[value=talk]").value = "talk:200ms", true)`)
	setPace(p, "talk:200ms")
	p.Press("3")
	p.Wait("the loss is reported", `document.querySelector("#connection").innerText.startsWith("Server unreachable")`)
	p.Wait("the run has ended", isOver)
	if got, want := browsertest.Eval[[]int](p, steps), s.finish(t, runShown(p)); !slices.Equal(got, want) {
		t.Errorf("the page shows steps %v, the trace has %v", got, want)
	}
	if said := browsertest.Eval[string](p, `document.querySelector("#connection").innerText`); said != "" {
		t.Errorf("after reconnecting, the page still reports: %s", said)
	}
	streams := f.streams.Load()
	if streams < 4 { // a slow machine reaches the run's end before all cuts are made
		t.Errorf("the page connected only %d times, which tests little", streams)
	}
	browsertest.Eval[bool](p, `new Promise(r => setTimeout(() => r(true), 2500))`)
	if f.streams.Load() != streams || p.Count("#stream") > 0 {
		t.Error("the page reconnects to an ended run")
	}
}

// The address is that of the run, so that Back and links lead to it.
func TestBrowserHistory(t *testing.T) {
	t.Parallel()
	s := newSite(t, configure{})
	p := open(t, browsertest.Start(t), browsertest.Laptop, s.URL)
	p.Press("1")
	p.Wait("the run has ended", isOver)
	first := runShown(p)
	p.Press("2")
	p.Wait("another run has ended", fmt.Sprintf(`document.querySelector("#run").dataset.run !== %q && %s`, first, isOver))
	p.Back()
	p.Wait("the first run is back", fmt.Sprintf(`location.pathname === "/runs/%s" && document.querySelector("#run")?.dataset.run === %q && %s`, first, first, loaded))
	if got, want := browsertest.Eval[[]int](p, steps), s.finish(t, first); !slices.Equal(got, want) {
		t.Errorf("after Back the page shows steps %v, the trace has %v", got, want)
	}
	p.Back()
	p.Wait("the introduction is back", `document.querySelector(".introduction")`)
}

// Nothing collapses or moves while a reader reads.
func TestBrowserReadsUndisturbed(t *testing.T) {
	t.Parallel()
	s := newSite(t, configure{})
	p := open(t, browsertest.Start(t), browsertest.Laptop, s.URL)
	setPace(p, "step")
	p.Press("3")
	proceed := func(times int) {
		for range times {
			p.Wait("the run is waiting", waits)
			at := browsertest.Eval[string](p, `document.querySelector(".status").innerText`)
			p.Press("n")
			p.Wait("the run continues", fmt.Sprintf(`document.querySelector(".status").innerText !== %q`, at))
		}
		p.Wait("the run is waiting", waits)
	}
	proceed(6)
	if !browsertest.Eval[bool](p, atNewest) {
		t.Error("the trace does not follow the newest step")
	}
	p.Click("#trace > li:nth-child(5) summary")
	at := browsertest.Eval[float64](p, `document.querySelector("#trace").scrollTop`)
	proceed(4)
	if got := browsertest.Eval[float64](p, `document.querySelector("#trace").scrollTop`); got != at {
		t.Errorf("the trace moved from %v to %v while a step was open", at, got)
	}
	if p.Count("#trace > li:nth-child(5) > details[open]") != 1 {
		t.Error("what the reader opened was collapsed")
	}
	p.Screenshot("reading")
	p.Click("[data-act=newest]")
	if !browsertest.Eval[bool](p, atNewest) {
		t.Error("the button does not lead to the newest step")
	}
	proceed(1)
	if !browsertest.Eval[bool](p, atNewest) {
		t.Error("the trace does not follow the newest step again")
	}
}

// Without scripts a run can still be started and read.
func TestBrowserWithoutScript(t *testing.T) {
	t.Parallel()
	s := newSite(t, configure{})
	p := browsertest.Start(t).Open(t, browsertest.Laptop.WithoutScript())
	p.Go(s.URL)
	p.Click(".starts [value=cross-patient]")
	p.Wait("the run's page is open", `location.pathname.startsWith("/runs/run-")`)
	s.finish(t, strings.TrimPrefix(browsertest.Eval[string](p, "location.pathname"), "/runs/"))
	p.Reload()
	if p.Count("#trace > .m-denied") != 1 || p.Count("#answer p") == 0 || p.Count(".badge.done") != 1 {
		t.Error("the run is not shown in full")
	}
}

// What a user types is shown as text and never becomes markup.
func TestBrowserShowsMarkupAsText(t *testing.T) {
	t.Parallel()
	const hostile = `<img src=x onerror="window.ran=1"><script>window.ran=1</script><hx-partial hx-target="#status">gone</hx-partial> **labs**`
	s := newSite(t, configure{})
	p := open(t, browsertest.Start(t), browsertest.Laptop, s.URL)
	p.Type("#request", hostile)
	p.Press("\r")
	p.Wait("the run has ended", isOver)
	if browsertest.Eval[bool](p, "!!window.ran") || p.Count("main img, main script") > 0 {
		t.Error("the request became markup")
	}
	if got := browsertest.Eval[string](p, `document.querySelector("#trace dd:nth-of-type(2)").textContent.trim()`); got != hostile {
		t.Errorf("the request is shown as %q", got)
	}
}

// In projector mode the whole page still fits the screen, also a small one, with
// all scenario buttons.
func TestBrowserProjectorMode(t *testing.T) {
	t.Parallel()
	s := newSite(t, configure{})
	p := open(t, browsertest.Start(t), browsertest.Laptop, s.URL)
	p.Press("p")
	fit := func(when string) {
		t.Helper()
		for name, screen := range map[string]browsertest.Screen{"1280x720": browsertest.Laptop, "light-1280x720": browsertest.Laptop.InLight(), "1920x1080": browsertest.Projector} {
			p.Show(screen)
			const over = `(e => Math.max(e.scrollWidth - e.clientWidth, e.scrollHeight - e.clientHeight))`
			for _, part := range []string{"main", ".scenarios", "html"} {
				if px := browsertest.Eval[int](p, over+`(document.querySelector("`+part+`"))`); px > 0 {
					t.Errorf("%s, %s: %s is %d px larger than its place", name, when, part, px)
				}
			}
			p.Screenshot("projector-mode-" + when + "-" + name)
		}
	}
	fit("before a run")
	p.Press("3")
	p.Wait("the run has ended", isOver)
	fit("after a run")
}

// Theme and projector mode are remembered.
func TestBrowserRemembersThemeAndMode(t *testing.T) {
	t.Parallel()
	s := newSite(t, configure{})
	p := open(t, browsertest.Start(t), browsertest.Laptop.InLight(), s.URL)
	ground := func() string { return browsertest.Eval[string](p, `getComputedStyle(document.body).backgroundColor`) }
	light := ground()
	p.Press("d")
	dark := ground()
	p.Press("p")
	p.Reload()
	if size := browsertest.Eval[string](p, `getComputedStyle(document.body).fontSize`); size != "20px" {
		t.Errorf("in projector mode text has %s", size)
	}
	if p.Count(`[data-act=projector][aria-pressed=true]`) != 1 {
		t.Error("the button does not show that projector mode is on")
	}
	p.Press("p")
	if now := ground(); now != dark || dark == light {
		t.Errorf("theme: %s, then %s, after a reload %s", light, dark, now)
	}
	p.Type("#request", "d and p and 3")
	if p.Count("[data-projector]") > 0 || ground() != dark || runShown(p) != "" {
		t.Error("typing into a field triggers a key")
	}
}

// The page reports that the server is gone.
func TestBrowserReportsServerGone(t *testing.T) {
	t.Parallel()
	var gone atomic.Bool
	s := newSite(t, configure{front: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if gone.Load() {
				panic(http.ErrAbortHandler)
			}
			next.ServeHTTP(w, r)
		})
	}})
	p := open(t, browsertest.Start(t), browsertest.Laptop, s.URL)
	p.ExpectError("ERR_EMPTY_RESPONSE")
	p.ExpectError("Failed to fetch")
	gone.Store(true)
	p.Press("3")
	p.Wait("it is reported", `document.querySelector("#notice").innerText.includes("No response")`)
	gone.Store(false)
	p.Press("3")
	p.Wait("the run has ended", isOver)
	if said := browsertest.Eval[string](p, `document.querySelector("#notice").innerText`); said != "" {
		t.Errorf("the page still reports: %s", said)
	}
}

// An automated audit finds no violation in either theme.
func TestBrowserAccessible(t *testing.T) {
	t.Parallel()
	s := newSite(t, configure{})
	cross, _ := s.encounter(t, "P-1042", "Show me records for this patient and also get records for P-2187")
	full, _ := s.encounter(t, "P-1042", "Show records, check billing, and prescribe Lisinopril")
	p := open(t, browsertest.Start(t), browsertest.Laptop, s.URL)
	inBothThemes := func(what string) {
		t.Helper()
		for name, screen := range map[string]browsertest.Screen{"dark": browsertest.Laptop, "light": browsertest.Laptop.InLight()} {
			p.Show(screen)
			p.Accessible(what + ", " + name)
		}
	}
	onPhone := func(what string) {
		t.Helper()
		p.Show(browsertest.Phone)
		p.Accessible(what + ", on a phone")
		p.Show(browsertest.Laptop)
	}
	inBothThemes("the introduction")
	onPhone("the introduction")
	p.Go(s.URL + "/runs")
	p.Accessible("the history")
	p.Screenshot("runs-1280x720")
	p.Go(s.URL + "/key")
	p.Accessible("the form for the key")
	p.Go(s.URL + "/runs/" + full)
	inBothThemes("a run")
	p.Go(s.URL + "/runs/" + cross)
	browsertest.Eval[bool](p, `([...document.querySelectorAll("details")].forEach(d => d.open = true), true)`)
	inBothThemes("a run, opened")
	onPhone("a run, opened") // phones have no projector mode
	p.Press("p")
	inBothThemes("a run, opened, in projector mode")
	p.Press("p")
	p.Go(s.URL)
	p.Wait("the scripts have loaded", loaded)
	setPace(p, "step")
	p.Press("3")
	p.Wait("the run is waiting", waits)
	inBothThemes("a waiting run")
	onPhone("a waiting run")
}
