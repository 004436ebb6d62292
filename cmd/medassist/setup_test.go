package main

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/agentwrit/brokertest"
)

// Setup registers one app however often it runs, and another only with --new.
func TestSetup(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile(".env", []byte("# mine\nLLM_MODEL=x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := brokertest.Start(t)
	for _, step := range []struct {
		cmd  setupCmd
		says string
		apps int
	}{
		{setupCmd{Write: true}, "registered as", 1},
		{setupCmd{}, "is already registered", 1},
		{setupCmd{Update: true}, "with --new", 1},
		{setupCmd{New: true}, "AGENTWRIT_CLIENT_SECRET=", 2},
	} {
		step.cmd.BrokerURL, step.cmd.AdminSecret = b.URL, b.AdminSecret
		var out strings.Builder
		if err := step.cmd.Run(t.Context(), stdio{&out, &out}); err != nil {
			t.Fatal(err)
		}
		apps, err := b.Admin(t).Apps(t.Context())
		if err != nil || len(apps) != step.apps || !strings.Contains(out.String(), step.says) {
			t.Errorf("%d apps, %v, want %d and %q in\n%s", len(apps), err, step.apps, step.says, &out)
		}
		if strings.Contains(out.String(), b.AdminSecret) {
			t.Error("the admin secret is printed")
		}
	}
	env, err := os.ReadFile(".env")
	if err != nil || !strings.HasPrefix(string(env), "# mine\nLLM_MODEL=x\nAGENTWRIT_BROKER_URL="+b.URL+"\nAGENTWRIT_CLIENT_ID=") {
		t.Errorf(".env: %q, %v", env, err)
	}
}

func TestSetupRefused(t *testing.T) {
	b := brokertest.Start(t)
	for name, c := range map[string]setupCmd{
		"set AGENTWRIT_ADMIN_SECRET":   {BrokerURL: b.URL},
		"check AGENTWRIT_ADMIN_SECRET": {BrokerURL: b.URL, AdminSecret: "not-the-secret-at-all"},
	} {
		var out strings.Builder
		if err := c.Run(t.Context(), stdio{&out, &out}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v, want %q", err, name)
		}
	}
	admin, err := agentwrit.NewAdmin(b.URL, b.AdminSecret)
	if err != nil {
		t.Fatal(err)
	}
	if apps, err := admin.Apps(t.Context()); err != nil || len(apps) != 0 {
		t.Errorf("refused, but %d apps exist, %v", len(apps), err)
	}
}

// If .env can't be written after the registration, the credentials are printed. A
// file that can't be parsed stops setup before it.
func TestSetupKeepsTheSecret(t *testing.T) {
	t.Chdir(t.TempDir())
	b := brokertest.Start(t)
	run := func(url string) (string, error) {
		var out strings.Builder
		err := (&setupCmd{BrokerURL: url, AdminSecret: b.AdminSecret, Write: true}).Run(t.Context(), stdio{&out, &out})
		return out.String(), err
	}
	if err := os.WriteFile(envFile, []byte("not a variable\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := run(b.URL)
	if apps, listErr := b.Admin(t).Apps(t.Context()); err == nil || listErr != nil || len(apps) != 0 {
		t.Errorf("a broken .env: %v, %d apps, %v\n%s", err, len(apps), listErr, out)
	}

	// The folder vanishes, or is full, after the check: the file becomes a folder
	// when the app is registered.
	if err := os.Remove(envFile); err != nil {
		t.Fatal(err)
	}
	target, err := url.Parse(b.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ModifyResponse = func(r *http.Response) error {
		if r.StatusCode == http.StatusCreated {
			return os.Mkdir(envFile, 0o700)
		}
		return nil
	}
	server := httptest.NewServer(proxy)
	defer server.Close()
	out, err = run(server.URL)
	_, secret, _ := strings.Cut(out, "AGENTWRIT_CLIENT_SECRET=")
	if err == nil || len(strings.TrimSpace(secret)) < 32 || !strings.Contains(out, "AGENTWRIT_CLIENT_ID=") {
		t.Errorf("the secret is lost: %v\n%s", err, out)
	}
}
