// Package guide reads the acts of a talk out of the presenter's guide, so that
// the page from which a talk is given and the guide that describes it can't
// differ. It knows the guide's form and nothing of what an act does.
package guide

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Act is one piece of a talk.
type Act struct {
	No       int
	Title    string
	Scenario string // to be run; empty for an act that shows a page
	Pace     string // of its run
	Page     string // to be shown; empty for an act that runs a scenario
	Minutes  int
	Versions []int // lengths of the talks, in minutes, that have the act
	Proves   string
	PointAt  string
	Say      string
	key      string
}

// In reports whether a talk of that many minutes has the act.
func (a Act) In(version int) bool { return slices.Contains(a.Versions, version) }

// Key is the key of the page that starts the act's scenario.
func (a Act) Key() string { return a.key }

// Versions are the lengths of the talks, in minutes.
var Versions = []int{10, 25}

var (
	heading  = regexp.MustCompile(`^### Act (\d+): (.+)$`)
	item     = regexp.MustCompile(`^- ([A-Z][a-z ]+): (.+)$`)
	scene    = regexp.MustCompile(`^([a-z-]+) \(key ([0-9a-z])\), pace (instant|talk|step)$`)
	duration = regexp.MustCompile(`^(\d+), in (\d+)(?: and (\d+))?$`)
)

// Parse reads the acts, in order. It fails for a guide without acts, and for an
// act that lacks something, or has something twice or unknown.
func Parse(text string) ([]Act, error) {
	var acts []Act
	var seen map[string]bool
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		switch {
		case heading.MatchString(line):
			m := heading.FindStringSubmatch(line)
			no, err := strconv.Atoi(m[1])
			if err != nil || no != len(acts)+1 {
				return nil, fmt.Errorf("guide: act %s where act %d is due", m[1], len(acts)+1)
			}
			acts, seen = append(acts, Act{No: no, Title: m[2]}), map[string]bool{}
		case strings.HasPrefix(line, "#"):
			seen = nil // the acts are over, or have not begun
		case seen != nil && strings.HasPrefix(line, "- "):
			m := item.FindStringSubmatch(line)
			if m == nil || seen[m[1]] {
				return nil, fmt.Errorf("guide: act %d: can't read, or twice: %s", len(acts), line)
			}
			seen[m[1]] = true
			if err := acts[len(acts)-1].set(m[1], m[2]); err != nil {
				return nil, fmt.Errorf("guide: act %d: %w", len(acts), err)
			}
		}
	}
	for _, a := range acts {
		if err := a.check(); err != nil {
			return nil, fmt.Errorf("guide: act %d: %w", a.No, err)
		}
	}
	if len(acts) == 0 {
		return nil, fmt.Errorf("guide: there is no act")
	}
	return acts, nil
}

func (a *Act) set(name, value string) error {
	switch name {
	case "Scenario":
		m := scene.FindStringSubmatch(value)
		if m == nil {
			return fmt.Errorf("a scenario is written like: full (key 3), pace step; not %q", value)
		}
		a.Scenario, a.key, a.Pace = m[1], m[2], m[3]
	case "Page":
		if !strings.HasPrefix(value, "/") {
			return fmt.Errorf("a page begins with /, and not %q", value)
		}
		a.Page = value
	case "Time":
		m := duration.FindStringSubmatch(value)
		if m == nil {
			return fmt.Errorf("a time is written like: 3, in 10 and 25; not %q", value)
		}
		for i, part := range m[1:] {
			n, err := strconv.Atoi(part)
			switch {
			case part == "":
			case err != nil:
				return err
			case i == 0:
				a.Minutes = n
			default:
				a.Versions = append(a.Versions, n)
			}
		}
	case "Proves":
		a.Proves = value
	case "Point at":
		a.PointAt = value
	case "Say":
		a.Say = strings.Trim(value, `"`)
	default:
		return fmt.Errorf("nobody knows what %q is", name)
	}
	return nil
}

func (a Act) check() error {
	switch {
	case (a.Scenario == "") == (a.Page == ""):
		return fmt.Errorf("it needs a scenario or a page, and not both")
	case a.Minutes == 0 || a.Proves == "" || a.PointAt == "" || a.Say == "":
		return fmt.Errorf("it needs a time, what it proves, what to point at, and what to say")
	}
	for _, v := range a.Versions {
		if !slices.Contains(Versions, v) {
			return fmt.Errorf("there is no talk of %d minutes", v)
		}
	}
	return nil
}
