package run

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/devonartis/medassist-go/internal/text"
	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/web/ui"
)

// Word is a piece of a line: plain text, or an identifier.
type Word struct {
	Text string
	Mono bool
}

// identifiers matches tools, scopes, patients and SPIFFE IDs within a line.
var identifiers = regexp.MustCompile(`spiffe://[\w./-]*\w|[a-z]+:[a-z]+:(?:\*|[\w.-]*\w)|\b[a-z]+(?:_[a-z]+)+\b|\b[A-Z]-\d+\b`)

// Words splits a line into plain text and identifiers.
func Words(line string) []Word {
	var out []Word
	plain := func(s string) {
		if s != "" {
			out = append(out, Word{Text: s})
		}
	}
	end := 0
	for _, at := range identifiers.FindAllStringIndex(line, -1) {
		plain(line[end:at[0]])
		out = append(out, Word{line[at[0]:at[1]], true})
		end = at[1]
	}
	plain(line[end:])
	return out
}

// lineNo returns a step's number with at least two digits.
func lineNo(n int) string { return fmt.Sprintf("%02d", n) }

// count is one number of a run's summary.
type count struct {
	Meaning ui.Meaning
	Sign    string
	N       int
	Words   string
}

// totals returns the counts of an ended run. What an attacker did with a stolen token is
// counted apart: no agent of the run made those calls.
func (r *Run) totals() []count {
	out := summary(r.Complete)
	accepted, denied := 0, 0
	for _, e := range r.events {
		if s, ok := e.Step.(trace.StolenTokenUsed); ok && s.RefusedBy != "" {
			denied++
		} else if ok && s.Authorized {
			accepted++
		}
	}
	if accepted+denied > 0 {
		// The other counts are those of the agents' own calls, which no stolen token made.
		out = slices.DeleteFunc(out, func(c count) bool { return c.N == 0 && (c.Meaning == ui.Denied || c.Meaning == ui.Delegated) })
		for i := range out {
			if out[i].Meaning == ui.Allowed || out[i].Meaning == ui.Denied {
				out[i].Words += " at the gate"
			}
		}
		out = append(out, count{ui.Trouble, ui.Trouble.Sign(), 1, fmt.Sprintf("stolen token: %d accepted, %d denied", accepted, denied)})
	}
	return out
}

// summary returns a run's summary, count by count. It calls all tokens revoked
// only if the broker has confirmed each.
func summary(c *trace.Complete) []count {
	of := func(m ui.Meaning, n int, words string) count { return count{m, m.Sign(), n, words} }
	out := []count{
		{ui.Plain, "", c.AgentsCount, text.Count(c.AgentsCount, "agent")},
		of(ui.Allowed, c.Allowed, fmt.Sprintf("%d allowed", c.Allowed)),
		of(ui.Denied, c.Denied, fmt.Sprintf("%d denied", c.Denied)),
		of(ui.Delegated, c.Delegations, fmt.Sprintf("%d delegated", c.Delegations)),
	}
	if c.Errors > 0 {
		out = append(out, of(ui.Trouble, c.Errors, fmt.Sprintf("%d failed", c.Errors)))
	}
	switch {
	case c.Tokens == 0 && c.Unaccounted > 0: // below
	case c.Tokens == 0 && c.RevokedUnseen > 0:
		return append(out, count{ui.Plain, "", 0, "no token received, task revoked"})
	case c.Tokens == 0:
		return append(out, count{ui.Plain, "", 0, "no token issued"})
	case c.AllRevoked && c.Tokens == 1:
		return append(out, of(ui.Ended, 1, "1 token confirmed revoked"))
	case c.AllRevoked:
		return append(out, of(ui.Ended, c.Tokens, fmt.Sprintf("all %d tokens confirmed revoked", c.Tokens)))
	case c.AllEnded() && c.ConfirmedRevoked == 0:
		return append(out, of(ui.Ended, c.Expired, text.Count(c.Expired, "token")+" expired"))
	case c.AllEnded():
		return append(out, of(ui.Ended, c.Tokens, fmt.Sprintf("%s revoked, %d expired", text.Count(c.ConfirmedRevoked, "token"), c.Expired)))
	}
	if c.Tokens > 0 {
		out = append(out, of(ui.Trouble, 1, fmt.Sprintf("%d of %s confirmed revoked", c.ConfirmedRevoked, text.Count(c.Tokens, "token"))))
	}
	if c.Unaccounted > 0 {
		out = append(out, of(ui.Trouble, 1, text.Count(c.Unaccounted, "response")+" lost that may hold a token"))
	}
	return out
}
