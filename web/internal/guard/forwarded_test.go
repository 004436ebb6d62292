package guard

import (
	"bufio"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
)

// Without a key, a request that a proxy forwarded may read but not change
// anything. With a key, the key decides.
func TestForwardedRequests(t *testing.T) {
	for _, tc := range []struct {
		name      string
		header    http.Header
		forwarded bool
	}{
		{"curl", nil, false},
		{"the page itself", http.Header{"Origin": {"http://localhost:5000"}, "Referer": {"http://localhost:5000/runs"}, "Sec-Fetch-Site": {"same-origin"}}, false},
		{"the page by address", http.Header{"Origin": {"http://[::1]:5000"}, "Sec-Fetch-Site": {"same-origin"}}, false},
		{"X-Forwarded-For", http.Header{"X-Forwarded-For": {"203.0.113.9"}}, true},
		{"X-Forwarded-For of a local client", http.Header{"X-Forwarded-For": {"127.0.0.1"}}, true},
		{"an empty X-Forwarded-For", http.Header{"X-Forwarded-For": {""}}, true},
		{"X-Forwarded-Proto", http.Header{"X-Forwarded-Proto": {"https"}}, true},
		{"X-Forwarded-Host", http.Header{"X-Forwarded-Host": {"demo.example"}}, true},
		{"Forwarded", http.Header{"Forwarded": {"for=203.0.113.9"}}, true},
		{"Via", http.Header{"Via": {"1.1 Caddy"}}, true},
		{"X-Real-IP", http.Header{"X-Real-Ip": {"203.0.113.9"}}, true},
		{"a tunnel", http.Header{"Cf-Connecting-Ip": {"203.0.113.9"}}, true},
		{"a private network", http.Header{"Tailscale-User-Login": {"eve@example.com"}}, true},
		{"a content network", http.Header{"Cdn-Loop": {"cloudflare"}}, true},
		{"an edge", http.Header{"Fly-Client-Ip": {"203.0.113.9"}}, true},
		{"a sidecar", http.Header{"X-Envoy-External-Address": {"203.0.113.9"}}, true},
		{"a rewritten address", http.Header{"X-Original-Url": {"/api/reset"}}, true},
		{"headers of programs", http.Header{"X-Request-Id": {"1"}, "Traceparent": {"00-1-1-00"}, "X-Requested-With": {"XMLHttpRequest"}}, false},
		{"a browser that knows another name", http.Header{"Origin": {"https://demo.example"}, "Sec-Fetch-Site": {"same-origin"}}, true},
		{"a form of a page under another name", http.Header{"Referer": {"https://demo.example/operator"}}, true},
	} {
		want := map[bool]int{false: http.StatusNoContent, true: http.StatusForbidden}[tc.forwarded]
		got := request(newRouter(""), "POST", "/change", "127.0.0.1:5000", tc.header, "")
		if got.Code != want {
			t.Errorf("%s: %d, want %d", tc.name, got.Code, want)
		}
		if tc.forwarded && !strings.Contains(got.Body.String(), "MEDASSIST_PRESENTER_KEY") {
			t.Errorf("%s: the refusal does not say what to do: %s", tc.name, got.Body)
		}
		if got := request(newRouter(""), "GET", "/read", "127.0.0.1:5000", tc.header, ""); got.Code != http.StatusNoContent {
			t.Errorf("%s may not watch: %d", tc.name, got.Code)
		}
		if tc.header.Get("Origin") != "" {
			continue // cross-origin for the Host below
		}
		header := http.Header{keyHeader: {key}}
		maps.Copy(header, tc.header)
		if got := request(newRouter(key), "POST", "/change", "demo.example", header, ""); got.Code != http.StatusNoContent {
			t.Errorf("%s with the key: %d", tc.name, got.Code)
		}
	}
}

// A real proxy with default settings is noticed, and so is one that speaks
// HTTP/1.0 and adds nothing, as nginx does by default.
func TestRealProxies(t *testing.T) {
	server := httptest.NewServer(newRouter(""))
	defer server.Close()
	target, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httptest.NewServer(httputil.NewSingleHostReverseProxy(target))
	defer proxy.Close()
	for base, want := range map[string]int{server.URL: http.StatusNoContent, proxy.URL: http.StatusForbidden} {
		resp, err := http.Post(base+"/change", "", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("POST at %s: %d, want %d", base, resp.StatusCode, want)
		}
	}
	conn, err := net.Dial("tcp", target.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "POST /change HTTP/1.0\r\nHost: "+target.Host+"\r\nContent-Length: 0\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || resp.StatusCode != http.StatusForbidden {
		t.Errorf("HTTP/1.0: %+v, %v", resp, err)
	}
}
