package agentwrit_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// The SDK depends on the standard library and, from this module, on packages
// that do so too.
func TestStandardLibraryOnly(t *testing.T) {
	allowed := []string{"agentwrit", "agentwrit/wire", "internal/text", "internal/random"}
	out, err := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, pkg := range strings.Fields(string(out)) {
		if !slices.Contains(allowed, strings.TrimPrefix(pkg, "github.com/devonartis/medassist-go/")) {
			t.Errorf("agentwrit depends on %s", pkg)
		}
	}
}
