package planner

import (
	"slices"
	"strings"
)

const (
	maxPhrase = 8 // words in a reason or a service
	noteReach = 8 // tokens between the noun "note" and what begins its text
)

// takePhrase consumes the words that name a reason or a service, up to the next
// clause element. Leading articles are skipped.
func (p *parser) takePhrase() string {
	for p.peek(0).kind == tokenWord && isArticle(p.peek(0).text) {
		p.i++
	}
	from, to := p.peek(0).start, p.peek(0).start
	for range maxPhrase {
		t := p.peek(0)
		if p.endsPhrase() {
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

func isDoseUnit(w string) bool {
	switch w {
	case "mg", "mcg", "g", "ml", "units", "unit", "iu", "puffs", "drops":
		return true
	}
	return false
}

func isTimeUnit(w string) bool {
	switch w {
	case "hours", "hour", "day", "days", "week", "weeks":
		return true
	}
	return false
}

// endsPhrase reports whether the next token ends the phrase.
func (p *parser) endsPhrase() bool {
	switch next := p.peek(1).text; p.peek(0).kind {
	case tokenWord:
	case tokenNumber: // "type 2 diabetes", but "10 mg", "7 days"
		return isDoseUnit(next) || isTimeUnit(next)
	default:
		return true
	}
	ahead := 0
	if w := p.peek(0).text; w == "and" || w == "or" || w == "with" || w == "to" {
		ahead = 1
	}
	if p.peek(ahead).kind != tokenWord {
		return ahead == 1
	}
	if _, listed := personNamed(p.peek(ahead).text); listed || isTitle(p.peek(ahead).text) {
		return true
	}
	e, _ := lookUp(p.tokens[p.i+ahead:])
	if e == nil {
		return false
	}
	switch e.kind {
	case verb, also, then, condition, own, all, others, stranger, not, instead, frequency, purpose, noteThat, claimNoun, claimIt, greeting:
		return true
	case pronoun:
		return !isArticle(p.peek(ahead).text)
	}
	return false
}

// isPerson reports whether the next token refers to a person.
func (p *parser) isPerson() bool {
	t := p.peek(0)
	if e, _ := lookUp(p.tokens[min(p.i, len(p.tokens)-1):]); t.kind != tokenWord || e != nil {
		return t.kind == tokenID || e != nil && t.kind == tokenWord && (e.kind == own || e.kind == all || e.kind == others || e.kind == stranger)
	}
	_, listed := personNamed(t.text)
	_, common := slices.BinarySearch(otherNames, t.text)
	return listed || common || isTitle(t.text)
}

// takeNote consumes the text of a note: text in quotation marks, after a colon or
// after "that", within the next few words. It returns "" if there is none.
func (p *parser) takeNote() string {
	if p.noteFollows() {
		return p.takeUntil(isLineEnd)
	}
	for ahead := range noteReach {
		t := p.peek(ahead)
		var end func(token) bool
		switch {
		case t.kind == tokenStop:
			return ""
		case t.kind == tokenQuote:
			end = isQuote
		case t.text == ":":
			end = isLineEnd
		case t.text == "that", t.text == "saying", t.text == "stating":
			end = isStop
		default:
			continue
		}
		for range ahead { // "a note for P-2187: …"
			switch t := p.peek(0); {
			case t.kind == tokenID:
				p.i++
				p.addPatient(t.text, 1)
			case t.kind != tokenWord || !p.person():
				p.i++
			}
		}
		p.i++
		return p.takeUntil(end)
	}
	return ""
}

// noteFollows reports whether the text of a note follows its noun at once: "add note
// BP 120/80".
func (p *parser) noteFollows() bool {
	t := p.peek(0)
	if t.kind != tokenWord && t.kind != tokenNumber || p.peek(1).kind == tokenStop || p.peek(1).kind == tokenQuote {
		return false
	}
	switch t.text {
	case "a", "about", "and", "as", "at", "for", "from", "here", "in", "is", "now", "of", "on", "or", "please", "say", "says", "saying", "stating", "that", "then", "to", "today", "too", "was", "we", "with", "i", "you":
		return false
	}
	e, _ := lookUp(p.tokens[p.i:])
	return !p.colonAhead() && (e == nil || e.kind != verb && e.kind != then && e.kind != also && e.kind != instead && e.kind != greeting)
}

// colonAhead reports whether a colon or a quotation mark follows before the sentence
// ends: the text begins there.
func (p *parser) colonAhead() bool {
	for ahead := range noteReach {
		switch t := p.peek(ahead); {
		case t.kind == tokenStop:
			return false
		case t.kind == tokenQuote, t.text == ":":
			return true
		}
	}
	return false
}

func isQuote(t token) bool   { return t.kind == tokenQuote }
func isLineEnd(t token) bool { return t.text == "\n" }
func isStop(t token) bool    { return t.kind == tokenStop }

// takeUntil consumes the text up to a token. It skips a closing quotation mark.
func (p *parser) takeUntil(end func(token) bool) string {
	from := p.peek(0).start
	for p.i < len(p.tokens) && !end(p.tokens[p.i]) {
		p.i++
	}
	text := strings.TrimSpace(p.src[from:p.peek(0).start])
	if isQuote(p.peek(0)) {
		p.i++
	}
	return text
}
