package picture

import (
	"fmt"
	"strings"
	"time"

	"github.com/devonartis/medassist-go/agentwrit/wire"
)

// resource is a scope without its identifier: what a strand is labelled with,
// and what a held scope, a plan and a call have in common.
func resource(scope string) string {
	if i := strings.LastIndexByte(scope, ':'); i >= 0 {
		return scope[:i]
	}
	return scope
}

func identifier(scope string) string {
	return scope[strings.LastIndexByte(scope, ':')+1:]
}

// brief shortens a scope for a strand. The run's patient is stated once, over
// the lanes, so only another identifier is worth the room.
func brief(scope, patient string) string {
	name, id := resource(scope), identifier(scope)
	if id == patient || id == name {
		return name
	}
	return name + ":" + ends(id, 8)
}

// ends shortens s to n characters and keeps both its ends.
func ends(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	head := n / 2
	return string(r[:head]) + "…" + string(r[len(r)-(n-1-head):])
}

// cut shortens s to n characters and keeps its beginning.
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

// Status is a credential's state in a word or two.
func (c Credential) Status(now time.Time) string {
	state := c.StateAt(now)
	switch {
	case c.Proof == StillValid:
		return "still valid"
	case state == Alive && c.Trouble != "":
		return c.Trouble
	case state == Alive && c.Renewals > 0:
		return "renewed"
	case state == Released && c.Proof == ProvenDead:
		return "proven dead"
	case c.Proof == ProvenDead:
		return string(state) + ", dead"
	case state == Denied:
		return "not issued"
	case state == Failed:
		return "spawn failed"
	case state == Absent:
		return "not spawned"
	}
	return string(state)
}

// clock writes a time to live as m:ss, a begun second as a whole one.
func clock(d time.Duration) string {
	s := int((max(d, 0) + time.Second - 1) / time.Second)
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}

// obstacle says what a refused call ran into, in the words of its mark: the
// other patient it asked for, the state of its token, or a scope not held.
func (c Call) obstacle(patient string) string {
	if c.Dead != Absent {
		return string(c.Dead)
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

// wanted is what a refused delegation asked for, shortened.
func (d RefusedDelegation) wanted(patient string) string {
	switch len(d.Scope) {
	case 0:
		return "no scope"
	case 1:
		return brief(d.Scope[0], patient)
	}
	return count(len(d.Scope), "scope")
}

// Title is the picture's name for those who can't see it.
func (p *Picture) Title() string {
	if p.Patient.ID == "" {
		return "Authority picture"
	}
	return "Authority picture of the run for " + p.Patient.ID
}

// Description is the picture in a sentence or two.
func (p *Picture) Description() string {
	n := p.Counts()
	spawned := 0
	for _, l := range p.Lanes {
		if l.Agent.issued() {
			spawned++
		}
	}
	s := fmt.Sprintf("Authority flows from the operator to the app, ceiling %s, and on to %d of %s. "+
		"Calls and requests: %d allowed, %d denied. Delegations: %d. Tokens: %d alive, %d ended.",
		count(len(p.Frame.Ceiling), "scope"), spawned, count(len(p.Lanes), "agent"),
		n.Allowed, n.Denied, n.Delegated, n.Alive, n.Ended)
	if p.Stopped != "" {
		s += " The run was " + p.Stopped + "."
	}
	return s
}

// Lines is everything the picture shows as a list of sentences, in the
// picture's order: the text alternative.
func (p *Picture) Lines() []string {
	lines := []string{fmt.Sprintf("The operator lets the app %s hold at most %s: %s.",
		p.Frame.App, count(len(p.Frame.Ceiling), "scope"), strings.Join(p.Frame.Ceiling, ", "))}
	if p.Patient.Unknown {
		lines = append(lines, "The records do not know patient "+p.Patient.ID+".")
	}
	if p.Broker != "" {
		lines = append(lines, "The broker is out of reach: "+p.Broker+".")
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
		lines = append(lines, fmt.Sprintf("All %s proven dead by the broker.", count(p.Ended.Tokens, "token")))
	}
	return lines
}

func (l Lane) lines(now time.Time) []string {
	a := l.Agent
	if !a.issued() {
		line := capital(l.Category) + " agent: " + a.Status(now) + "."
		if a.Trouble != "" {
			line += " " + capital(a.Trouble) + "."
		}
		return append([]string{line}, l.callLines()...)
	}
	lines := []string{fmt.Sprintf("%s agent %s: %s. %s: %s.", capital(l.Category), a.SPIFFEID,
		a.sentence(now), count(len(a.Scope), "scope"), strings.Join(a.Scope, ", "))}
	if c := l.Lent; c.issued() {
		lines = append(lines, fmt.Sprintf("Delegated by %s to %s: %s. %s.", nameOr(c.From, "another agent"),
			l.Category, strings.Join(c.Scope, ", "), capital(c.sentence(now))))
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

// sentence is a credential's state with the time that belongs to it.
func (c Credential) sentence(now time.Time) string {
	s := c.Status(now)
	if c.Proof == ProvenDead {
		s = string(c.StateAt(now)) + " and proven dead"
	}
	if c.StateAt(now) == Alive {
		s += ", " + clock(c.Expires.Sub(now)) + " to live"
	}
	if c.Renewals > 0 {
		s += ", renewed " + count(c.Renewals, "time")
	}
	return s
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func nameOr(category, otherwise string) string {
	if category == "" {
		return otherwise
	}
	return "the " + category + " agent"
}
