package broker_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/devonartis/medassist-go/internal/openapidoc"
)

var (
	declared = regexp.MustCompile(`m\.(Get|Post|Put|Delete)\("(/v1/[^"]*)"`)
	variable = regexp.MustCompile(`\{[^}]*\}`)
)

// The document describes exactly the broker's routes. A test in cmd/medassist
// checks the traffic itself against the document.
func TestOpenAPIHasEveryRoute(t *testing.T) {
	text, err := os.ReadFile("http.go")
	if err != nil {
		t.Fatal(err)
	}
	var routes []string
	for _, m := range declared.FindAllStringSubmatch(string(text), -1) {
		routes = append(routes, strings.ToUpper(m[1])+" "+variable.ReplaceAllString(m[2], "{}"))
	}
	slices.Sort(routes)
	var described []string
	for _, op := range openapidoc.Operations(t, "../docs/openapi/broker.yaml") {
		described = append(described, variable.ReplaceAllString(op, "{}"))
	}
	slices.Sort(described)
	if !slices.Equal(routes, described) {
		t.Errorf("the router has %v\nthe document describes %v", routes, described)
	}
}
