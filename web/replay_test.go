package web_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/devonartis/medassist-go/web/browsertest"
)

// A replay checks its run, speed and position.
func TestReplayChecksItsInput(t *testing.T) {
	t.Parallel()
	s := newSite(t, configure{})
	id, _ := s.encounter(t, "P-1042", "Show records")
	for path, want := range map[string]int{
		"/runs/" + id + "/replay":                             http.StatusOK,
		"/runs/" + id + "/replay?speed=0":                     http.StatusOK,
		"/runs/" + id + "/replay?speed=0.5":                   http.StatusOK,
		"/runs/" + id + "/replay?speed=-1":                    http.StatusBadRequest,
		"/runs/" + id + "/replay?speed=1e9":                   http.StatusBadRequest,
		"/runs/" + id + "/replay?speed=NaN":                   http.StatusBadRequest,
		"/runs/" + id + "/replay?after=x":                     http.StatusBadRequest,
		"/runs/r-nobody/replay":                               http.StatusNotFound,
		"/runs/" + id + "/replay/frames?speed=100":            http.StatusOK,
		"/runs/" + id + "/replay/frames?speed=0":              http.StatusConflict,
		"/runs/" + id + "/replay/frames?speed=100&after=9999": http.StatusOK,
	} {
		if resp, _ := s.fetch(t, path); resp.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, resp.StatusCode, want)
		}
	}
	_, page := s.fetch(t, "/runs/"+id+"/replay")
	if !strings.Contains(string(page), "replaying") || strings.Contains(string(page), `id="do-cancel"`) {
		t.Error("the page is not marked as a replay, or offers to cancel it")
	}
}

// A replay shows the same steps as the run, issues no credential, is marked as a
// replay throughout, and can be paused and resumed.
func TestBrowserReplay(t *testing.T) {
	t.Parallel()
	s := newSite(t, configure{})
	id := s.start(t, "P-1042", "Show records, check billing, and prescribe Lisinopril", "talk:50ms")
	want := s.finish(t, id)
	before := s.auditCount(t)
	p := open(t, browsertest.Start(t), browsertest.Laptop, s.URL+"/runs/"+id+"/replay?speed=0.5")
	p.Wait("it is playing", `document.querySelectorAll("#trace > li").length > 8`)
	p.Screenshot("replay-1280x720")
	p.Accessible("a replay")
	p.Press("k")
	p.Wait("it is paused", `document.querySelector(".badge.replaying")?.innerText.toLowerCase() === "replay paused" && window.htmx`)
	paused := browsertest.Eval[[]int](p, steps)
	if len(paused) < 8 || len(paused) >= len(want) {
		t.Errorf("paused at %d steps of %d", len(paused), len(want))
	}
	p.Click(`.replay-controls a[href*="speed=4"]`)
	p.Wait("it has ended", `document.querySelector(".badge.done") && document.querySelector(".badge.replaying")`)
	if got := browsertest.Eval[[]int](p, steps); !slices.Equal(got, want) {
		t.Errorf("the replay shows steps %v, the run had %v", got, want)
	}
	p.Screenshot("replay-over-1280x720")
	if after := s.auditCount(t); after != before {
		t.Errorf("the audit log grew from %d to %d events", before, after)
	}
	p.Go(s.URL + "/runs/" + id + "/replay?speed=0&after=20")
	for name, screen := range map[string]browsertest.Screen{"phone": browsertest.Phone, "light": browsertest.Laptop.InLight()} {
		p.Show(screen)
		p.Screenshot("replay-" + name)
		p.Fits("a paused replay, " + name)
	}
}

// auditCount returns the number of events in the broker's audit log.
func (s *site) auditCount(t *testing.T) int64 {
	t.Helper()
	h, err := s.broker.Admin(t).Health(t.Context())
	must(t, err)
	return h.AuditEventsCount
}
