package agentwrit_test

import (
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/agentwrit/brokertest"
)

// recorder is a RoundTripper that sends nothing and remembers the last request.
type recorder struct{ last *http.Request }

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	r.last = req
	return &http.Response{StatusCode: 200, Body: http.NoBody, Request: req}, nil
}

func TestTransportSendsTokenToOneOrigin(t *testing.T) {
	brokertest.Each(t, testTransportSendsTokenToOneOrigin)
}

func testTransportSendsTokenToOneOrigin(t *testing.T, b *brokertest.Broker) {
	agent := b.Agent(t, "read:data:a")
	for _, tt := range []struct {
		origin, url string
		sent        bool
	}{
		{"https://api.example", "https://api.example/x", true},
		{"https://api.example", "https://API.Example/x", true},
		{"https://API.example/", "https://api.example/x?y", true},
		{"http://127.0.0.1:9000", "http://127.0.0.1:9000/", true},

		{"https://api.example", "http://api.example/x", false},
		{"http://api.example", "https://api.example/x", false},
		{"https://api.example", "https://api.example:8443/x", false},
		{"https://api.example:8443", "https://api.example/x", false},
		{"https://api.example", "https://api.example.evil.example/x", false},
		{"https://api.example", "https://evil.example/api.example", false},
		{"https://api.example", "https://sub.api.example/x", false},
		{"https://api.example", "https://api.example@evil.example/x", false},
		{"http://127.0.0.1:9000", "http://localhost:9000/", false},
	} {
		rec := &recorder{}
		tr, err := agentwrit.NewTransport(agent, tt.origin, rec)
		if err != nil {
			t.Fatal(err)
		}
		body := &closeRecorder{Reader: strings.NewReader("x")}
		req, err := http.NewRequest("POST", tt.url, body)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Basic before")
		resp, err := tr.RoundTrip(req)
		if tt.sent {
			if err != nil || rec.last.Header.Get("Authorization") != agent.BearerHeader() || len(rec.last.Header.Values("Authorization")) != 1 {
				t.Errorf("%s to %s: %v, want it sent with the token", tt.origin, tt.url, err)
			}
			if req.Header.Get("Authorization") != "Basic before" {
				t.Error("the caller's request was changed")
			}
			continue
		}
		if !errors.Is(err, agentwrit.ErrAuthorization) || rec.last != nil || resp != nil || !body.closed {
			t.Errorf("%s to %s: %v, want ErrAuthorization and nothing sent", tt.origin, tt.url, err)
		}
	}
	for _, origin := range []string{"", "api.example", "ftp://api.example", "https://", "//api.example", "https://bad host/"} {
		if _, err := agentwrit.NewTransport(agent, origin, nil); !errors.Is(err, agentwrit.ErrInvalidRequest) {
			t.Errorf("origin %q: %v, want ErrInvalidRequest", origin, err)
		}
	}
}

type closeRecorder struct {
	*strings.Reader
	closed bool
}

func (c *closeRecorder) Close() error { c.closed = true; return nil }

// A redirect to another origin is refused, also by a client that follows it.
func TestTransportDoesNotFollowRedirects(t *testing.T) {
	brokertest.Each(t, testTransportDoesNotFollowRedirects)
}

func testTransportDoesNotFollowRedirects(t *testing.T, b *brokertest.Broker) {
	agent := b.Agent(t, "read:data:a")
	var reached atomic.Bool
	elsewhere := server(t, func(http.ResponseWriter, *http.Request) { reached.Store(true) })
	origin := server(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere, http.StatusFound) })
	tr, err := agentwrit.NewTransport(agent, origin, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (&http.Client{Transport: tr}).Get(origin); !errors.Is(err, agentwrit.ErrAuthorization) || reached.Load() {
		t.Errorf("redirect: %v, want ErrAuthorization and nothing sent", err)
	}
}

func TestTransportRenews(t *testing.T) {
	var ahead atomic.Int64 // seconds that both clocks are ahead
	clock := func() time.Time { return time.Now().Add(time.Duration(ahead.Load()) * time.Second) }
	b := brokertest.Start(t, brokertest.WithClock(clock))
	app := b.AppWith(t, []agentwrit.Option{agentwrit.WithClock(clock)}, "read:data:*")
	agent := createAgent(t, app, "read:data:a")
	rec := &recorder{}
	tr, err := agentwrit.NewTransport(agent, "https://api.example", rec)
	if err != nil {
		t.Fatal(err)
	}
	send := func() error {
		req, err := http.NewRequest("GET", "https://api.example/", nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = tr.RoundTrip(req)
		return err
	}
	first := agent.AccessToken()
	ahead.Store(200) // of 300 seconds
	if err := send(); err != nil || agent.AccessToken() != first {
		t.Errorf("a third of the lifetime left: %v, want the same token", err)
	}
	ahead.Store(270)
	if err := send(); err != nil || agent.AccessToken() == first || rec.last.Header.Get("Authorization") != agent.BearerHeader() {
		t.Errorf("a tenth of the lifetime left: %v, want the token renewed", err)
	}
	assertInvalid(t, app, first, "the token before the renewal")
	if err := agent.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	rec.last = nil
	if err := send(); !errors.Is(err, agentwrit.ErrReleased) || rec.last != nil {
		t.Errorf("after release: %v, want ErrReleased and nothing sent", err)
	}
}

// If the token can't be renewed, it is used while it lasts and no longer.
func TestTransportWithoutRenewal(t *testing.T) { brokertest.EachKind(t, testTransportWithoutRenewal) }

func testTransportWithoutRenewal(t *testing.T, start brokertest.Starter) {
	var ahead atomic.Int64
	clock := func() time.Time { return time.Now().Add(time.Duration(ahead.Load()) * time.Second) }
	b := start(t, brokertest.WithClock(clock))
	rec := b.Register(t, "read:data:*")
	proxy := intercept(t, b)
	app, err := agentwrit.NewApp(proxy.url, rec.ClientID, rec.ClientSecret, agentwrit.WithClock(clock))
	if err != nil {
		t.Fatal(err)
	}
	sent := &recorder{}
	tr, err := agentwrit.NewTransport(createAgent(t, app, "read:data:a"), "https://api.example", sent)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		ahead  int64
		answer http.HandlerFunc
		sent   bool
	}{
		{"broker fails, token valid", 290, problemDoc(500, "internal_error", "no"), true},
		{"broker refuses the token", 290, problemDoc(401, "unauthorized", "no"), false},
		{"broker fails, token expired", 300, problemDoc(500, "internal_error", "no"), false},
	} {
		ahead.Store(tt.ahead)
		proxy.replace("/v1/token/renew", tt.answer)
		sent.last = nil
		req, _ := http.NewRequest("GET", "https://api.example/", nil)
		if _, err := tr.RoundTrip(req); (err == nil) != tt.sent || (sent.last != nil) != tt.sent {
			t.Errorf("%s: %v, want sent %v", tt.name, err, tt.sent)
		}
	}
}
