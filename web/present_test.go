package web_test

import (
	"bufio"
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/scenario"
	"github.com/devonartis/medassist-go/talk"
	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/web"
	"github.com/devonartis/medassist-go/web/browsertest"
)

// perform runs an act of the long talk, as the page does, and returns the run.
func (s *site) perform(t *testing.T, act string) string {
	t.Helper()
	if status, body := s.form(t, "/present/act", url.Values{"version": {"25"}, "act": {act}}); status != 200 {
		t.Fatalf("act %s: %d %s", act, status, body)
	}
	if status, body := s.form(t, "/present/run", nil); status != 200 {
		t.Fatalf("run act %s: %d %s", act, status, body)
	}
	live := s.service.Live()
	if len(live) == 0 {
		t.Fatal("no run is live")
	}
	return live[len(live)-1]
}

// Every act that runs a scenario goes as the scenario expects, at its own pace.
func TestEveryAct(t *testing.T) {
	t.Parallel()
	s := newSite(t, configure{})
	for i, act := range talk.Acts(25) {
		if act.Page != "" {
			if resp, _ := s.fetch(t, act.Page); resp.StatusCode != 200 {
				t.Errorf("act %d shows %s: %s", act.No, act.Page, resp.Status)
			}
			continue
		}
		before := s.newestRun(t)
		s.form(t, "/present/act", url.Values{"version": {"25"}, "act": {itoa(i)}})
		if status, body := s.form(t, "/present/run", nil); status != 200 {
			t.Fatalf("act %d: %d %s", act.No, status, body)
		}
		run := s.newestRun(t)
		if run.ID == before.ID || run.Scenario != act.Scenario {
			t.Fatalf("act %d runs %q", act.No, run.Scenario)
		}
		s.stepThrough(t, run.ID)
		events, err := s.log.Events(t.Context(), run.ID, 0)
		must(t, err)
		sc, _ := scenario.ByID(act.Scenario)
		if v := sc.Expect.Judge(events); !v.AsExpected() {
			t.Errorf("act %d: %v", act.No, v.Surprises)
		}
	}
}

func itoa(n int) string { return string(rune('0' + n)) }

func (s *site) newestRun(t *testing.T) trace.Run {
	t.Helper()
	runs, err := s.log.Runs(t.Context(), time.Time{}, 1)
	must(t, err)
	if len(runs) == 0 {
		return trace.Run{}
	}
	return runs[0]
}

// stepThrough advances a run whenever it waits, to its end.
func (s *site) stepThrough(t *testing.T, id string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		state, err := s.service.State(id)
		if err != nil {
			s.finish(t, id)
			return
		}
		if state.Waiting != "" {
			_ = s.service.Next(id) // it may no longer be waiting
		}
	}
	t.Fatal("the run does not end")
}

// A new act cancels the run of the one before, which revokes its tokens.
func TestNextActCancelsTheRunBefore(t *testing.T) {
	t.Parallel()
	s := newSite(t, configure{})
	first := s.perform(t, "1") // step by step
	second := s.perform(t, "5")
	s.finish(t, first)
	run, err := s.log.Run(t.Context(), first)
	must(t, err)
	if run.Outcome != trace.OutcomeCancelled || first == second {
		t.Errorf("the first act: %s", run.Outcome)
	}
}

func TestPresentRefuses(t *testing.T) {
	t.Parallel()
	s := newSite(t, configure{})
	for name, v := range map[string]url.Values{"no version": {"act": {"1"}}, "another version": {"version": {"60"}, "act": {"1"}}, "no act": {"version": {"10"}}} {
		if status, _ := s.form(t, "/present/act", v); status != 400 {
			t.Errorf("%s: %d", name, status)
		}
	}
	for _, act := range []string{"-1", "99"} {
		if status, _ := s.form(t, "/present/act", url.Values{"version": {"10"}, "act": {act}}); status != 200 {
			t.Errorf("act %s: %d", act, status)
		}
	}
	if status, _ := s.form(t, "/present/act", url.Values{"version": {"25"}, "act": {"8"}}); status != 200 {
		t.Fatal("there is no ninth act")
	}
	if status, body := s.form(t, "/present/run", nil); status != 409 || !strings.Contains(body, "/audit") {
		t.Errorf("an act that shows a page was run: %d", status)
	}
	guarded := newSite(t, configure{web: func(c *web.Config) { c.PresenterKey, c.Reachable = "a-key-for-the-presenter", true }})
	for _, path := range []string{"/present/act", "/present/run", "/present/timer"} {
		if status, _ := guarded.form(t, path, url.Values{"version": {"10"}, "act": {"1"}}); status != 403 {
			t.Errorf("%s without the key: %d", path, status)
		}
	}
	for _, path := range []string{"/stage", "/follow"} {
		if resp, body := guarded.fetch(t, path); resp.StatusCode != 200 || strings.Contains(string(body), `action="/present`) {
			t.Errorf("%s for the audience: %s", path, resp.Status)
		}
	}
	if _, body := guarded.fetch(t, "/present/link"); !strings.Contains(string(body), "/follow") || strings.Contains(string(body), "a-key-for") {
		t.Error("the link is missing, or contains the key")
	}
}

// Three hundred phones follow, and all see one act and then the next.
func TestThreeHundredFollow(t *testing.T) {
	t.Parallel()
	s := newSite(t, configure{})
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	transport := http.DefaultTransport.(*http.Transport).Clone()
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	const phones = 300
	var saw [2]atomic.Int32
	var mu sync.Mutex
	programs := map[string]int{} // what phones saw, in order
	var ids []string
	var wg sync.WaitGroup
	for range phones {
		wg.Go(func() {
			req, err := http.NewRequestWithContext(ctx, "GET", s.URL+"/stage/frames?run=", nil)
			if err != nil {
				t.Error(err)
				return
			}
			resp, err := client.Do(req)
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			lines := bufio.NewScanner(resp.Body)
			lines.Buffer(nil, 1<<20)
			var runs []string
			for len(runs) < 2 && lines.Scan() {
				if _, rest, ok := strings.Cut(lines.Text(), `data-run="`); ok {
					id, _, _ := strings.Cut(rest, `"`)
					runs = append(runs, id)
					saw[len(runs)-1].Add(1)
				}
			}
			mu.Lock()
			defer mu.Unlock()
			programs[strings.Join(runs, " ")]++
		})
	}
	for i, act := range []string{"0", "2"} {
		s.form(t, "/present/act", url.Values{"version": {"25"}, "act": {act}})
		s.form(t, "/present/run", nil)
		ids = append(ids, s.newestRun(t).ID)
		for deadline := time.Now().Add(20 * time.Second); saw[i].Load() < phones; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%d of %d phones saw act %d", saw[i].Load(), phones, i+1)
			}
		}
	}
	wg.Wait()
	if n := programs[strings.Join(ids, " ")]; n != phones {
		t.Errorf("%d phones saw both acts: %v", n, programs)
	}
}

// A run that the presenter starts is shown on the stage and on phones, step by
// step, also after a reload.
func TestBrowserPresenterStageAndPhone(t *testing.T) {
	s := newSite(t, configure{})
	b := browsertest.Start(t)
	laptop := open(t, b, browsertest.Laptop, s.URL+"/present")
	stage := open(t, b, browsertest.Projector, s.URL+"/stage")
	phone := open(t, b, browsertest.Phone, s.URL+"/follow")
	stage.Accessible("the stage before the first act")
	laptop.Screenshot("present-before")
	stage.Screenshot("stage-before")

	laptop.Press("r") // act 2 of the short talk, step by step
	for name, p := range map[string]*browsertest.Page{"laptop": laptop, "stage": stage, "phone": phone} {
		p.Wait(name+" shows that it waits", `document.querySelector("#status").innerText.includes("create the")`)
	}
	first := runShown(laptop)
	for range 4 {
		at := browsertest.Eval[string](laptop, `document.querySelector(".status").innerText`)
		laptop.Press("n")
		laptop.Wait("the run continues", `document.querySelector(".status").innerText !== `+quote(at))
		laptop.Wait("the run is waiting", waits)
	}
	stage.Reload()
	phone.Reload()
	laptop.Reload()
	for name, p := range map[string]*browsertest.Page{"laptop": laptop, "stage": stage, "phone": phone} {
		p.Wait(name+" shows it again", `document.querySelector("#trace > [data-type=tool_call]")`)
		if runShown(p) != first {
			t.Errorf("%s shows %s, want %s", name, runShown(p), first)
		}
		p.Screenshot("present-" + name)
		p.Accessible(name)
		if wide := browsertest.Eval[int](p, `document.documentElement.scrollWidth - innerWidth`); wide > 0 {
			t.Errorf("%s: %d px too wide", name, wide)
		}
	}
	if n := phone.Count(`main button, main a, main form`); n > 0 {
		visible := browsertest.Eval[int](phone, `[...document.querySelectorAll("main button, main a")].filter(e => e.checkVisibility()).length`)
		if visible > 0 {
			t.Errorf("the phone shows %d controls", visible)
		}
	}

	laptop.Wait("the scripts have loaded", loaded)
	laptop.Press(browsertest.ArrowRight)
	laptop.Wait("the next act", `document.querySelector("#h-act").innerText.includes("another patient")`)
	laptop.Press("r")
	for name, p := range map[string]*browsertest.Page{"laptop": laptop, "stage": stage, "phone": phone} {
		p.Wait(name+" shows the next act's end", `document.querySelector("#run").dataset.run !== `+quote(first)+` && `+isOver)
		if p.Count("#trace > .m-denied") != 1 {
			t.Errorf("%s does not show the denial", name)
		}
	}
	stage.Screenshot("stage-act")
	laptop.Wait("the timer runs", `document.querySelector("[data-running]")`)
}

func quote(s string) string {
	return `"` + strings.NewReplacer("\n", `\n`, `"`, `\"`).Replace(s) + `"`
}

// The pages of a talk fit every screen, in both themes.
func TestBrowserPresentPages(t *testing.T) {
	s := newSite(t, configure{web: func(c *web.Config) { c.PresenterKey, c.Reachable = "a-key-for-the-presenter", true }})
	b := browsertest.Start(t)
	for name, screen := range map[string]browsertest.Screen{"laptop": browsertest.Laptop, "light": browsertest.Laptop.InLight(), "projector": browsertest.Projector, "phone": browsertest.Phone} {
		for _, path := range []string{"/present", "/present/link", "/follow", "/stage"} {
			p := open(t, b, screen, s.URL+path+"?key=a-key-for-the-presenter")
			if wide := browsertest.Eval[int](p, `document.documentElement.scrollWidth - innerWidth`); wide > 0 {
				t.Errorf("%s on %s: %d px too wide", path, name, wide)
			}
			p.Screenshot("page" + strings.ReplaceAll(path, "/", "-") + "-" + name)
			if name != "projector" && (name == "phone") == (path == "/follow") {
				p.Accessible(path + " on " + name)
			}
		}
	}
}
