package planner

import (
	"regexp"
	"strings"
)

// tokenKind says what a token is.
type tokenKind int

const (
	tokenWord tokenKind = iota
	tokenNumber
	tokenID    // a patient's
	tokenStop  // ends a sentence
	tokenComma // , or :
	tokenQuote
)

// token is a piece of a text. Its own text is in lower case and without a
// possessive s; start and end say where it stands.
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

// peek returns the token at a distance; beyond the end, that of a stop.
func (p *parser) peek(ahead int) token {
	if p.i+ahead < len(p.tokens) {
		return p.tokens[p.i+ahead]
	}
	return token{kind: tokenStop, start: len(p.src), end: len(p.src)}
}

// maxPhrase is the number of words of a reason or a service.
const maxPhrase = 8

// takePhrase takes the words that name a reason or a service: up to where
// something else begins. Articles before it do not count.
func (p *parser) takePhrase() string {
	for p.peek(0).kind == tokenWord && isArticle(p.peek(0).text) {
		p.i++
	}
	from, to := p.peek(0).start, p.peek(0).start
	for range maxPhrase {
		t := p.peek(0)
		if t.kind != tokenWord || p.endsPhrase() {
			break
		}
		to = t.end
		p.i++
	}
	return p.src[from:to]
}

func isArticle(w string) bool {
	switch w {
	case "the", "a", "an", "her", "his", "their", "my", "some", "today":
		return true
	}
	return false
}

// endsPhrase reports whether the next word belongs to something else.
func (p *parser) endsPhrase() bool {
	ahead := 0
	if w := p.peek(0).text; w == "and" || w == "or" || w == "with" || w == "to" {
		ahead = 1
	}
	if p.peek(ahead).kind != tokenWord {
		return ahead == 1
	}
	e, _ := lookUp(p.tokens[p.i+ahead:])
	if e == nil {
		return false
	}
	switch e.kind {
	case verb, also, then, own, not, instead, frequency, purpose, noteThat, claimNoun, claimIt:
		return true
	}
	return false
}

// takeNote takes the text of a note: what stands in quotation marks, after a
// colon or after "that", within the next few words. It is "" if there is none.
func (p *parser) takeNote() string {
	const reach = 8
	for range reach {
		t := p.peek(0)
		p.i++
		switch {
		case t.kind == tokenQuote:
			return p.takeUntil(tokenQuote)
		case t.text == ":":
			return p.takeLine()
		case t.text == "that", t.text == "saying", t.text == "stating":
			return p.takeUntil(tokenStop)
		case t.kind == tokenStop:
			p.i--
			return ""
		}
	}
	return ""
}

// takeUntil takes the text up to a token of a kind. A closing quotation mark is
// passed over.
func (p *parser) takeUntil(end tokenKind) string {
	return p.take(func(t token) bool { return t.kind == end })
}

// takeLine takes the rest of the line.
func (p *parser) takeLine() string {
	return p.take(func(t token) bool { return t.text == "\n" })
}

func (p *parser) take(end func(token) bool) string {
	from := p.peek(0).start
	for p.i < len(p.tokens) && !end(p.tokens[p.i]) {
		p.i++
	}
	text := strings.TrimSpace(p.src[from:p.peek(0).start])
	if p.peek(0).kind == tokenQuote {
		p.i++
	}
	return text
}
