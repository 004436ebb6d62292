package agentwrit_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/agentwrit/brokertest"
)

// interceptor is a real broker behind a proxy whose answers to one path can be
// replaced.
type interceptor struct {
	url   string
	proxy *httputil.ReverseProxy
	path  atomic.Pointer[string]
	with  atomic.Pointer[http.HandlerFunc]
}

func intercept(t *testing.T, b *brokertest.Broker) *interceptor {
	t.Helper()
	target, err := url.Parse(b.URL)
	if err != nil {
		t.Fatal(err)
	}
	i := &interceptor{proxy: httputil.NewSingleHostReverseProxy(target)}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p := i.path.Load(); p != nil && r.URL.Path == *p {
			(*i.with.Load())(w, r)
			return
		}
		i.proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	i.url = srv.URL
	return i
}

// replace answers requests to path with h from now on.
func (i *interceptor) replace(path string, h http.HandlerFunc) {
	i.with.Store(&h)
	i.path.Store(&path)
}

// dropConnection reads the request and closes the connection without an answer.
func dropConnection(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// hang keeps a request open until the client gives up.
func hang(_ http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body) // so that the server notices a closed connection
	<-r.Context().Done()
}

// expiring is a context whose deadline is when expired is closed.
type expiring struct {
	context.Context
	expired chan struct{}
}

func (e expiring) Done() <-chan struct{} { return e.expired }

func (e expiring) Err() error {
	select {
	case <-e.expired:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

// A failed call that may have left a valid token at the broker reports it, and no
// other does.
func TestMayHaveIssued(t *testing.T) {
	t.Parallel()
	brokertest.Each(t, testMayHaveIssued)
}

func testMayHaveIssued(t *testing.T, b *brokertest.Broker) {
	rec := b.Register(t, "read:data:*")
	proxy := intercept(t, b)
	app, err := agentwrit.NewApp(proxy.url, rec.ClientID, rec.ClientSecret)
	if err != nil {
		t.Fatal(err)
	}
	from, to := createAgent(t, app, "read:data:a"), createAgent(t, app, "read:data:a")
	calls := []struct {
		op, path string
		call     func(context.Context) error
	}{
		{"register agent", "/v1/register", func(ctx context.Context) error {
			_, err := app.CreateAgent(ctx, agentwrit.AgentRequest{OrchID: "o", TaskID: "t", Scope: []string{"read:data:a"}})
			return err
		}},
		{"delegate", "/v1/delegate", func(ctx context.Context) error {
			_, err := from.Delegate(ctx, to.ID(), []string{"read:data:a"}, 0)
			return err
		}},
		{"renew token", "/v1/token/renew", from.Renew},
	}
	answers := []struct {
		name string
		with http.HandlerFunc
		want bool
	}{
		{"connection dropped", dropConnection, true},
		{"500", problemDoc(500, "internal_error", "no"), true},
		{"502 of a gateway", answer(502, "text/html", "bad gateway"), true},
		{"503 of a gateway", answer(503, "text/html", "later"), true},
		{"504 of a gateway", answer(504, "text/html", "timeout"), true},
		{"200 without a token", answer(200, "application/json", `{"agent_id":"spiffe://x","expires_in":300}`), true},
		{"200 in HTML", answer(200, "text/html", "hello"), true},
		{"200 cut off", answer(200, "application/json", `{"access_token":"x`), true},

		{"400", problemDoc(400, "invalid_request", "no"), false},
		{"401", problemDoc(401, "unauthorized", "no"), false},
		{"403", problemDoc(403, "scope_violation", "no"), false},
		{"404", problemDoc(404, "not_found", "no"), false},
		{"503 of the broker", problemDoc(503, "unavailable", "no"), false},
	}
	for _, c := range calls {
		for _, a := range answers {
			proxy.replace(c.path, a.with)
			err := c.call(t.Context())
			var e *agentwrit.Error
			if !errors.As(err, &e) || e.Op != c.op || e.MayHaveIssued() != a.want || agentwrit.MayHaveIssued(err) != a.want {
				t.Errorf("%s, %s: %#v, MayHaveIssued %v, want %v", c.op, a.name, err, agentwrit.MayHaveIssued(err), a.want)
			}
		}
		ctx := expiring{t.Context(), make(chan struct{})}
		proxy.replace(c.path, func(w http.ResponseWriter, r *http.Request) {
			close(ctx.expired)
			hang(w, r)
		})
		if err := c.call(ctx); !agentwrit.MayHaveIssued(err) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s, deadline during the request: %v, want MayHaveIssued", c.op, err)
		}
		if err := c.call(ctx); err == nil || agentwrit.MayHaveIssued(err) {
			t.Errorf("%s, context ended before the request: %v, want not MayHaveIssued", c.op, err)
		}
	}
	for _, path := range []string{"/v1/app/launch-tokens", "/v1/challenge"} {
		proxy.replace(path, answer(502, "text/html", "bad gateway"))
		if err := calls[0].call(t.Context()); err == nil || agentwrit.MayHaveIssued(err) {
			t.Errorf("%s fails: %v, want not MayHaveIssued", path, err)
		}
	}
}

// A broker that can't be connected to has issued nothing.
func TestMayHaveIssuedWithoutConnection(t *testing.T) {
	brokertest.Each(t, testMayHaveIssuedWithoutConnection)
}

func testMayHaveIssuedWithoutConnection(t *testing.T, b *brokertest.Broker) {
	rec := b.Register(t, "read:data:*")
	proxy := intercept(t, b)
	broken := &http.Client{Transport: dialErrorFor("/v1/register")}
	app, err := agentwrit.NewApp(proxy.url, rec.ClientID, rec.ClientSecret, agentwrit.WithHTTPClient(broken))
	if err != nil {
		t.Fatal(err)
	}
	_, err = app.CreateAgent(t.Context(), agentwrit.AgentRequest{OrchID: "o", TaskID: "t", Scope: []string{"read:data:a"}})
	if !errors.Is(err, agentwrit.ErrTransport) || agentwrit.MayHaveIssued(err) {
		t.Errorf("no connection: %v, want ErrTransport and not MayHaveIssued", err)
	}
}

// dialErrorFor is a transport that sends requests to one path to a port where
// nothing listens.
type dialErrorFor string

func (p dialErrorFor) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Path == string(p) {
		r = r.Clone(r.Context())
		r.URL.Host = "127.0.0.1:1"
	}
	return http.DefaultTransport.RoundTrip(r)
}
