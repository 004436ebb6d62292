package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/devonartis/medassist-go"

// arrows says which of our packages each room may come to depend on. Leaves
// that anybody may use stand below.
var arrows = map[string][]string{
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
	"talk":                 nil,
	"preflight":            {"agentwrit", "tools", "trace", "agents", "llm", "llm/planner"},
	"agents":               {"agentwrit", "tools", "llm", "llm/planner", "trace"},
	"web/picture":          {"agentwrit", "tools", "trace"},
	"web/static":           nil,
	"web/view":             {"agentwrit", "tools", "trace", "scenario", "talk", "web/picture", "web/static"},
	"web/trail":            {"agentwrit"},
	"web":                  {"agentwrit", "tools", "trace", "scenario", "talk", "preflight", "agents", "llm", "llm/planner", "records", "web/picture", "web/static", "web/trail", "web/view"},
}

var leaves = []string{"agentwrit/wire", "patient", "internal/sqlitedb", "internal/random", "internal/text", "internal/privatefile"}

// The arrows between the rooms are those of the design.
func TestArrows(t *testing.T) {
	for room, allowed := range arrows {
		out, err := exec.Command("go", "list", "-deps", module+"/"+room).Output()
		if err != nil {
			t.Fatalf("%s: %v", room, err)
		}
		for _, dep := range strings.Fields(string(out)) {
			ours, ok := strings.CutPrefix(dep, module+"/")
			if !ok || ours == room || strings.HasPrefix(ours, room+"/internal/") || slices.Contains(leaves, ours) || slices.Contains(allowed, ours) {
				continue
			}
			if i := slices.IndexFunc(allowed, func(a string) bool { return strings.HasPrefix(ours, a+"/internal/") }); i < 0 {
				t.Errorf("%s depends on %s", room, ours)
			}
		}
	}
}
