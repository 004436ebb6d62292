package web_test

import (
	"bufio"
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/scenario"
	"github.com/devonartis/medassist-go/talk"
	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/web"
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
	if testing.Short() {
		t.Skip("waits for the five-second token to expire, one act after the other")
	}
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

// storyLine matches what a phone is shown of an act: its title, and that its run
// is over.
var storyLine = regexp.MustCompile(`<h2>([^<]*)</h2>|(confirmed revoked)</b>`)

// Three hundred phones follow, and all see one act and then the next.
func TestThreeHundredFollow(t *testing.T) {
	t.Parallel()
	s := newSite(t, configure{})
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	transport := http.DefaultTransport.(*http.Transport).Clone()
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	const lines = 4
	phones := 300
	if testing.Short() {
		phones = 50 // as many as the race detector needs
	}
	var saw [lines]atomic.Int32
	var mu sync.Mutex
	stories := map[string]int{} // what phones saw, in order
	var wg sync.WaitGroup
	for range phones {
		wg.Go(func() {
			req, err := http.NewRequestWithContext(ctx, "GET", s.URL+"/stage/frames?layout=phone", nil)
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
			text := bufio.NewScanner(resp.Body)
			text.Buffer(nil, 1<<20)
			var story []string
			for len(story) < lines && text.Scan() {
				for _, m := range storyLine.FindAllStringSubmatch(text.Text(), -1) {
					line := m[1] + m[2]
					if strings.HasPrefix(line, "The model asks") || len(story) > 0 && story[len(story)-1] == line {
						continue // the welcome, or the same again
					}
					story = append(story, line)
					saw[len(story)-1].Add(1)
				}
			}
			mu.Lock()
			defer mu.Unlock()
			stories[strings.Join(story, ", ")]++
		})
	}
	all := func(n int) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); int(saw[n].Load()) < phones; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%d of %d phones saw line %d of the story", saw[n].Load(), phones, n+1)
			}
		}
	}
	for i, act := range []string{"0", "2"} {
		s.form(t, "/present/act", url.Values{"version": {"25"}, "act": {act}})
		all(2 * i)
		s.form(t, "/present/run", nil)
		all(2*i + 1)
	}
	wg.Wait()
	if want := "Billing only, confirmed revoked, Cross-patient, confirmed revoked"; stories[want] != phones {
		t.Errorf("phones saw %v", stories)
	}
}

func quote(s string) string {
	return `"` + strings.NewReplacer("\n", `\n`, `"`, `\"`).Replace(s) + `"`
}
