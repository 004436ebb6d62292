package conformance

import (
	"crypto/rand"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/devonartis/medassist-go/agentwrit/brokertest"
)

// TestPythonSDK drives the published Python SDK: every call of it, and acceptance
// stories of developers and operators. It needs a Python that has the SDK:
// `pip install agentwrit==0.3.0`. AGENTWRIT_PYTHON names another interpreter
// than python3, and then it must have it.
func TestPythonSDK(t *testing.T) {
	python, demanded := os.LookupEnv("AGENTWRIT_PYTHON")
	if !demanded {
		python = "python3"
	}
	if out, err := exec.Command(python, "-c", "import agentwrit").CombinedOutput(); err != nil {
		if demanded {
			t.Fatalf("%s has no agentwrit: %v\n%s", python, err, out)
		}
		t.Skip("no Python with agentwrit here")
	}
	brokertest.Each(t, func(t *testing.T, b *brokertest.Broker) { testPythonSDK(t, b, python) })
}

func testPythonSDK(t *testing.T, b *brokertest.Broker, python string) {
	s := connect(t, b)
	s.bearers["admin"] = s.need("POST", "/v1/admin/auth", "", map[string]any{"secret": s.secret}).text("access_token")
	for _, script := range []struct{ file, end string }{
		{"sdk.py", "all calls done"},
		{"stories.py", "all stories told"},
	} {
		app := s.need("POST", "/v1/admin/apps", s.bearers["admin"],
			map[string]any{"name": "python-" + strings.ToLower(rand.Text()[:8]), "scopes": []string{"read:data:*", "write:data:*", "read:logs:*"}})
		cmd := exec.CommandContext(t.Context(), python, "testdata/"+script.file)
		cmd.Env = append(os.Environ(), "BROKER_URL="+s.url, "ADMIN_SECRET="+s.secret,
			"CLIENT_ID="+app.text("client_id"), "CLIENT_SECRET="+app.text("client_secret"), "STRICT="+strconv.FormatBool(b.Strict))
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), script.end) {
			t.Errorf("%s: %v\n%s", script.file, err, out)
		}
		t.Logf("%s:\n%s", script.file, out)
	}
}
