package web_test

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/web/browsertest"
)

// store writes an ended run to the log.
func (s *site) store(t *testing.T, id string, started time.Time, events ...trace.Step) {
	t.Helper()
	run := trace.Run{ID: id, PatientID: "P-1042", Request: "Show records", ModelName: "OFFLINE PLANNER", Started: started}
	if err := s.log.Create(t.Context(), run); err != nil {
		t.Error(err)
		return
	}
	s.add(t, id, append(events, trace.Complete{PatientID: "P-1042", Outcome: trace.OutcomeAnswered})...)
}

// add writes events to a stored run that has not ended.
func (s *site) add(t *testing.T, id string, events ...trace.Step) {
	t.Helper()
	for _, step := range events {
		if _, err := s.log.Append(t.Context(), id, trace.Event{Time: time.Now(), Label: "step", Status: trace.StatusInfo, Step: step}); err != nil {
			t.Error(err)
			return
		}
	}
}

// maxTask bounds the longest task of a page, in milliseconds.
const maxTask = 3000

// asked returns turns of a model that never replies.
func asked(n int) []trace.Step {
	out := make([]trace.Step, n)
	for i := range out {
		out[i] = trace.LLMStart{Model: "OFFLINE PLANNER", Turn: i + 1}
	}
	return out
}

// The pages of the history list every run exactly once.
func TestHistoryPages(t *testing.T) {
	t.Parallel()
	s := newSite(t, configure{})
	began := time.Now().Add(-time.Hour)
	var want []string
	var storing sync.WaitGroup
	for i := range 230 {
		id := fmt.Sprintf("r-%03d", i)
		storing.Go(func() { s.store(t, id, began.Add(time.Duration(i)*time.Second)) })
		want = append(want, id)
	}
	storing.Wait() // at once, so that they share commits
	slices.Reverse(want)
	var got []string
	row, older := regexp.MustCompile(`<td><a href="/runs/(r-\d+)"`), regexp.MustCompile(`href="(/runs\?before=[^"]+)"`)
	for path, pages := "/runs", 0; path != "" && pages < 5; pages++ {
		_, body := s.fetch(t, path)
		for _, m := range row.FindAllStringSubmatch(string(body), -1) {
			got = append(got, m[1])
		}
		path = ""
		if m := older.FindStringSubmatch(string(body)); m != nil {
			path = m[1]
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%d runs are listed, of %d", len(got), len(want))
	}
	if resp, _ := s.fetch(t, "/runs?before=yesterday"); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("an invalid time: %d", resp.StatusCode)
	}
}

// A run of 500 steps opens and scrolls without blocking the page. The bounds are
// those of a machine that is busy otherwise: an idle one takes 1 s to open the page
// and 200 ms for the longest task.
func TestBrowserLongRun(t *testing.T) {
	t.Parallel()
	s := newSite(t, configure{})
	s.store(t, "r-long", time.Now(), asked(499)...)
	p := open(t, browsertest.Start(t), browsertest.Laptop, s.URL+"/runs/r-long")
	if n := p.Count("#trace > li"); n != 500 {
		t.Fatalf("%d steps are shown, want 500", n)
	}
	p.Wait("it shows the newest", atNewest)
	took := browsertest.Eval[float64](p, `performance.getEntriesByType("navigation")[0].domComplete`)
	longest := browsertest.Eval[float64](p, `new Promise(done => {
		let longest = 0;
		new PerformanceObserver(l => { for (const e of l.getEntries()) longest = Math.max(longest, e.duration); }).observe({ type: "longtask" });
		const list = document.querySelector("#trace"), far = list.scrollHeight;
		let n = 0;
		const on = () => {
			list.scrollTop = far - ++n * far / 30;
			if (n < 30) return requestAnimationFrame(on);
			setTimeout(() => done(longest), 100);
		};
		on();
	})`)
	t.Logf("opened in %.0f ms; the longest task while scrolling took %.0f ms", took, longest)
	if took > 10000 || longest > maxTask {
		t.Errorf("opened in %.0f ms, longest task %.0f ms", took, longest)
	}
	p.Click("[data-look=back]")
	p.Wait("one step back", `document.querySelector("#trace > li:nth-child(499).looked-at") && document.querySelector("#run[data-past]")`)
}

// Steps that are added to a long run one by one do not block the page either, and
// move nothing for a reader who has scrolled up.
func TestBrowserLongRunGrows(t *testing.T) {
	t.Parallel()
	s := newSite(t, configure{})
	const id = "r-grows"
	must(t, s.log.Create(t.Context(), trace.Run{ID: id, PatientID: "P-1042", Request: "Show records", ModelName: "OFFLINE PLANNER", Started: time.Now()}))
	s.add(t, id, asked(400)...)
	p := open(t, browsertest.Start(t), browsertest.Laptop, s.URL+"/runs/"+id)
	p.Wait("it shows the newest", atNewest)
	browsertest.Eval[bool](p, `(window.longest = 0, new PerformanceObserver(l => { for (const e of l.getEntries()) longest = Math.max(longest, e.duration); }).observe({ type: "longtask" }), true)`)
	browsertest.Eval[bool](p, `(document.querySelector("#trace").scrollTop = 300, new Promise(r => setTimeout(() => r(true), 100)))`)
	for _, step := range asked(99) {
		s.add(t, id, step)
		time.Sleep(5 * time.Millisecond) // one by one, as a run goes, and not all at once
	}
	s.add(t, id, trace.Complete{PatientID: "P-1042", Outcome: trace.OutcomeAnswered})
	p.Wait("all are shown", `document.querySelectorAll("#trace > li").length === 500`)
	if top := browsertest.Eval[float64](p, `document.querySelector("#trace").scrollTop`); top != 300 {
		t.Errorf("the trace moved under the reader, from 300 to %.0f", top)
	}
	longest := browsertest.Eval[float64](p, `longest`)
	t.Logf("the longest task while 100 steps came took %.0f ms", longest)
	if longest > maxTask {
		t.Errorf("the longest task took %.0f ms", longest)
	}
}
