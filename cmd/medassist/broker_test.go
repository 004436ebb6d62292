package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/agentwrit"
)

const testSecret = "the admin secret of a test broker"

// runBroker runs `medassist broker` on a free port until the test ends, and
// returns its URL and its output.
func runBroker(t *testing.T, c brokerCmd) (url string, output *strings.Builder) {
	t.Helper()
	c.Addr, c.TrustDomain, c.LogLevel = "127.0.0.1:0", "agentwrit.local", "error"
	ctx, stop := context.WithCancel(t.Context())
	ready, ended := make(chan string, 1), make(chan error, 1)
	c.ready = func(url string) { ready <- url }
	output = new(strings.Builder)
	go func() { ended <- c.Run(ctx, stdio{output, io.Discard}) }()
	select {
	case url = <-ready:
	case err := <-ended:
		t.Fatalf("broker: %v", err)
	}
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("broker: %v", err)
		}
	})
	return url, output
}

func TestBrokerUsesTheDemosDataFolder(t *testing.T) {
	dir := t.TempDir()
	_, output := runBroker(t, brokerCmd{Data: dir})
	text, err := os.ReadFile(filepath.Join(dir, "broker", "admin-secret"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(output.String(), strings.TrimSpace(string(text))) {
		t.Error("a stored secret is printed")
	}
	if !strings.Contains(output.String(), filepath.Join(dir, "broker", "admin-secret")) {
		t.Errorf("the output does not name the secret's file:\n%s", output)
	}
}

func TestEphemeralBroker(t *testing.T) {
	t.Chdir(t.TempDir())
	url, output := runBroker(t, brokerCmd{Data: "data", Ephemeral: true})
	_, secret, found := strings.Cut(strings.TrimSpace(output.String()), "secret ")
	if !found {
		t.Fatalf("no secret in:\n%s", output)
	}
	admin, err := agentwrit.NewAdmin(url, secret, agentwrit.WithTimeout(10*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	if err := admin.Login(t.Context()); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir("."); err != nil || len(left) != 0 {
		t.Errorf("files left behind: %v, %v", left, err)
	}
}

func TestBrokerRefusesToStart(t *testing.T) {
	dir := t.TempDir()
	runBroker(t, brokerCmd{Data: dir, AdminSecret: testSecret})
	for name, tt := range map[string]struct {
		cmd  brokerCmd
		want string
	}{
		"folder in use":         {brokerCmd{Data: dir}, "another broker is running"},
		"weak secret":           {brokerCmd{Ephemeral: true, AdminSecret: "hunter2"}, "weak admin secret"},
		"missing certificate":   {brokerCmd{Ephemeral: true, TLSCert: "no.pem", TLSKey: "no.pem"}, "TLS certificate"},
		"foreign address":       {brokerCmd{Ephemeral: true, Addr: "192.0.2.1:1"}, "192.0.2.1:1"},
		"lifetime over one day": {brokerCmd{Ephemeral: true, AgentTTL: 48 * time.Hour}, "agent TTL"},
	} {
		tt.cmd.LogLevel = "error"
		if tt.cmd.Addr == "" {
			tt.cmd.Addr = "127.0.0.1:0"
		}
		err := tt.cmd.Run(t.Context(), stdio{io.Discard, io.Discard})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}
