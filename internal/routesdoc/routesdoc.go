// Package routesdoc reads the tables of docs/routes.md, for tests that compare
// them with the routes that are registered.
package routesdoc

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// A Route is one row.
type Route struct{ Access, Limits string }

var row = regexp.MustCompile("(?m)^\\| `([A-Z]+ [^`]+)` \\| ([^|]+) \\| ([^|]+) \\|$")

// Read returns the access and the limits of the routes below a heading of level 2,
// by method and path.
func Read(t testing.TB, path, heading string) map[string]Route {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "\n## "+heading+"\n")
	if !found {
		t.Fatalf("%s has no section %q", path, heading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	routes := make(map[string]Route)
	for _, m := range row.FindAllStringSubmatch(section, -1) {
		if _, twice := routes[m[1]]; twice {
			t.Errorf("%s lists %s twice", path, m[1])
		}
		routes[m[1]] = Route{strings.TrimSpace(m[2]), strings.TrimSpace(m[3])}
	}
	return routes
}
