package agentwrit_test

import (
	"os/exec"
	"strings"
	"testing"
)

// Whoever imports the SDK imports the standard library and nothing else.
func TestStandardLibraryOnly(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, pkg := range strings.Fields(string(out)) {
		if !strings.HasPrefix(pkg, "github.com/devonartis/medassist-go/agentwrit") {
			t.Errorf("agentwrit depends on %s", pkg)
		}
	}
}
