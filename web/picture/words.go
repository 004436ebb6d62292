package picture

import (
	"fmt"
	"github.com/devonartis/medassist-go/internal/text"
	"strings"
	"time"

	"github.com/devonartis/medassist-go/agentwrit/wire"
)

// resource returns a scope without its identifier. It is a strand's label, and
// matches held scopes, planned scopes and required scopes to each other.
func resource(scope string) string {
	if i := strings.LastIndexByte(scope, ':'); i >= 0 {
		return scope[:i]
	}
	return scope
}

func identifier(scope string) string {
	return scope[strings.LastIndexByte(scope, ':')+1:]
}

// brief shortens a scope for a strand. The run's patient is shown once, above the
// lanes, so only another identifier is included.
func brief(scope, patient string) string {
	name, id := resource(scope), identifier(scope)
	if id == patient || id == name {
		return name
	}
	return name + ":" + ends(id, 8)
}

// ends shortens s to n characters from its middle.
func ends(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	head := n / 2
	return string(r[:head]) + "…" + string(r[len(r)-(n-1-head):])
}

// cut shortens s to n characters from its end.
func cut(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	if n < 1 {
		return ""
	}
	return string(r[:n-1]) + "…"
}

// Status returns the credential's state in a word or two.
func (c Credential) Status(now time.Time) string {
	state := c.StateAt(now)
	switch {
	case c.Proof == StillValid:
		return "still valid"
	case state == Alive && c.Problem != "":
		return c.Problem
	case state == Alive && c.Renewals > 0:
		return "renewed"
	case state == Released && c.Proof == ConfirmedRevoked:
		return "confirmed revoked"
	case c.Proof == ConfirmedRevoked:
		return string(state) + ", confirmed"
	case state == Denied:
		return "not issued"
	case state == Failed:
		return "failed"
	case state == Absent:
		return "not created"
	}
	return string(state)
}

// obstacle returns why a call was denied, as its mark shows it: the other patient,
// the state of its token, or a missing scope.
func (c Call) obstacle(patient string) string {
	if c.TokenState != Absent {
		return string(c.TokenState)
	}
	for _, scope := range c.Missing {
		switch id := identifier(scope); id {
		case patient:
		case wire.Wildcard:
			return "any patient"
		default:
			return ends(id, 9)
		}
	}
	return "not held"
}

// wanted returns the scopes that a denied delegation requested, shortened.
func (d RefusedDelegation) wanted(patient string) string {
	switch len(d.Scope) {
	case 0:
		return "no scope"
	case 1:
		return brief(d.Scope[0], patient)
	}
	return text.Count(len(d.Scope), "scope")
}

// Title returns the picture's name for screen readers.
func (p *Picture) Title() string {
	if p.Patient.ID == "" {
		return "Authority picture"
	}
	return "Authority picture of the run for " + p.Patient.ID
}

// Description describes the picture in a few sentences, for screen readers.
func (p *Picture) Description() string {
	n := p.Counts()
	created := 0
	for _, l := range p.Lanes {
		if l.Agent.issued() {
			created++
		}
	}
	s := fmt.Sprintf("The operator registered the app with a ceiling of %s. %d of %s are active or were. "+
		"Calls and requests: %d allowed, %d denied. Delegations: %d. Tokens: %d alive, %d ended.",
		text.Count(len(p.Frame.Ceiling), "scope"), created, text.Count(len(p.Lanes), "agent"),
		n.Allowed, n.Denied, n.Delegated, n.Alive, n.Ended)
	if p.Stopped != "" {
		s += " The run was " + p.Stopped + "."
	}
	return s
}

// Lines returns the text alternative: everything that the picture shows, in its
// order, as sentences.
func (p *Picture) Lines() []string {
	lines := []string{fmt.Sprintf("The app %s has a ceiling of %s: %s.",
		p.Frame.App, text.Count(len(p.Frame.Ceiling), "scope"), strings.Join(p.Frame.Ceiling, ", "))}
	if p.Patient.Unknown {
		lines = append(lines, "Patient "+p.Patient.ID+" is not in the records.")
	}
	if p.Broker != "" {
		lines = append(lines, "Broker unreachable: "+p.Broker+".")
	}
	for _, l := range p.Lanes {
		lines = append(lines, l.lines(p.Now)...)
	}
	for _, r := range p.Refused {
		line := fmt.Sprintf("Denied by the %s: %s may not delegate %s to %s. %s",
			r.By, nameOr(r.From, "an agent"), strings.Join(r.Scope, ", "), nameOr(r.To, "another agent"), r.Reason)
		if r.Tool != "" {
			line += " " + r.Tool + " was not called."
		}
		lines = append(lines, line)
	}
	if p.Ended != nil && p.Ended.AllRevoked {
		lines = append(lines, fmt.Sprintf("Tokens confirmed revoked: %d of %d.", p.Ended.ConfirmedRevoked, p.Ended.Tokens))
	}
	return lines
}

func (l Lane) lines(now time.Time) []string {
	a := l.Agent
	if !a.issued() {
		line := text.Capitalize(l.Category) + " agent: " + a.Status(now) + "."
		if a.Problem != "" {
			line += " " + text.Capitalize(a.Problem) + "."
		}
		return append([]string{line}, l.callLines()...)
	}
	lines := []string{fmt.Sprintf("%s agent %s: %s. %s: %s.", text.Capitalize(l.Category), a.SPIFFEID,
		a.sentence(now), text.Count(len(a.Scope), "scope"), strings.Join(a.Scope, ", "))}
	if c := l.Delegated; c.issued() {
		lines = append(lines, fmt.Sprintf("Delegated by %s to %s: %s. %s.", nameOr(c.From, "another agent"),
			l.Category, strings.Join(c.Scope, ", "), text.Capitalize(c.sentence(now))))
	}
	return append(lines, l.callLines()...)
}

func (l Lane) callLines() []string {
	var lines []string
	for _, c := range l.Calls {
		if c.Allowed() {
			lines = append(lines, fmt.Sprintf("Allowed: %s for %s, by %s.", c.Tool, c.PatientID, strings.Join(c.Required, ", ")))
			continue
		}
		lines = append(lines, fmt.Sprintf("Denied by the %s: %s for %s needs %s. %s",
			c.RefusedBy, c.Tool, c.PatientID, strings.Join(c.Required, ", "), c.Reason))
	}
	return lines
}

// sentence returns the credential's state with its remaining lifetime.
func (c Credential) sentence(now time.Time) string {
	s := c.Status(now)
	if c.Proof == ConfirmedRevoked {
		s = string(c.StateAt(now)) + ", confirmed by the broker"
	}
	if c.StateAt(now) == Alive {
		s += ", expires in " + text.Clock(c.Expires.Sub(now))
	}
	if c.Renewals > 0 {
		s += ", renewed " + text.Count(c.Renewals, "time")
	}
	return s
}

func nameOr(category, otherwise string) string {
	if category == "" {
		return otherwise
	}
	return "the " + category + " agent"
}
