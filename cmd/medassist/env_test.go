package main

import (
	"os"
	"strings"
	"testing"
)

// "$" in a secret of .env stands for itself, and setup can log in with it.
func TestDollarInSecret(t *testing.T) {
	const secret = "pa$SWORD-${LLM_API_KEY}-long"
	url, _ := runBroker(t, brokerCmd{Ephemeral: true, AdminSecret: secret})
	t.Chdir(t.TempDir())
	for _, name := range []string{"AGENTWRIT_ADMIN_SECRET", "AGENTWRIT_BROKER_URL", "AGENTWRIT_CLIENT_ID", "LLM_API_KEY", "SWORD", "HOST_URL"} {
		t.Setenv(name, "") // restored at the end
		os.Unsetenv(name)
	}
	env := "LLM_API_KEY=sk-mine\nSWORD=x\nHOST_URL=" + url + "\nAGENTWRIT_BROKER_URL=${HOST_URL}\nAGENTWRIT_ADMIN_SECRET=" + secret + "\n"
	if err := os.WriteFile(envFile, []byte(env), 0o600); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if code := execute(t.Context(), []string{"setup"}, stdio{&out, &out}); code != 0 || !strings.Contains(out.String(), "registered as") {
		t.Errorf("exit code %d:\n%s", code, &out)
	}
}
