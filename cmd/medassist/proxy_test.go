package main

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/devonartis/medassist-go/llm"
)

// Calls between the product's own parts don't use the environment's proxy, also
// if they don't listen on loopback. Calls to a remote model do.
func TestProxyFromEnvironment(t *testing.T) {
	t.Parallel()
	skipProcesses(t)
	ip := otherAddress(t)
	var mu sync.Mutex
	seen := map[string]int{}
	planner := llm.PlannerHandler()
	trap := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		seen[r.URL.Hostname()]++
		mu.Unlock()
		if r.URL.Hostname() == "model.example" {
			planner.ServeHTTP(w, r)
			return
		}
		w.WriteHeader(http.StatusBadGateway)
	}))
	defer trap.Close()
	env := append(os.Environ(), "HTTP_PROXY="+trap.URL, "http_proxy="+trap.URL, "HTTPS_PROXY="+trap.URL, "NO_PROXY=", "no_proxy=")

	doctor := exec.CommandContext(t.Context(), "medassist", "doctor", "--llm-base-url", "http://model.example/v1", "--llm-model", "m")
	doctor.Dir, doctor.Env = t.TempDir(), env
	if out, err := doctor.CombinedOutput(); err != nil {
		t.Errorf("doctor: %v\n%s", err, out)
	}
	mu.Lock()
	if seen["model.example"] == 0 {
		t.Error("the remote model was not called through the proxy")
	}
	mu.Unlock()

	a := startProcess(t, env, "--addr", net.JoinHostPort(ip, "0"), "--broker-addr", net.JoinHostPort(ip, "0"), "--presenter-key", "correct horse battery")
	a.Page, _, _ = strings.Cut(a.Page, "/?key=")
	resp := a.do("POST", "/api/request", map[string]string{"X-Presenter-Key": "correct horse battery"}, `{"patient_id":"P-1042","request":"`+fullRequest+`"}`)
	if resp.StatusCode != http.StatusOK {
		t.Errorf("a run: %s", resp.Status)
	}
	checks := a.do("POST", "/api/preflight", map[string]string{"X-Presenter-Key": "correct horse battery"}, "")
	results, err := io.ReadAll(checks.Body)
	if err != nil || strings.Contains(string(results), `"failed"`) || !strings.Contains(string(results), `"ok"`) {
		t.Errorf("preflight: %v\n%s", err, results)
	}
	health := exec.CommandContext(t.Context(), "medassist", "healthcheck", a.Page)
	health.Dir, health.Env = t.TempDir(), env
	if out, err := health.CombinedOutput(); err != nil {
		t.Errorf("healthcheck: %v\n%s", err, out)
	}
	mu.Lock()
	defer mu.Unlock()
	for host, n := range seen {
		if host != "model.example" {
			t.Errorf("%d calls to %s went through the proxy", n, host)
		}
	}
}

// otherAddress returns an IPv4 address of this machine that is not loopback: for
// loopback, net/http never uses a proxy.
func otherAddress(t *testing.T) string {
	t.Helper()
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && !n.IP.IsLoopback() && !n.IP.IsLinkLocalUnicast() {
			return n.IP.String()
		}
	}
	t.Skip("this machine has no address but loopback")
	return ""
}
