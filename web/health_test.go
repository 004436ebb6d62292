package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/web"
)

// reportedHealth is a broker that reports a state.
type reportedHealth struct {
	state agentwrit.Health
	err   error
}

func (h *reportedHealth) Health(context.Context) (*agentwrit.Health, error) { return &h.state, h.err }

// Health is not ready if the broker is not, and reports clocks that differ.
func TestHealth(t *testing.T) {
	t.Parallel()
	broker := new(reportedHealth)
	s := newSite(t, configure{web: func(c *web.Config) { c.Broker = broker }})
	now := time.Now()
	for name, tc := range map[string]struct {
		broker   reportedHealth
		status   int
		problems string // empty for none
	}{
		"well":                   {reportedHealth{state: agentwrit.Health{Status: "ok", Date: now}}, 200, ""},
		"well, without a clock":  {reportedHealth{state: agentwrit.Health{Status: "ok"}}, 200, ""},
		"a clock ahead":          {reportedHealth{state: agentwrit.Health{Status: "ok", Date: now.Add(time.Hour)}}, 200, "differs from this machine's by"},
		"a clock behind":         {reportedHealth{state: agentwrit.Health{Status: "ok", Date: now.Add(-time.Hour)}}, 200, "differs from this machine's by -"},
		"a clock that went back": {reportedHealth{state: agentwrit.Health{Status: "ok", ClockBehind: 90}}, 200, "90 s behind"},
		"failing storage":        {reportedHealth{state: agentwrit.Health{Status: "unavailable", Problems: []string{"storage cannot be written"}}}, 503, "storage cannot be written"},
		"a modified log":         {reportedHealth{state: agentwrit.Health{Status: "degraded"}}, 503, ""},
		"no broker":              {reportedHealth{err: errors.New("no route")}, 503, ""},
	} {
		*broker = tc.broker
		resp, body := s.fetch(t, "/healthz")
		var h struct{ Problems []string }
		must(t, json.Unmarshal(body, &h))
		if got := strings.Join(h.Problems, "; "); resp.StatusCode != tc.status || !strings.Contains(got, tc.problems) || tc.problems == "" && got != "" {
			t.Errorf("%s: %d %s", name, resp.StatusCode, body)
		}
	}
}
