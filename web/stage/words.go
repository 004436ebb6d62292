package stage

import (
	"strconv"
	"strings"
	"time"

	"github.com/devonartis/medassist-go/internal/text"
	"github.com/devonartis/medassist-go/scenario"
)

// name returns the title of the act or, of a run that belongs to none, that of its
// scenario.
func (s *Scene) name() string {
	if s.Act.Text != "" || s.Run == nil {
		return s.Act.Text
	}
	if sc, ok := scenario.ByID(s.Run.Info.Scenario); ok {
		return sc.Title
	}
	return "MedAssist AI"
}

// nextWords says what the first button does.
func (p *Present) nextWords() string {
	switch p.Next() {
	case Unblank:
		return "Show the stage"
	case ClosePage:
		return "Back to the run"
	case Forward:
		return "Forward"
	case RunAct:
		return "Run act " + strconv.Itoa(p.Talk.Act().No)
	case ShowPage:
		return "Show " + p.Talk.Act().Page
	case NextStep:
		return "Next step"
	case NextAct:
		return "Next act"
	case Wait:
		return "Running …"
	default:
		return "End of the talk"
	}
}

// stepWords says which step is on the stage.
func (p *Present) stepWords() string {
	switch {
	case p.Steps == 0:
		return "no steps"
	case p.Waiting != "" && p.Step == p.Steps:
		return "next: " + p.Waiting
	default:
		return strconv.Itoa(p.Step) + " of " + strconv.Itoa(p.Steps)
	}
}

func (p *Present) runURL(act string) string {
	if p.RunID == "" {
		return "/present"
	}
	return "/runs/" + p.RunID + "/" + act
}

// showsPage reports whether a page is on the stage, with any query.
func (p *Present) showsPage(path string) bool {
	shown, _, _ := strings.Cut(p.OnPage, "?")
	return shown == path
}

func leftWords(t Talk) string {
	if left := t.Due() - t.Timer; left < 0 {
		return text.Clock(-left) + " over"
	} else {
		return text.Clock(left) + " left"
	}
}

// along returns where a time is on a line of 400 units that stands for the talk.
func along(t Talk, at time.Duration) string {
	return strconv.Itoa(int(min(400, 400*at/max(1, t.Length()))))
}

func otherTheme(l Look) string {
	if l.Theme == "dark" {
		return "light"
	}
	return "dark"
}

func themeWords(l Look) string { return text.Capitalize(otherTheme(l)) + " theme" }

func otherSize(l Look) string {
	if l.Large {
		return "smaller"
	}
	return "larger"
}

func sizeSign(l Look) string {
	if l.Large {
		return "A−"
	}
	return "A+"
}

func sizeWords(l Look) string { return text.Capitalize(otherSize(l)) + " text" }
