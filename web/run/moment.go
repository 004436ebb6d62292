package run

import (
	"fmt"
	"slices"

	"github.com/devonartis/medassist-go/internal/text"
	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/verdict"
	"github.com/devonartis/medassist-go/web/ui"
)

// heroID returns the prefix of the IDs in the hero picture.
func (r *Run) heroID() string {
	if r.Past() {
		return "past-hero"
	}
	return "hero"
}

// stepOf returns the number under which the trace lists an event.
func (r *Run) stepOf(seq int64) int {
	i := slices.IndexFunc(r.Steps, func(s Step) bool { return s.Seq == seq })
	if i < 0 {
		return 0
	}
	return r.Steps[i].No
}

// momentTitle says what the key moment is.
func (r *Run) momentTitle(m verdict.Moment) string {
	step := r.stepOf(m.Seq)
	switch m.Kind {
	case verdict.Delegation:
		return fmt.Sprintf("Step %d: %d of the clinical agent's %s delegated, for one call", step, len(m.Required), text.Count(len(m.Held), "scope"))
	case verdict.Revocation:
		return fmt.Sprintf("Step %d: revoked by the operator", step)
	case verdict.Theft:
		return fmt.Sprintf("Step %d: stolen token used", step)
	default:
		return fmt.Sprintf("Why step %d was denied", step)
	}
}

// momentSource says who decided the key moment.
func momentSource(m verdict.Moment) string {
	switch m.By {
	case trace.RefusedByGate:
		return "denied at the gate, scopes verified with the broker"
	case trace.RefusedByBroker:
		return "denied by the broker"
	case trace.RefusedByRecords:
		return "denied by the records API"
	}
	return ""
}

// chip returns a compared scope as the page shows it.
func chip(parts [3]verdict.Segment) []ui.Chip {
	c := ui.Chip{}
	for _, s := range parts {
		c.Segments = append(c.Segments, ui.Segment{Text: s.Text, Differs: s.Differs})
	}
	return []ui.Chip{c}
}
