package scenario

import (
	"os"
	"regexp"
	"testing"
)

var act = regexp.MustCompile(`(?m)^- Scenario: ([a-z-]+) \(key ([0-9a-z])\)`)

// Every act of the presenter's guide is a scenario, under the key it says.
func TestGuideNamesScenarios(t *testing.T) {
	guide, err := os.ReadFile("../PRESENTERS_GUIDE.md")
	if err != nil {
		t.Fatal(err)
	}
	acts := act.FindAllStringSubmatch(string(guide), -1)
	if len(acts) < 5 {
		t.Fatalf("%d acts found", len(acts))
	}
	for _, a := range acts {
		if s, ok := ByID(a[1]); !ok || s.Key != a[2] {
			t.Errorf("the guide has %s under key %s, there is %q", a[1], a[2], s.Key)
		}
	}
}
