package guide_test

import (
	"strings"
	"testing"

	medassist "github.com/devonartis/medassist-go"
	"github.com/devonartis/medassist-go/guide"
	"github.com/devonartis/medassist-go/scenario"
)

// Every act is a scenario under the key that the guide says, or a page, and
// each version of the talk fits its time.
func TestTheGuide(t *testing.T) {
	acts, err := guide.Parse(medassist.PresentersGuide)
	if err != nil {
		t.Fatal(err)
	}
	minutes := map[int]int{}
	for _, a := range acts {
		if s, ok := scenario.ByID(a.Scenario); a.Page == "" && (!ok || s.Key != a.Key()) {
			t.Errorf("act %d has %s under key %s, there is %q", a.No, a.Scenario, a.Key(), s.Key)
		}
		for _, v := range guide.Versions {
			if a.In(v) {
				minutes[v] += a.Minutes
			}
		}
	}
	for v, sum := range minutes {
		if sum > v || sum < v*3/4 {
			t.Errorf("the acts of the talk of %d minutes take %d", v, sum)
		}
	}
	if len(minutes) != len(guide.Versions) {
		t.Errorf("talks: %v", minutes)
	}
}

func TestParse(t *testing.T) {
	const good = "### Act 1: A\n\n- Scenario: full (key 3), pace step\n- Time: 3, in 10 and 25\n- Proves: p\n- Point at: q\n- Say: \"s\"\n\n## Next\n- Anything: else\n"
	acts, err := guide.Parse(good)
	if err != nil || len(acts) != 1 || acts[0].Say != "s" || acts[0].Minutes != 3 || !acts[0].In(10) || !acts[0].In(25) || acts[0].In(11) || acts[0].Key() != "3" {
		t.Fatalf("%+v, %v", acts, err)
	}
	for name, tc := range map[string]struct{ old, new, says string }{
		"no act":             {"### Act 1: A", "### A", "no act"},
		"a wrong number":     {"Act 1", "Act 2", "act 1 is due"},
		"no scenario":        {"- Scenario: full (key 3), pace step\n", "", "a scenario or a page"},
		"both":               {"- Time", "- Page: /audit\n- Time", "not both"},
		"another page":       {"- Scenario: full (key 3), pace step", "- Page: audit", "begins with /"},
		"a scenario unread":  {"(key 3)", "", "is written like"},
		"a pace unknown":     {"pace step", "pace gallop", "is written like"},
		"a time unread":      {"3, in 10", "soon", "is written like"},
		"a version unknown":  {"10 and 25", "10 and 60", "no talk of 60"},
		"no time":            {"- Time: 3, in 10 and 25\n", "", "needs a time"},
		"nothing to say":     {"- Say: \"s\"\n", "", "what to say"},
		"something unknown":  {"- Say", "- Sing: x\n- Say", "nobody knows"},
		"something twice":    {"- Say", "- Say: x\n- Say", "twice"},
		"something unread":   {"- Say", "- say: x\n- Say", "can't read"},
		"a great long digit": {"Act 1", "Act 99999999999999999999", "is due"},
	} {
		if _, err := guide.Parse(strings.Replace(good, tc.old, tc.new, 1)); err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v, want %q", name, err, tc.says)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(medassist.PresentersGuide)
	f.Add("### Act 1: A\n- Time: 1, in 10")
	f.Fuzz(func(t *testing.T, text string) {
		acts, err := guide.Parse(text)
		if err == nil && len(acts) == 0 {
			t.Error("no act, and no error")
		}
	})
}
