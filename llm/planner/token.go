package planner

import (
	"regexp"
	"strings"
)

// A tokenKind is the kind of a token.
type tokenKind int

const (
	tokenWord tokenKind = iota
	tokenNumber
	tokenID    // a patient ID
	tokenStop  // ends a sentence
	tokenComma // , or :
	tokenQuote
)

// A token is one word, number or mark of a text. Its text is in lower case without
// a possessive s; start and end are its position.
type token struct {
	kind       tokenKind
	text       string
	start, end int
}

var tokenPattern = regexp.MustCompile(`(?i)p-?[0-9]{2,8}\b|[0-9]+(?:[.,][0-9]+)*|\pL[\pL0-9]*(?:['’]\pL+)?|[.;!?\n,:"“”]`)

func tokenize(src string) []token {
	var out []token
	for _, at := range tokenPattern.FindAllStringIndex(src, -1) {
		raw := src[at[0]:at[1]]
		out = append(out, token{kindOf(raw), strings.ReplaceAll(strings.ToLower(raw), "’", "'"), at[0], at[1]})
		t := &out[len(out)-1]
		switch t.kind {
		case tokenID:
			t.text = "P-" + strings.TrimLeft(raw, "pP-")
		case tokenWord:
			t.text = strings.TrimSuffix(t.text, "'s")
		}
	}
	return out
}

func kindOf(raw string) tokenKind {
	switch c := raw[0]; {
	case raw == ",", raw == ":":
		return tokenComma
	case raw == `"`, raw == "“", raw == "”":
		return tokenQuote
	case strings.Contains(".;!?\n", raw):
		return tokenStop
	case c >= '0' && c <= '9':
		return tokenNumber
	case (c == 'p' || c == 'P') && len(raw) > 2 && strings.Trim(raw[1:], "-0123456789") == "":
		return tokenID
	}
	return tokenWord
}

// peek returns the token at an offset from the next one. Beyond either end it
// returns a stop.
func (p *parser) peek(ahead int) token {
	switch i := p.i + ahead; {
	case i < 0:
		return token{kind: tokenStop}
	case i < len(p.tokens):
		return p.tokens[i]
	}
	return token{kind: tokenStop, start: len(p.src), end: len(p.src)}
}
