package view

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/devonartis/medassist-go/trace"
)

// Word is a stretch of a line: plain, or an identifier.
type Word struct {
	Text string
	Mono bool
}

// identifiers are tools, scopes, patients and SPIFFE IDs in a line for people.
var identifiers = regexp.MustCompile(`spiffe://[\w./-]*\w|[a-z]+:[a-z]+:(?:\*|[\w.-]*\w)|\b[a-z]+(?:_[a-z]+)+\b|\b[A-Z]-\d+\b`)

// Words cuts a line into plain words and identifiers.
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

// Duration writes a duration in at most four digits: "4 ms", "1.2 s".
func Duration(d time.Duration) string {
	switch {
	case d == 0:
		return ""
	case d < 50*time.Microsecond:
		return "<0.1 ms"
	case d < time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	default:
		return Clock(d) + " min"
	}
}

// Clock writes a time to live as m:ss, a begun second as a whole one.
func Clock(d time.Duration) string {
	s := int((max(d, 0) + time.Second - 1) / time.Second)
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}

// number writes a step's number in two digits or more.
func number(n int) string { return fmt.Sprintf("%02d", n) }

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// counted is one number of a run's summary.
type counted struct {
	Meaning Meaning
	Sign    string
	Count   int
	Words   string
}

// tallied is a run's summary, count by count. Only the broker's word makes
// all tokens dead.
func tallied(c *trace.Complete) []counted {
	of := func(m Meaning, n int, words string) counted { return counted{m, m.Sign(), n, words} }
	out := []counted{
		{Plain, "", c.AgentsCount, plural(c.AgentsCount, "agent")},
		of(Allowed, c.Allowed, fmt.Sprintf("%d allowed", c.Allowed)),
		of(Denied, c.Denied, fmt.Sprintf("%d denied", c.Denied)),
		of(Delegated, c.Delegations, fmt.Sprintf("%d delegated", c.Delegations)),
	}
	if c.Errors > 0 {
		out = append(out, of(Trouble, c.Errors, fmt.Sprintf("%d failed", c.Errors)))
	}
	switch {
	case c.Tokens == 0:
		return append(out, counted{Plain, "", 0, "no token was issued"})
	case c.AllRevoked && c.Tokens == 1:
		return append(out, of(Ended, 1, "its token is dead, the broker says"))
	case c.AllRevoked:
		return append(out, of(Ended, c.Tokens, fmt.Sprintf("all %d tokens dead, the broker says", c.Tokens)))
	}
	out = append(out, of(Trouble, 1, fmt.Sprintf("%d of %s proven dead", c.ConfirmedRevoked, plural(c.Tokens, "token"))))
	if c.Unaccounted > 0 {
		out = append(out, of(Trouble, 1, plural(c.Unaccounted, "answer")+" lost that may hold another"))
	}
	return out
}

// Ends shortens a SPIFFE ID and keeps both its ends: the trust domain, and what
// tells its agents apart.
func Ends(spiffeID string) string {
	domain, path, ok := strings.Cut(strings.TrimPrefix(spiffeID, "spiffe://"), "/")
	last := strings.LastIndexByte(path, '/')
	if !ok || last < 0 {
		return spiffeID
	}
	return "spiffe://" + domain + "/…" + path[last:]
}
