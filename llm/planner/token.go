package planner

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
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

// A token is one word, number or mark of a text. A word is in lower case, without a
// possessive s, and with its spelling corrected; an ID is as written. start and end
// are its position.
type token struct {
	kind       tokenKind
	text       string
	start, end int
	upper      bool   // it begins with a capital
	possessive bool   // it ends in 's
	written    string // a word whose spelling was corrected, as written
}

// Bounds of what is read of a request.
const (
	maxBytes  = 16 << 10
	maxTokens = 2000
)

// An ID is taken as written, with its spaces and its letter case, however odd: only
// one of those forms names a patient.
var tokenPattern = regexp.MustCompile(`(?i)\bp[ \t]?[-‐‑–—_][ \t]?[0-9*][0-9a-z]*(?:['’]s\b)?|\bp[ \t]?[0-9]{3,8}(?:['’]s)?\b|` +
	`\b(?:mr|mrs|ms|dr)\.|\b(?:e\.g|i\.e)\.|[0-9]+(?:[.,][0-9]+)*|\pL[\pL\pM0-9]*(?:['’]\pL+)?|[.;!?\n,:"“”]`)

// tokenize splits a text. whole is false if it was too long to be read whole.
func tokenize(src string) (out []token, whole bool) {
	whole = len(src) <= maxBytes
	src = src[:min(len(src), maxBytes)]
	for _, at := range tokenPattern.FindAllStringIndex(src, maxTokens+1) {
		if len(out) == maxTokens {
			return out, false
		}
		raw := src[at[0]:at[1]]
		first, _ := utf8.DecodeRuneInString(raw)
		t := token{kind: kindOf(raw), text: raw, start: at[0], end: at[1], upper: unicode.IsUpper(first)}
		if t.kind == tokenID {
			t.text, t.possessive = strings.CutSuffix(strings.ReplaceAll(raw, "’", "'"), "'s")
		}
		if t.kind == tokenWord {
			t.text, t.possessive = strings.CutSuffix(strings.ReplaceAll(strings.ToLower(strings.TrimSuffix(raw, ".")), "’", "'"), "'s")
			if right := correct(t.text); right != t.text {
				t.text, t.written = right, raw
			}
		}
		out = append(out, t)
	}
	return out, whole
}

func kindOf(raw string) tokenKind {
	switch c := raw[0]; {
	case raw == ",", raw == ":", strings.Count(raw, ".") == 2 && len(raw) == 4:
		return tokenComma
	case raw == `"`, raw == "“", raw == "”":
		return tokenQuote
	case strings.Contains(".;!?\n", raw):
		return tokenStop
	case c >= '0' && c <= '9':
		return tokenNumber
	case (c == 'p' || c == 'P') && len(raw) > 2 && !unicode.IsLetter(rune(raw[1])) && strings.ContainsAny(raw, "0123456789*"):
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
