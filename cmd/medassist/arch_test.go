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
	"trace":                nil,
	"decisions":            nil,
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
	"talk":                 {"scenario", "trace"},
	"preflight":            {"agentwrit", "tools", "trace", "agents", "llm", "llm/planner", "decisions"},
	"agents":               {"agentwrit", "tools", "llm", "llm/planner", "trace", "decisions"},
	"agents/shared":        {"agents", "agentwrit", "tools", "llm", "llm/planner", "trace", "decisions"},
	"twin":                 {"agentwrit", "agents", "decisions", "llm", "llm/planner", "records", "scenario", "tools", "trace"},
	"attack":               {"agentwrit", "agents", "llm", "llm/planner", "records", "tools", "trace", "decisions"},
	"web/picture":          {"agentwrit", "tools", "trace"},
	"web/static":           nil,
	"web/hero":             {"agentwrit", "tools", "trace", "web/static"},
	"web/auditlog":         {"agentwrit"},
	"web/ui":               {"web/static"},
	"web/internal/respond": webFloor,
	"web/internal/sse":     webFloor,
	"web/internal/guard":   webFloor,
	"web/internal/newrun":  webFloor,
	"web/internal/shared":  webFloor,
	// Pages import the floor and never each other.
	"web/run":       slices.Concat(webFloor, []string{"records", "verdict", "web/hero", "web/picture"}),
	"web/audit":     slices.Concat(webFloor, []string{"web/auditlog"}),
	"web/operator":  slices.Concat(webFloor, []string{"preflight"}),
	"web/stage":     slices.Concat(webFloor, []string{"talk", "verdict", "web/hero"}),
	"web/twin":      slices.Concat(webFloor, []string{"records", "twin"}),
	"web/attacks":   slices.Concat(webFloor, []string{"records", "attack"}),
	"web/api":       slices.Concat(webFloor, []string{"preflight", "records"}),
	"web/reference": slices.Concat(webFloor, []string{"docs/openapi"}),
	"web": slices.Concat(webFloor, []string{"talk", "preflight", "records", "verdict", "web/hero", "web/picture", "web/auditlog",
		"web/run", "web/audit", "web/operator", "web/stage", "web/api", "web/twin", "twin", "web/attacks", "attack", "web/reference", "docs/openapi"}),
}

// webFloor is what the pages share, and what that depends on.
var webFloor = []string{"agentwrit", "agents", "llm", "llm/planner", "tools", "trace", "decisions", "scenario", "web/ui", "web/static",
	"web/internal/respond", "web/internal/sse", "web/internal/guard", "web/internal/newrun", "web/internal/shared"}

// leaves are packages that every other may import, beside those in internal.
var leaves = []string{"agentwrit/wire", "patient"}

// The dependencies between packages are those of docs/design.md.
func TestDependencies(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", "{{.ImportPath}}{{range .Deps}} {{.}}{{end}}", module+"/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for line := range strings.Lines(string(out)) {
		deps := strings.Fields(line)
		pkg := strings.TrimPrefix(deps[0], module+"/")
		allowed, listed := allowedImports[pkg]
		if !listed && !strings.HasPrefix(pkg, "internal/") {
			continue
		}
		checked++
		for _, dep := range deps[1:] {
			ours, ok := strings.CutPrefix(dep, module+"/")
			if ok && !mayImport(pkg, ours, allowed) {
				t.Errorf("%s depends on %s", pkg, ours)
			}
		}
	}
	if checked < len(allowedImports) {
		t.Errorf("only %d of %d packages exist", checked, len(allowedImports))
	}
}

// mayImport reports whether pkg may depend on dep.
func mayImport(pkg, dep string, allowed []string) bool {
	return strings.HasPrefix(dep, "internal/") || strings.HasPrefix(dep, pkg+"/internal/") || slices.Contains(leaves, dep) ||
		slices.ContainsFunc(allowed, func(a string) bool { return dep == a || strings.HasPrefix(dep, a+"/internal/") })
}
