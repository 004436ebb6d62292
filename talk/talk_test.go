package talk_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/devonartis/medassist-go/scenario"
	"github.com/devonartis/medassist-go/talk"
)

var update = flag.Bool("update", false, "write the acts into PRESENTERS_GUIDE.md")

// Every act runs a scenario that exists or shows a page, and can be presented.
func TestActs(t *testing.T) {
	for _, version := range talk.Versions {
		minutes := 0
		for i, a := range talk.Acts(version) {
			minutes += a.Minutes
			if a.No != i+1 {
				t.Errorf("%d minutes: act %d has number %d", version, i+1, a.No)
			}
			_, known := scenario.ByID(a.Scenario)
			switch {
			case a.Page == "" && (!known || !slices.Contains([]string{"instant", "talk", "step"}, a.Pace)):
				t.Errorf("%s: scenario %q at pace %q", a.Title(), a.Scenario, a.Pace)
			case a.Page != "" && (!strings.HasPrefix(a.Page, "/") || a.Scenario != "" || a.Pace != ""):
				t.Errorf("%s: page %q together with scenario %q at pace %q", a.Title(), a.Page, a.Scenario, a.Pace)
			}
			if a.Title() == "" || a.Minutes <= 0 || a.Proves == "" || a.PointAt == "" || a.Say == "" || a.Asked == "" {
				t.Errorf("incomplete: %+v", a)
			}
			for _, v := range a.Versions {
				if !slices.Contains(talk.Versions, v) {
					t.Errorf("%s: no talk lasts %d minutes", a.Title(), v)
				}
			}
		}
		if minutes != version {
			t.Errorf("the acts of the %d-minute talk take %d minutes", version, minutes)
		}
	}
	if got := talk.Acts(11); len(got) != 0 {
		t.Errorf("a talk of 11 minutes has acts: %v", got)
	}
}

const (
	guideFile  = "../PRESENTERS_GUIDE.md"
	guideBegin = "<!-- The acts are generated: edit talk/acts.go and run go test ./talk -update -->\n"
	guideEnd   = "<!-- End of the acts -->\n"
)

// The presenter's guide lists exactly the acts of the table.
func TestGuide(t *testing.T) {
	file, err := os.ReadFile(guideFile)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(file), guideBegin)
	got, after, closed := strings.Cut(rest, guideEnd)
	if !found || !closed {
		t.Fatalf("%s has no section for the acts:\n%s%s", guideFile, guideBegin, guideEnd)
	}
	want := guideSection()
	if got == want {
		return
	}
	if !*update {
		t.Fatalf("%s does not list the acts of talk/acts.go; run go test ./talk -update", guideFile)
	}
	if err := os.WriteFile(guideFile, []byte(before+guideBegin+want+guideEnd+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// guideSection writes the acts as the guide shows them: those of the longest
// talk in full, then the shorter one as a list.
func guideSection() string {
	var b strings.Builder
	short, long := slices.Min(talk.Versions), slices.Max(talk.Versions)
	for _, a := range talk.Acts(long) {
		fmt.Fprintf(&b, "\n### Act %d: %s\n\n", a.No, a.Title())
		if a.Page != "" {
			fmt.Fprintf(&b, "- Page: %s\n", a.Page)
		} else {
			s, _ := scenario.ByID(a.Scenario)
			fmt.Fprintf(&b, "- Scenario: %s (key %s), pace %s\n", s.Title, s.Key, a.Pace)
		}
		fmt.Fprintf(&b, "- Time: %s\n- Proves: %s\n- Point at: %s\n- Say: %q\n- If someone asks: %s\n", minutes(a.Minutes), a.Proves, a.PointAt, a.Say, a.Asked)
	}
	fmt.Fprintf(&b, "\n### In %d minutes\n\n", short)
	for _, a := range talk.Acts(short) {
		fmt.Fprintf(&b, "%d. %s (%s)\n", a.No, a.Title(), minutes(a.Minutes))
	}
	b.WriteString("\n")
	return b.String()
}

func minutes(n int) string {
	if n == 1 {
		return "1 minute"
	}
	return fmt.Sprintf("%d minutes", n)
}
