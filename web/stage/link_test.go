package stage

import (
	"crypto/tls"
	"net/http/httptest"
	"net/netip"
	"testing"
)

func TestGuessAddress(t *testing.T) {
	ip := netip.MustParseAddr
	docker, bridge, wifi, vpn := address{"docker0", ip("172.17.0.1")}, address{"br-4c1e", ip("192.168.49.1")}, address{"wlan0", ip("192.168.1.23")}, address{"tun0", ip("10.8.0.6")}
	wifi6, public, second := address{"wlan0", ip("2001:db8::1")}, address{"eth0", ip("203.0.113.7")}, address{"eth1", ip("10.0.0.5")}
	linkLocal := address{"eth2", ip("169.254.3.4")}
	for name, tc := range map[string]struct {
		routed netip.Addr
		all    []address
		want   string
	}{
		"the default route":               {wifi.ip, []address{docker, second, wifi}, "192.168.1.23"},
		"no route, containers first":      {netip.Addr{}, []address{docker, bridge, wifi6, wifi}, "192.168.1.23"},
		"the default route is a VPN":      {vpn.ip, []address{vpn, docker, wifi}, "192.168.1.23"},
		"a public address, routed":        {public.ip, []address{docker, second, public}, "203.0.113.7"},
		"a public address and no route":   {netip.Addr{}, []address{public, second}, "10.0.0.5"},
		"a public address alone":          {netip.Addr{}, []address{docker, public}, "203.0.113.7"},
		"link-local only":                 {netip.Addr{}, []address{linkLocal}, ""},
		"containers only":                 {docker.ip, []address{docker, bridge}, ""},
		"nothing":                         {netip.Addr{}, nil, ""},
		"a route over no known interface": {ip("198.51.100.1"), []address{wifi}, "192.168.1.23"},
	} {
		if got := guessAddress(tc.routed, tc.all); got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}

func TestPublicURL(t *testing.T) {
	for _, tc := range []struct {
		name, configured, host string
		reachable, tls         bool
		proto, want            string // "guess" for any address
	}{
		{"configured", "https://demo.example", "localhost:5000", false, false, "", "https://demo.example"},
		{"the presenter's own address", "", "192.168.1.23:5000", true, false, "", "http://192.168.1.23:5000"},
		{"the presenter's own name, over TLS", "", "demo.example", true, true, "", "https://demo.example"},
		{"behind a TLS proxy on loopback", "", "demo.example", false, false, "https", "https://demo.example"},
		{"loopback only", "", "localhost:5000", false, false, "", ""},
		{"loopback only, IPv6", "", "[::1]:5000", false, false, "", ""},
		{"opened on loopback", "", "127.0.0.1:5000", true, false, "", "guess"},
	} {
		r := httptest.NewRequest("GET", "/present/link", nil)
		r.Host = tc.host
		r.Header.Set("X-Forwarded-Proto", tc.proto)
		if tc.tls {
			r.TLS = &tls.ConnectionState{}
		}
		p := &Pages{cfg: Config{PublicURL: tc.configured, Reachable: tc.reachable}}
		if got := p.publicURL(r); got != tc.want && (tc.want != "guess" || got == "") {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}
