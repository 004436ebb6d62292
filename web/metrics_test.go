package web_test

import (
	"regexp"
	"strings"
	"testing"
	"time"
)

// metric returns the value of a metric, "" if it is not served.
func (s *site) metric(t *testing.T, name string) string {
	t.Helper()
	_, body := s.fetch(t, "/metrics")
	if m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` (\S+)$`).FindSubmatch(body); m != nil {
		return string(m[1])
	}
	return ""
}

// The metrics count runs by outcome, viewers and what was sent to them, and
// describe the process.
func TestMetrics(t *testing.T) {
	t.Parallel()
	s := newSite(t, configure{})
	answered, _ := s.encounter(t, "P-1042", "Show labs")
	must(t, s.service.Wait(t.Context(), answered))
	waiting := s.waiting(t, "Show records and labs", "call get_lab_results for P-1042")
	stream := s.frames(t, waiting, 0)
	for deadline := time.Now().Add(5 * time.Second); s.metric(t, "medassist_viewers") != "1" && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	for name, want := range map[string]string{
		"medassist_viewers":                              "1",
		"medassist_live_runs":                            "1",
		"medassist_runs_started_total":                   "2",
		`medassist_runs_ended_total{outcome="answered"}`: "1",
		`medassist_runs_ended_total{outcome="failed"}`:   "0",
	} {
		if got := s.metric(t, name); got != want {
			t.Errorf("%s = %q, want %s", name, got, want)
		}
	}
	must(t, s.service.Cancel(waiting, "a test", "It has seen enough."))
	must(t, s.service.Wait(t.Context(), waiting))
	stream.Body.Close()
	for deadline := time.Now().Add(5 * time.Second); s.metric(t, "medassist_viewers") != "0" && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	for name, want := range map[string]string{
		"medassist_viewers":                               "0",
		"medassist_live_runs":                             "0",
		`medassist_runs_ended_total{outcome="cancelled"}`: "1",
	} {
		if got := s.metric(t, name); got != want {
			t.Errorf("%s = %q, want %s", name, got, want)
		}
	}
	if sent := s.metric(t, "medassist_stream_bytes_total"); sent == "0" || sent == "" {
		t.Errorf("stream bytes: %q", sent)
	}
	_, body := s.fetch(t, "/metrics")
	for _, name := range []string{"process_open_fds", "process_resident_memory_bytes", "go_goroutines"} {
		if !strings.Contains(string(body), "\n"+name+" ") {
			t.Errorf("no %s", name)
		}
	}
}
