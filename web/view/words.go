package view

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/devonartis/medassist-go/trace"
)

// Plain10 writes a number for an attribute.
func Plain10(n int64) string { return strconv.FormatInt(n, 10) }

// liveWords says what a live run is doing.
func liveWords(r *Run) string {
	if r.Thinking {
		return "Waiting for the model."
	}
	if n := len(r.Steps); n > 0 {
		return r.Steps[n-1].What
	}
	return "Starting."
}

// completeWords says how a run ended, from the counts of its trace.
func completeWords(c *trace.Complete) string {
	parts := []string{plural(c.AgentsCount, "agent"), fmt.Sprintf("%d allowed", c.Allowed), fmt.Sprintf("%d denied", c.Denied)}
	if c.Delegations > 0 {
		parts = append(parts, plural(c.Delegations, "delegation"))
	}
	switch {
	case c.AllDead:
		parts = append(parts, deadByWord(c.Tokens))
	case c.Tokens == 0:
		parts = append(parts, "no token was issued")
	default:
		parts = append(parts, fmt.Sprintf("%d of %s proven dead", c.ProvenDead, plural(c.Tokens, "token")))
	}
	return strings.Join(parts, " · ") + "."
}

func deadByWord(tokens int) string {
	if tokens == 1 {
		return "its token is dead, by the broker's word"
	}
	return fmt.Sprintf("all %d tokens dead, by the broker's word", tokens)
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func outcomeWord(r trace.Run) string {
	if r.Live() {
		return "live"
	}
	return r.Outcome
}

func count(r trace.Run, of func(*trace.Complete) int) string {
	if r.Summary == nil {
		return ""
	}
	return strconv.Itoa(of(r.Summary))
}

func deadWords(r trace.Run) string {
	if r.Summary == nil || r.Summary.Tokens == 0 {
		return ""
	}
	return fmt.Sprintf("%d of %d", r.Summary.ProvenDead, r.Summary.Tokens)
}
