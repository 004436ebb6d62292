package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// It uses the configured address and scheme.
func TestHealthcheckTarget(t *testing.T) {
	t.Run("broker", func(t *testing.T) {
		for _, tc := range []struct{ url, addr, cert, want string }{
			{"", "", "", "http://127.0.0.1:8080"},
			{"", "0.0.0.0:7001", "cert.pem", "https://127.0.0.1:7001"},
			{"http://broker:8080", "", "cert.pem", "http://broker:8080"},
		} {
			c := healthcheckCmd{URL: tc.url, Broker: true, Addr: "192.0.2.7:1", BrokerAddr: tc.addr, TLSCert: tc.cert}
			if got, err := c.target(); got != tc.want || err != nil {
				t.Errorf("URL %q, address %q: %q, %v, want %q", tc.url, tc.addr, got, err, tc.want)
			}
		}
		// The page has no TLS of its own.
		if got, err := (&healthcheckCmd{TLSCert: "cert.pem"}).target(); got != "http://127.0.0.1:5000" || err != nil {
			t.Errorf("the page: %q, %v", got, err)
		}
	})
	for _, tc := range []struct{ url, addr, want string }{
		{"", "", "http://127.0.0.1:5000"},
		{"", "127.0.0.1:7001", "http://127.0.0.1:7001"},
		{"", "0.0.0.0:7001", "http://127.0.0.1:7001"},
		{"", ":7001", "http://127.0.0.1:7001"},
		{"", "[::]:7001", "http://127.0.0.1:7001"},
		{"", "192.0.2.7:80", "http://192.0.2.7:80"},
		{"http://demo.example/", "0.0.0.0:7001", "http://demo.example"},
		{"", "127.0.0.1:0", ""}, // any free port
		{"", "nonsense", ""},
	} {
		c := healthcheckCmd{URL: tc.url, Addr: tc.addr}
		if got, err := c.target(); got != tc.want || (err == nil) != (tc.want != "") {
			t.Errorf("URL %q, address %q: %q, %v, want %q", tc.url, tc.addr, got, err, tc.want)
		}
	}
}

// With --broker it asks a broker, and with --wait until the answer is 200.
func TestHealthcheckOfABroker(t *testing.T) {
	answers := []int{503, 503, 200}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/health" {
			t.Errorf("asked for %s", r.URL.Path)
		}
		w.WriteHeader(answers[0])
		answers = answers[1:]
	}))
	defer server.Close()
	c := healthcheckCmd{Broker: true, Addr: "192.0.2.7:1", BrokerAddr: strings.TrimPrefix(server.URL, "http://")}
	if err := c.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "the broker at") {
		t.Errorf("without waiting: %v", err)
	}
	c.Wait = time.Minute
	if err := c.Run(t.Context()); err != nil || len(answers) != 0 {
		t.Errorf("%v, answers left: %v", err, answers)
	}
}

func TestHealthcheck(t *testing.T) {
	ready := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/healthz" {
			t.Errorf("asked for %s", r.URL.Path)
		}
		w.WriteHeader(ready)
	}))
	defer server.Close()
	c := healthcheckCmd{Addr: strings.TrimPrefix(server.URL, "http://")}
	if err := c.Run(t.Context()); err != nil {
		t.Error(err)
	}
	ready = http.StatusServiceUnavailable
	if err := c.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "not ready") {
		t.Errorf("not ready: %v", err)
	}
}
