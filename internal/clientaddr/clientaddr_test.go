package clientaddr

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
)

func TestOf(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("::1/128")}
	for _, tc := range []struct {
		name, peer string
		header     []string
		trusted    []netip.Prefix
		want       string
	}{
		{"no proxy", "203.0.113.9:1234", nil, nil, "203.0.113.9"},
		{"an invented header", "203.0.113.9:1234", []string{"198.51.100.1"}, nil, "203.0.113.9"},
		{"an invented header, proxies elsewhere", "203.0.113.9:1234", []string{"198.51.100.1"}, proxies, "203.0.113.9"},
		{"a trusted proxy", "192.0.2.5:1234", []string{"198.51.100.1"}, proxies, "198.51.100.1"},
		{"two trusted proxies", "192.0.2.5:1234", []string{"198.51.100.1, 192.0.2.7"}, proxies, "198.51.100.1"},
		{"a header that the client began", "192.0.2.5:1234", []string{"10.0.0.1, 198.51.100.1"}, proxies, "198.51.100.1"},
		{"a header that the client sent before the proxy's", "192.0.2.5:1234", []string{"10.0.0.1", "198.51.100.1"}, proxies, "198.51.100.1"},
		{"a trusted proxy without the header", "192.0.2.5:1234", nil, proxies, "192.0.2.5"},
		{"a trusted proxy that names nobody", "192.0.2.5:1234", []string{"unknown"}, proxies, "192.0.2.5"},
		{"a trusted proxy on IPv6", "[::1]:1234", []string{"2001:db8::7"}, proxies, "2001:db8::7"},
		{"IPv4 in IPv6", "[::ffff:203.0.113.9]:1234", nil, nil, "203.0.113.9"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = tc.peer
		r.Header["X-Forwarded-For"] = tc.header
		var got netip.Addr
		Forwarded(tc.trusted)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = Of(r) })).ServeHTTP(nil, r)
		if got.String() != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
	}
}

func TestNetwork(t *testing.T) {
	for addr, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "::ffff:192.0.2.1": "192.0.2.1", "2001:db8:1:2:3::4": "2001:db8:1:2::", "fe80::1%eth0": "fe80::",
	} {
		if got := Network(netip.MustParseAddr(addr)); got.String() != want {
			t.Errorf("%s: %s, want %s", addr, got, want)
		}
	}
}
