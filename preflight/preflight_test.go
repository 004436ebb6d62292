package preflight_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/agentwrit/brokertest"
	"github.com/devonartis/medassist-go/internal/pgtest"
	"github.com/devonartis/medassist-go/llm"
	"github.com/devonartis/medassist-go/preflight"
	"github.com/devonartis/medassist-go/tools"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(pgtest.Tests{Runner: m}) }

// page serves what the preflight requests of the demo. `medassist doctor` is
// tested against the demo itself.
func page(t *testing.T, records int, stream bool) string {
	mux := http.NewServeMux()
	mux.HandleFunc("/records/", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(records) })
	mux.HandleFunc("/stage/frames", func(w http.ResponseWriter, r *http.Request) {
		if stream {
			w.Header().Set("Content-Type", "text/event-stream")
			w.Write([]byte(": connected\n\n"))
			http.NewResponseController(w).Flush()
		}
		<-r.Context().Done()
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return srv.URL
}

// proxied returns the URL of a proxy of a broker that answers one path by itself.
func proxied(t *testing.T, brokerURL, path string, answer http.HandlerFunc) string {
	t.Helper()
	target, err := url.Parse(brokerURL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	own := &http.Transport{}
	proxy.Transport = own
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == path {
			answer(w, r)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { srv.Close(); own.CloseIdleConnections() })
	return srv.URL
}

// withoutReleases is a broker behind a proxy that answers releases itself, so
// that they never take effect. It returns the proxy's URL.
func withoutReleases(t *testing.T, brokerURL string, status int) string {
	return proxied(t, brokerURL, "/v1/token/release", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
}

// A broker that reports a problem fails its check, though it answers.
func TestUnhealthyBroker(t *testing.T) {
	b := brokertest.Start(t)
	rec := b.Register(t, tools.Ceiling()...)
	sick := proxied(t, b.URL, "/v1/health", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Write([]byte(`{"status":"degraded","version":"1","uptime":7,"problems":["the disk is full"]}`))
	})
	app, err := agentwrit.NewApp(sick, rec.ClientID, rec.ClientSecret)
	if err != nil {
		t.Fatal(err)
	}
	r := run(t.Context(), preflight.Config{Broker: app, BrokerURL: sick, Model: llm.NewPlanner(), PageURL: page(t, http.StatusUnauthorized, true)})["broker"]
	if r.State != preflight.Failed || !strings.Contains(r.Found, "degraded: the disk is full") {
		t.Errorf("%s: %s", r.State, r.Found)
	}
}

// An audit log that is shorter than the signed checkpoint fails its check, though
// its hash chain is intact.
func TestTruncatedAuditLog(t *testing.T) {
	b := brokertest.Start(t)
	cfg := preflight.Config{Broker: b.App(t, tools.Ceiling()...), BrokerURL: b.URL, Model: llm.NewPlanner(), PageURL: page(t, http.StatusUnauthorized, true)}
	whole := b.Admin(t)
	var err error
	cfg.Admin, err = agentwrit.NewAdmin(proxied(t, b.URL, "/v1/audit/events", func(w http.ResponseWriter, r *http.Request) {
		page, err := whole.AuditPage(r.Context(), agentwrit.AuditFilter{Limit: 1000})
		if err != nil {
			t.Error(err)
			return
		}
		page.Events, page.Total = page.Events[:2], 2
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(page); err != nil {
			t.Error(err)
		}
	}), b.AdminSecret)
	if err != nil {
		t.Fatal(err)
	}
	if r := run(t.Context(), cfg)["audit chain"]; r.State != preflight.Failed || !strings.Contains(r.Do, "keep a copy") {
		t.Errorf("%s: %s", r.State, r.Found)
	}
}

func run(ctx context.Context, cfg preflight.Config) map[string]preflight.Result {
	out := map[string]preflight.Result{}
	preflight.Run(ctx, cfg, func(r preflight.Result) { out[r.Name] = r })
	return out
}

// healthy configures a demo in which every check passes.
func healthy(t *testing.T) (preflight.Config, *brokertest.Broker) {
	t.Helper()
	b := brokertest.Start(t)
	return preflight.Config{Broker: b.App(t, tools.Ceiling()...), BrokerURL: b.URL, Admin: b.Admin(t), Model: llm.NewPlanner(),
		PageURL: page(t, http.StatusUnauthorized, true)}, b
}

// Each check detects its own fault and advises what to do; the others still
// pass.
func TestPreflight(t *testing.T) {
	broken := func(status int, body string) llm.Model {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			w.WriteHeader(status)
			w.Write([]byte(body))
		}))
		t.Cleanup(srv.Close)
		m, err := llm.NewOpenAI(llm.Config{BaseURL: srv.URL, APIKey: "sk-not-to-be-seen", Model: "m"})
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	for name, tc := range map[string]struct {
		change func(*preflight.Config, *brokertest.Broker)
		want   map[string]preflight.State // all others are ok
		says   string
		keeps  bool // the broker does not release tokens
	}{
		"all is well": {func(*preflight.Config, *brokertest.Broker) {}, nil, "", false},
		"a broker that ignores releases": {func(c *preflight.Config, b *brokertest.Broker) {
			rec := b.Register(t, tools.Ceiling()...)
			app, err := agentwrit.NewApp(withoutReleases(t, b.URL, http.StatusNoContent), rec.ClientID, rec.ClientSecret)
			if err != nil {
				t.Fatal(err)
			}
			c.Broker = app
		}, map[string]preflight.State{"credentials": "failed", "promises": "warning"}, "a released token is still valid", true},
		"a broker that refuses releases": {func(c *preflight.Config, b *brokertest.Broker) {
			rec := b.Register(t, tools.Ceiling()...)
			app, err := agentwrit.NewApp(withoutReleases(t, b.URL, http.StatusForbidden), rec.ClientID, rec.ClientSecret)
			if err != nil {
				t.Fatal(err)
			}
			c.Broker = app
		}, map[string]preflight.State{"credentials": "failed", "ceiling": "failed", "promises": "failed"}, "could not be released", true},
		"no broker": {func(c *preflight.Config, _ *brokertest.Broker) {
			app, err := agentwrit.NewApp("http://127.0.0.1:1", "id", "secret")
			if err != nil {
				t.Fatal(err)
			}
			c.Broker = app
		}, map[string]preflight.State{"broker": "failed", "credentials": "failed", "ceiling": "skipped", "clocks": "skipped", "promises": "skipped"}, "Check that the broker at", false},
		"wrong credentials": {func(c *preflight.Config, b *brokertest.Broker) {
			app, err := agentwrit.NewApp(b.URL, "nobody", "secret")
			if err != nil {
				t.Fatal(err)
			}
			c.Broker = app
		}, map[string]preflight.State{"credentials": "failed", "ceiling": "skipped", "clocks": "skipped", "promises": "skipped"}, "AGENTWRIT_CLIENT_ID", false},
		"a low ceiling": {func(c *preflight.Config, b *brokertest.Broker) {
			c.Broker = b.App(t, "read:billing:*", "read:insurance:*", "write:billing:*")
		}, map[string]preflight.State{"ceiling": "failed"}, "clinical, prescription", false},
		"no admin secret": {func(c *preflight.Config, _ *brokertest.Broker) { c.Admin = nil }, map[string]preflight.State{"audit chain": "skipped"}, "AGENTWRIT_ADMIN_SECRET", false},
		"clocks apart": {func(c *preflight.Config, _ *brokertest.Broker) {
			c.Clock = func() time.Time { return time.Now().Add(-time.Minute) }
		}, map[string]preflight.State{"clocks": "warning"}, "off", false},
		"a clock that was set back": {func(c *preflight.Config, _ *brokertest.Broker) { c.Broker = setBack{c.Broker} },
			map[string]preflight.State{"clocks": "warning"}, "1m30s behind", false},
		"a model that is down": {func(c *preflight.Config, _ *brokertest.Broker) { c.Model = broken(401, `{"error":{"message":"no"}}`) },
			map[string]preflight.State{"model: a tool call": "failed", "model: streaming": "skipped", "model: context": "skipped"}, "", false},
		"a model that calls no tool": {func(c *preflight.Config, _ *brokertest.Broker) {
			c.Model = broken(200, `data: {"choices":[{"index":0,"delta":{"content":"Hello."},"finish_reason":"stop"}]}`+"\n\n")
		}, map[string]preflight.State{"model: a tool call": "failed", "model: streaming": "skipped", "model: context": "skipped"}, "without calling a tool", false},
		"open records":      {func(c *preflight.Config, _ *brokertest.Broker) { c.PageURL = page(t, 200, true) }, map[string]preflight.State{"records: closed without a token": "failed"}, "without authentication", false},
		"a buffered stream": {func(c *preflight.Config, _ *brokertest.Broker) { c.PageURL = page(t, 401, false) }, map[string]preflight.State{"page: streaming": "failed"}, "nothing arrived within", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg, b := healthy(t)
			tc.change(&cfg, b)
			results := run(t.Context(), cfg)
			if len(results) != 11 {
				t.Errorf("%d checks", len(results))
			}
			var said []string
			for name, r := range results {
				want := tc.want[name]
				if want == "" {
					want = preflight.OK
				}
				if r.State != want {
					t.Errorf("%s: %s (%s), want %s", name, r.State, r.Found, want)
				}
				if r.State == preflight.Failed && r.Do == "" {
					t.Errorf("%s: no advice", name)
				}
				said = append(said, r.Found, r.Do)
			}
			if all := strings.Join(said, "\n"); !strings.Contains(all, tc.says) || strings.Contains(all, "sk-not-to-be-seen") {
				t.Errorf("want %q and no key in:\n%s", tc.says, all)
			}
			// Every agent that it registered was released.
			page, err := b.Admin(t).AuditPage(t.Context(), agentwrit.AuditFilter{TaskID: "preflight", Limit: 1000})
			if err != nil {
				t.Fatal(err)
			}
			count := func(kind agentwrit.EventType) int {
				return len(slices.DeleteFunc(slices.Clone(page.Events), func(e agentwrit.AuditEvent) bool { return e.EventType != kind }))
			}
			if in, out := count("agent_registered"), count("token_released"); in != out && !tc.keeps {
				t.Errorf("%d agents registered, %d released", in, out)
			}
		})
	}
}

// With a broker that behaves like the reference broker the demo works, and the
// promises that it does not keep are named.
func TestReferenceBroker(t *testing.T) {
	b := brokertest.StartReference(t)
	results := run(t.Context(), preflight.Config{Broker: b.App(t, tools.Ceiling()...), BrokerURL: b.URL, Admin: b.Admin(t), Model: llm.NewPlanner(),
		PageURL: page(t, http.StatusUnauthorized, true)})
	for name, r := range results {
		want := preflight.OK
		if name == "promises" {
			want = preflight.Warning
		}
		if r.State != want {
			t.Errorf("%s: %s (%s)", name, r.State, r.Found)
		}
	}
	for _, words := range []string{"does not revoke what an agent delegated", "does not sign the head", "does not serve the keys"} {
		if !strings.Contains(results["promises"].Found, words) {
			t.Errorf("%q lacks %q", results["promises"].Found, words)
		}
	}
	if found := results["audit chain"].Found; !strings.Contains(found, "signs no checkpoint") {
		t.Error(found)
	}
}

// A broker that limits logins is reported with the time of the next one.
func TestRateLimited(t *testing.T) {
	b := brokertest.StartReference(t)
	rec := b.Register(t, tools.Ceiling()...)
	var app *agentwrit.App
	var err error
	for range 4 { // three logins in a row are allowed
		if app, err = agentwrit.NewApp(b.URL, rec.ClientID, rec.ClientSecret); err != nil {
			t.Fatal(err)
		}
		err = app.Login(t.Context())
	}
	if !errors.Is(err, agentwrit.ErrRateLimited) {
		t.Fatal(err)
	}
	r := run(t.Context(), preflight.Config{Broker: app, BrokerURL: b.URL, Model: llm.NewPlanner(), PageURL: page(t, http.StatusUnauthorized, true)})["credentials"]
	if !strings.Contains(r.Found, "the next login is possible at ") || !strings.Contains(r.Do, "ten a minute") {
		t.Errorf("%q, do %q", r.Found, r.Do)
	}
}

// Run makes no further check once its context is done.
func TestPreflightEndsEarly(t *testing.T) {
	cfg, _ := healthy(t)
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	preflight.Run(ctx, cfg, func(preflight.Result) { n++; cancel() })
	if n != 1 {
		t.Errorf("%d checks after the end", n)
	}
}

// setBack is a broker whose clock was set back.
type setBack struct{ preflight.Broker }

func (b setBack) Health(ctx context.Context) (*agentwrit.Health, error) {
	h, err := b.Broker.Health(ctx)
	if err == nil {
		h.ClockBehind = 90
	}
	return h, err
}
