package main

import (
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
