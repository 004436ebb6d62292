package broker_test

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/broker"
)

// serve starts a broker with Serve on a loopback address.
func serve(t *testing.T, cfg broker.Config) *harness {
	t.Helper()
	h := start(t, cfg)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- h.b.Serve(ctx, ln) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	h.url = "http://" + ln.Addr().String()
	return h
}

// What a web page can make a browser send is refused before it has any effect:
// afterwards the operator can still log in.
func TestRequestsOfOtherSitesAreRefused(t *testing.T) {
	h := serve(t, broker.Config{})
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	host := func(name string) func(*http.Request) { return func(r *http.Request) { r.Host = name } }
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(h.url, "http://"))

	for _, tt := range []struct {
		what   string
		edit   func(*http.Request)
		status int // 401: the wrong secret was looked at
	}{
		{"a page of another site", header("Sec-Fetch-Site", "cross-site"), 403},
		{"a page of another subdomain", header("Sec-Fetch-Site", "same-site"), 403},
		{"a foreign origin", header("Origin", "https://evil.example"), 403},
		{"an opaque origin", header("Origin", "null"), 403},
		{"plain text", header("Content-Type", "text/plain"), 400},
		{"plain text with parameters", header("Content-Type", "text/plain;application/json"), 400},
		{"a multipart form", header("Content-Type", "multipart/form-data; boundary=x"), 400},
		{"a malformed type", header("Content-Type", "application/json; ;"), 400},
		{"a foreign host", host("evil.example"), 403},
		{"a foreign host with the port", host("evil.example:" + port), 403},
		{"a host that begins like ours", host("localhost.evil.example"), 403},
		{"a public address", host("192.0.2.1:" + port), 403},
		{"an unspecified address", host("0.0.0.0:" + port), 403},
		{"an open bracket", host("[localhost"), 403},
		{"a closing bracket", host("localhost]"), 403},

		{"JSON", header("Content-Type", "application/json"), 401},
		{"JSON with a charset", header("Content-Type", "application/json; charset=utf-8"), 401},
		{"what curl -d sends", header("Content-Type", "application/x-www-form-urlencoded"), 401},
		{"a page of the same origin", header("Sec-Fetch-Site", "same-origin"), 401},
		{"the address bar", header("Sec-Fetch-Site", "none"), 401},
		{"localhost", host("LocalHost:" + port), 401},
		{"localhost without a port", host("localhost"), 401},
		{"IPv6 loopback", host("[::1]:" + port), 401},
		{"IPv6 loopback without a port", host("[::1]"), 401},
	} {
		a := h.call("POST", "/v1/admin/auth", "", wire.AdminAuthRequest{Secret: "wrong"}, tt.edit)
		if a.status != tt.status {
			t.Errorf("%s: %d %s, want %d", tt.what, a.status, a.body, tt.status)
		}
		if a.problem(t).RequestID == "" {
			t.Errorf("%s: no problem document: %s", tt.what, a.body)
		}
	}

	h = serve(t, broker.Config{})
	for range 50 {
		for _, edit := range []func(*http.Request){
			header("Sec-Fetch-Site", "cross-site"), header("Content-Type", "text/plain"), host("evil.example"),
		} {
			h.call("POST", "/v1/admin/auth", "", wire.AdminAuthRequest{Secret: "wrong"}, edit)
		}
	}
	admin := h.admin()
	if n := len(h.events(admin, "outcome=denied")); n != 0 {
		t.Errorf("%d events of requests that were refused at once", n)
	}
}

func TestConfiguredHostsAreAccepted(t *testing.T) {
	h := serve(t, broker.Config{Hosts: []string{"Broker.Example"}})
	for host, status := range map[string]int{"broker.example": 200, "BROKER.example:443": 200, "other.example": 403} {
		if a := h.call("GET", "/v1/health", "", nil, func(r *http.Request) { r.Host = host }); a.status != status {
			t.Errorf("host %s: %d %s, want %d", host, a.status, a.body, status)
		}
	}
	// A handler behind another server has no listener to judge by.
	if a := start(t, broker.Config{}).call("GET", "/v1/health", "", nil, func(r *http.Request) { r.Host = "other.example" }); a.status != 200 {
		t.Errorf("Handler with another host: %d %s, want 200", a.status, a.body)
	}
}

// Bodies whose members two readers could understand differently are refused.
func TestAmbiguousMembersAreRefused(t *testing.T) {
	h := start(t, broker.Config{})
	admin := h.admin()
	for body, status := range map[string]int{
		`{"level":"task","target":"t1"}`:                                              200,
		` {"target":"t1", "level":"task", "new":{"a":[{"a":1},{"a":[[]]}],"b":"a"}} `: 200,
		`{"level":"task","target":"t1","target":"t2"}`:                                400,
		`{"level":"task","target":"t1","target":"t1"}`:                                400,
		`{"level":"task","target":"t1","Target":"t2"}`:                                400,
		`{"level":"task","Target":"t1"}`:                                              400,
		`{"LEVEL":"task","target":"t1"}`:                                              400,
		`{"level":"ta\u017fk","target":"t1"}`:                                         400, // no level
		`{"level":"task","target":"t1","\u0074arget":"t2"}`:                           400,
		`{"level":"task","target":"t1","new":{"a":1,"A":2}}`:                          400,
		`{"level":"task","target":"t1","new":[{"a":1,"a":2}]}`:                        400,
		`{"level":"task","target":"t1","new":1,"NEW":1}`:                              400,
		`{"level":"task","target":"t1","new":` + strings.Repeat("[", 9000) + `}`:      400,
		`{"level":"task","target":"t1","\u212a":1,"k":2}`:                             400, // the Kelvin sign
		`{"level":"task","target":"t1"}{`:                                             400,
		`{"level":"task","target":"t1"`:                                               400,
		`{"level":"task","target":"t1","a"}`:                                          400,
		``:                                                                            400,
	} {
		if a := h.call("POST", "/v1/revoke", admin, body); a.status != status {
			t.Errorf("%.100s: %d %s, want %d", body, a.status, a.body, status)
		}
	}
}

// HEAD works wherever GET does, and a refused method is told which ones work.
func TestMethods(t *testing.T) {
	h := serve(t, broker.Config{})
	for _, tc := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{"HEAD", "/v1/health", 200, ""},
		{"HEAD", "/v1/audit/events", 401, ""},
		{"HEAD", "/v1/token/validate", 405, "POST"},
		{"POST", "/v1/health", 405, "GET, HEAD"},
		{"PATCH", "/v1/admin/apps/x", 405, "GET, HEAD, PUT, DELETE"},
	} {
		if a := h.call(tc.method, tc.path, "", nil); a.status != tc.status || a.header.Get("Allow") != tc.allow {
			t.Errorf("%s %s: %d, Allow %q", tc.method, tc.path, a.status, a.header.Get("Allow"))
		}
	}
}
