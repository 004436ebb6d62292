package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/devonartis/medassist-go"

// allowedImports lists the packages of this module that each package may depend
// on, directly or not. Every package may depend on the leaves.
var allowedImports = map[string][]string{
	"agentwrit/wire":       nil,
	"patient":              nil,
	"internal/sqlitedb":    nil,
	"internal/random":      nil,
	"internal/text":        nil,
	"internal/privatefile": nil,
	"trace":                nil,
	"agentwrit":            nil,
	"broker":               nil,
	"llm":                  {"llm/planner"},
	"llm/planner":          nil,
	"agentwrit/brokertest": {"agentwrit", "broker"},
	"tools":                {"agentwrit"},
	"records":              {"agentwrit"},
	"setup":                {"agentwrit"},
	"scenario":             {"trace"},
	"verdict":              {"trace"},
	"talk":                 nil,
	"preflight":            {"agentwrit", "tools", "trace", "agents", "llm", "llm/planner"},
	"agents":               {"agentwrit", "tools", "llm", "llm/planner", "trace"},
	"web/picture":          {"agentwrit", "tools", "trace"},
	"web/static":           nil,
	"web/hero":             {"agentwrit", "tools", "trace"},
	"web/trail":            {"agentwrit"},
	"web/ui":               {"web/static"},
	"web/internal/respond": webFloor,
	"web/internal/sse":     webFloor,
	"web/internal/guard":   webFloor,
	"web/internal/newrun":  webFloor,
	// Pages import the floor and never each other.
	"web/run":      slices.Concat(webFloor, []string{"records", "web/picture"}),
	"web/audit":    slices.Concat(webFloor, []string{"web/trail"}),
	"web/operator": slices.Concat(webFloor, []string{"preflight"}),
	"web/stage":    slices.Concat(webFloor, []string{"talk"}),
	"web/api":      slices.Concat(webFloor, []string{"preflight", "records"}),
	"web": slices.Concat(webFloor, []string{"talk", "preflight", "records", "web/picture", "web/trail",
		"web/run", "web/audit", "web/operator", "web/stage", "web/api"}),
}

// webFloor is what the pages share, and what that depends on.
var webFloor = []string{"agentwrit", "agents", "llm", "llm/planner", "tools", "trace", "scenario", "web/ui", "web/static",
	"web/internal/respond", "web/internal/sse", "web/internal/guard", "web/internal/newrun"}

var leaves = []string{"agentwrit/wire", "patient", "internal/sqlitedb", "internal/random", "internal/text", "internal/privatefile"}

// The dependencies between packages are those of docs/design.md.
func TestDependencies(t *testing.T) {
	for pkg, allowed := range allowedImports {
		out, err := exec.Command("go", "list", "-deps", module+"/"+pkg).Output()
		if err != nil {
			t.Fatalf("%s: %v", pkg, err)
		}
		for _, dep := range strings.Fields(string(out)) {
			ours, ok := strings.CutPrefix(dep, module+"/")
			if !ok || ours == pkg || strings.HasPrefix(ours, pkg+"/internal/") || slices.Contains(leaves, ours) || slices.Contains(allowed, ours) {
				continue
			}
			if i := slices.IndexFunc(allowed, func(a string) bool { return strings.HasPrefix(ours, a+"/internal/") }); i < 0 {
				t.Errorf("%s depends on %s", pkg, ours)
			}
		}
	}
}
