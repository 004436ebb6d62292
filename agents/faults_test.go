package agents_test

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/agents"
	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/agentwrit/brokertest"
	"github.com/devonartis/medassist-go/tools"
	"github.com/devonartis/medassist-go/trace"
)

// slow answers after d.
func slow(d time.Duration) fault {
	return func(_ http.ResponseWriter, r *http.Request) bool {
		select {
		case <-time.After(d):
		case <-r.Context().Done():
		}
		return false
	}
}

// every passes on n-1 of n requests and gives the others to f.
func every(n int32, f fault) fault {
	var asked atomic.Int32
	return func(w http.ResponseWriter, r *http.Request) bool { return asked.Add(1)%n == 0 && f(w, r) }
}

// first gives the first n requests to f and passes on the others.
func first(n int32, f fault) fault {
	var asked atomic.Int32
	return func(w http.ResponseWriter, r *http.Request) bool { return asked.Add(1) <= n && f(w, r) }
}

// refuses answers with a status and, unless it is empty, a Retry-After.
func refuses(status int, retryAfter string) fault {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		if retryAfter != "" {
			w.Header().Set("Retry-After", retryAfter)
		}
		w.WriteHeader(status)
		return true
	}
}

// With a broker that is slow or fails now and then each run ends, reports its
// tokens as ended or until when they may be valid, and the next run succeeds once
// the broker is well again.
func TestFaultsThatMend(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		path  string
		fault fault
		want  trace.Outcome // "" if it depends on which request failed
	}{
		"slow":                        {"", slow(20 * time.Millisecond), trace.OutcomeAnswered},
		"too slow":                    {"", slow(time.Second), trace.OutcomeFailed},
		"flapping":                    {"", every(3, broken), ""},
		"fails now and then":          {"", every(3, refuses(500, "")), ""},
		"fails":                       {"", refuses(500, ""), trace.OutcomeFailed},
		"fails at registrations":      {"/v1/register", refuses(500, ""), trace.OutcomeFailed},
		"unavailable now and then":    {"", every(3, refuses(503, "")), ""},
		"limits, and answers after 1": {"", first(1, refuses(429, "1")), trace.OutcomeAnswered},
		"limits registrations":        {"/v1/app/launch-tokens", first(6, refuses(429, "")), trace.OutcomeAnswered},
		"limits validations":          {"/v1/token/validate", first(6, refuses(429, "")), trace.OutcomeAnswered},
	} {
		if testing.Short() && tt.want != "" {
			continue // a fault at some requests runs the same code as one at all of them
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			base := newWorld(t, brokertest.Start, worldConfig{})
			w := base
			if tt.want != trace.OutcomeAnswered {
				w = base.with(t, func(c *agents.Config) {
					c.Limits.BrokerCall, c.Limits.Cleanup = 500*time.Millisecond, 500*time.Millisecond
				})
			}
			w.link.fail(t, tt.path, tt.fault)
			h := w.encounter(t, "P-1042", "Prescribe Amoxicillin for bacterial infection")
			w.link.heal()
			sum := h.Run.Summary
			if tt.want != "" && h.Run.Outcome != tt.want {
				t.Errorf("the run %s, want %s:\n%s", h.Run.Outcome, tt.want, h)
			}
			if n := w.valid(t, h.Run.ID); n > 0 && sum.ValidUntil < time.Now().Unix() {
				t.Errorf("%d tokens are valid, and the trace does not say until when:\n%s", n, h)
			}
			if sum.Tokens > 0 && !sum.AllEnded() && sum.ValidUntil == 0 {
				t.Errorf("the tokens have not ended, and the trace does not say until when they are valid:\n%s", h)
			}
			if strings.HasPrefix(name, "limits ") && len(all[trace.BrokerWait](h)) == 0 {
				t.Errorf("no wait is shown:\n%s", h)
			}
			after := base.encounter(t, "P-1042", "Show records")
			if after.Run.Outcome != trace.OutcomeAnswered {
				t.Errorf("afterwards a run %s:\n%s", after.Run.Outcome, after)
			}
			w.assertEnded(t, after, 1)
		})
	}
}

// A run waits for a broker that limits logins, shows until when, and ends at once if
// it is cancelled. If the wait would be too long, it says when to start again.
func TestRateLimitedRun(t *testing.T) {
	w := newWorld(t, brokertest.Start, worldConfig{})
	w.link.fail(t, "/v1/app/launch-tokens", refuses(429, "60"))
	id := w.start(t, "P-1042", "Show records", "")
	w.until(t, id, is[trace.BrokerWait]())
	start := time.Now()
	must(t, w.Cancel(id, "presenter", "Enough."))
	h := w.finish(t, id)
	if wait := only[trace.BrokerWait](t, h); wait.Operation != "create the clinical agent" || wait.WaitMS < 55_000 || wait.WaitMS > 61_000 || wait.LimitMS != 120_000 {
		t.Errorf("wait = %+v", wait)
	}
	if took := time.Since(start); h.Run.Outcome != trace.OutcomeCancelled || took > 5*time.Second {
		t.Errorf("the run %s after %s", h.Run.Outcome, took)
	}
	w = w.with(t, func(c *agents.Config) { c.Limits.RateLimit = 10 * time.Second })
	h = w.encounter(t, "P-1042", "Show records")
	if e := only[trace.RunError](t, h); e.Stage != "broker" || !strings.Contains(e.Hint, "Start it again after ") || len(all[trace.BrokerWait](h)) > 0 {
		t.Errorf("error = %+v:\n%s", e, h)
	}
	if e := only[trace.AgentError](t, h); !strings.Contains(e.Error, "rate limited until ") {
		t.Errorf("error = %q", e.Error)
	}
}

// Fifty runs at once share one login, although logins are slow and limited, and none
// loses an agent.
func TestFiftyRunsAtOnce(t *testing.T) { onEach(t, testFiftyRunsAtOnce) }

func testFiftyRunsAtOnce(t *testing.T, kind brokertest.Starter) {
	t.Parallel()
	n := 50
	if testing.Short() {
		n = 10 // still more than may issue tokens at once
	}
	w := newWorld(t, kind, worldConfig{})
	rec := w.broker.Register(t, tools.Ceiling()...)
	app, err := agentwrit.NewApp(w.link.URL, rec.ClientID, rec.ClientSecret, agentwrit.WithHTTPClient(&http.Client{Transport: ownTransport(t)}))
	must(t, err)
	w = w.with(t, func(c *agents.Config) { c.Broker = app })
	var logins atomic.Int32
	w.link.fail(t, "/v1/app/auth", func(rw http.ResponseWriter, r *http.Request) bool {
		logins.Add(1)
		return slow(300*time.Millisecond)(rw, r)
	})
	var runs sync.WaitGroup
	for range n {
		id := w.start(t, "P-1042", "Show records and check billing", "")
		runs.Go(func() {
			h := w.finish(t, id)
			if h.Run.Outcome != trace.OutcomeAnswered || len(all[trace.AgentError](h)) > 0 {
				t.Errorf("the run %s:\n%s", h.Run.Outcome, h)
			}
			w.assertEnded(t, h, 2)
		})
	}
	runs.Wait()
	if n := logins.Load(); n != 1 {
		t.Errorf("%d logins, want 1", n)
	}
}

// An agent that the broker has forgotten can't be delegated to. That is an error, not
// a denial, and the run continues.
func TestForgottenDelegate(t *testing.T) {
	w := newWorld(t, brokertest.StartReference, worldConfig{broker: []brokertest.Option{brokertest.OnDisk(t.TempDir())}})
	id := w.start(t, "P-1042", "Prescribe Amoxicillin for bacterial infection", "step")
	w.stepTo(t, id, "delegate write:prescriptions:P-1042")
	w.broker.Restart(t)
	must(t, w.SetPace(id, agents.Instant))
	h := w.finish(t, id)
	if e := only[trace.AgentError](t, h); !strings.Contains(e.Error, "delegate agent not found") || e.AnswerLost {
		t.Errorf("error = %+v", e)
	}
	if len(all[trace.DelegationDenied](h)) > 0 || h.Run.Summary.Denied > 0 || h.Run.Outcome != trace.OutcomeAnswered {
		t.Errorf("the run %s:\n%s", h.Run.Outcome, h)
	}
	w.assertEnded(t, h, 2)
}
