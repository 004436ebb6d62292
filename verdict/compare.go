package verdict

import (
	"strings"

	"github.com/devonartis/medassist-go/agentwrit/wire"
)

// A Segment is one of the three parts of a scope (docs/protocol.md, "Common
// rules").
type Segment struct {
	Text    string
	Differs bool // from the same part of the scope that it is compared with
}

// A Comparison sets a required scope beside the held scope that comes closest
// to it, part by part.
type Comparison struct {
	Required [3]Segment
	Held     [3]Segment // empty if the token holds no scope at all
	Reason   string     // the difference in words: "Same action, same resource, different patient."
}

var parts = [3]string{"action", "resource", "patient"}

// Compare compares required with the scope of held that shares most of its
// parts. Between equals the first one wins.
func Compare(required string, held []string) Comparison {
	want := split(required)
	best, most := [3]string{}, -1
	for _, h := range held {
		have := split(h)
		same := 0
		for i := range have {
			if matches(want[i], have[i], i) {
				same++
			}
		}
		if same > most {
			best, most = have, same
		}
	}
	var c Comparison
	if most < 0 {
		for i := range want {
			c.Required[i] = Segment{Text: want[i]}
		}
		c.Reason = "The token holds no scope."
		return c
	}
	words := make([]string, len(parts))
	for i, part := range parts {
		differs := !matches(want[i], best[i], i)
		c.Required[i], c.Held[i] = Segment{want[i], differs}, Segment{best[i], differs}
		words[i] = "same " + part
		if differs {
			words[i] = "different " + part
		}
	}
	c.Reason = "S" + strings.TrimPrefix(strings.Join(words, ", "), "s") + "."
	if strings.HasPrefix(words[0], "different") {
		c.Reason = "D" + strings.TrimPrefix(strings.Join(words, ", "), "d") + "."
	}
	return c
}

// matches reports whether a held part covers a required one. A wildcard covers
// only as an identifier, the last part.
func matches(want, have string, part int) bool {
	return want == have || part == 2 && have == wire.Wildcard
}

// split returns the action, resource and identifier of a scope. The identifier
// may hold further colons.
func split(scope string) (parts [3]string) {
	copy(parts[:], strings.SplitN(scope, ":", 3))
	return parts
}
