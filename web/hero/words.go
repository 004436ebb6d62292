package hero

import (
	"fmt"
	"strings"

	"github.com/devonartis/medassist-go/internal/text"
	"github.com/devonartis/medassist-go/tools"
	"github.com/devonartis/medassist-go/trace"
)

// longest is how many characters of a patient ID fit into a pill. An ID may hold 32.
const longest = 8

// short keeps both ends of a long identifier, since either may tell two apart.
func short(id string, n int) string {
	r := []rune(id)
	if len(r) <= n {
		return id
	}
	head := n / 2
	return string(r[:head]) + "…" + string(r[len(r)-(n-1-head):])
}

// scopeSpans splits a scope so that its identifier is set in bold.
func scopeSpans(scope string) []Span {
	i := strings.Index(scope, ":")
	if j := strings.Index(scope[i+1:], ":"); i >= 0 && j >= 0 {
		i += j + 1
	}
	return []Span{{Text: scope[:i+1]}, {Text: short(scope[i+1:], longest+4), Class: "strong"}}
}

// name is an agent's name.
func (l *lane) name() string { return text.Capitalize(l.category) + " agent" }

// lacking says that there is no agent.
func (l *lane) lacking() string {
	if l.agent.state == failed {
		return "not created"
	}
	return "not created yet"
}

// stamp is the word across an ended lane.
func (l *lane) stamp() string {
	switch l.agent.state {
	case released:
		return "REVOKED"
	case revoked:
		return "STOPPED"
	case expired:
		return "EXPIRED"
	}
	return ""
}

// unused counts the agent's scopes that no row shows.
func (l *lane) unused() int {
	shown := make(map[string]bool)
	for _, r := range l.rows {
		if r.kind == allowed || r.kind == source {
			for _, s := range r.scopes {
				shown[s] = true
			}
		}
	}
	n := 0
	for _, s := range l.agent.scopes {
		if !shown[s] {
			n++
		}
	}
	return n
}

// absent says which agents were not created, or "" if all were.
func (h *Hero) absent() string {
	var missing []string
	for _, c := range tools.Categories() {
		if l := h.find(string(c)); l == nil || l.agent.state == absent && len(l.rows) == 0 {
			missing = append(missing, string(c))
		}
	}
	n := len(missing)
	if n == 0 || n == len(tools.Categories()) {
		return ""
	}
	agents, was := "agent", "was"
	if n > 1 {
		agents, was = "agents", "were"
	}
	names := text.Capitalize(strings.Join(missing, " and "))
	if h.ended == nil {
		return fmt.Sprintf("%s %s: not created.", names, agents)
	}
	return fmt.Sprintf("%s %s %s not needed and not created.", names, agents, was)
}

func (h *Hero) find(category string) *lane {
	for _, l := range h.lanes {
		if l.category == category {
			return l
		}
	}
	return nil
}

// reason says why a call was denied, in at most room units of text.
func (r row) reason(size, room float64) []Span {
	if r.over != absent {
		return []Span{{Text: "Token " + string(r.over)}}
	}
	if len(r.missing) == 0 {
		return []Span{{Text: "Denied by the " + checks[r.by]}}
	}
	scope := short(r.missing[0], 32)
	lead := "Token lacks "
	if sansWidth(lead, size)+monoWidth(len([]rune(scope)), size) > room {
		lead = "lacks "
	}
	return []Span{{Text: lead}, {Text: scope, Class: "mono"}}
}

var checks = map[trace.RefusedBy]string{
	trace.RefusedByGate:    "gate",
	trace.RefusedByBroker:  "broker",
	trace.RefusedByRecords: "records API",
}

// outcome says what a stolen token met.
func (t theft) outcome(wordy bool) string {
	switch {
	case t.failed:
		return "call failed"
	case t.scope && wordy:
		return "403 wrong patient"
	case t.scope:
		return "403 patient"
	case wordy:
		return "401 token revoked"
	default:
		return "401 revoked"
	}
}

// Title says in words what the picture shows.
func (h *Hero) Title() string {
	var said []string
	add := func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }
	for _, l := range h.lanes {
		switch {
		case l.agent.state == alive:
			add("%s: token for %s, valid.", l.name(), h.patient)
		case l.agent.over():
			add("%s: token for %s, %s.", l.name(), h.patient, l.agent.state)
		case l.agent.state == failed:
			add("%s: not created.", l.name())
		}
		for _, r := range l.rows {
			switch r.kind {
			case pending:
				add("Requested: %s for %s.", r.tool, r.patient)
			case allowed:
				add("Allowed: %s for %s.", r.tool, r.patient)
			case denied:
				add("Denied: %s for %s. %s.", r.tool, r.patient, plain(r.reason(1, 1000)))
			case source:
				add("Delegated: %s, for one call.", strings.Join(r.scopes, ", "))
			case overreach:
				add("Delegation refused: %s.", strings.Join(r.scopes, ", "))
			case unfinished:
				add("Failed: %s for %s.", r.tool, r.patient)
			}
		}
	}
	for _, t := range h.thefts {
		switch {
		case t.allowed:
			add("Stolen token for %s: accepted.", t.patient)
		case t.failed:
			add("Stolen token for %s: %s.", t.patient, t.outcome(true))
		default:
			add("Stolen token for %s: denied, %s.", t.patient, t.outcome(true))
		}
	}
	if len(said) == 0 {
		return "No agent has been created yet."
	}
	return strings.Join(said, " ")
}

func plain(spans []Span) string {
	var b strings.Builder
	for _, s := range spans {
		b.WriteString(s.Text)
	}
	return b.String()
}
