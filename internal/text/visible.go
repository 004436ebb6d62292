package text

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Visible returns s with every character that its reader could not see written as
// an escape such as \u202e: control characters but tabs and line breaks,
// characters that reorder bidirectional text, zero-width characters and tags. A
// text from a model, a request or a file can then neither hide a part of itself
// nor show another order than it has. Joiners and variation selectors stay where
// scripts and emoji need them.
func Visible(s string) string {
	return visible(s, func(r rune) string { return strings.Trim(strconv.QuoteRuneToASCII(r), "'") })
}

// VisibleJSON is Visible for a JSON document. It writes the escapes of JSON, so
// that the document keeps its meaning.
func VisibleJSON(document []byte) []byte {
	if bytes.IndexFunc(document, Hidden) < 0 {
		return document
	}
	return []byte(visible(string(document), func(r rune) string {
		var b strings.Builder
		for _, unit := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&b, `\u%04x`, unit)
		}
		return b.String()
	}))
}

// visible replaces the hidden characters of s by what escape returns for them.
// Bytes that are not UTF-8 stay.
func visible(s string, escape func(rune) string) string {
	if strings.IndexFunc(s, Hidden) < 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + len(s)/8)
	var before rune // 0 after an escape
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		if Hidden(r) && !joins(before, r, s[size:]) {
			b.WriteString(escape(r))
			r = 0
		} else {
			b.WriteString(s[:size])
		}
		before, s = r, s[size:]
	}
	return b.String()
}

// Hidden reports whether [Visible] escapes r, or would at another place: r has no
// shape of its own, or moves others.
func Hidden(r rune) bool {
	switch {
	case r < ' ':
		return r != '\t' && r != '\n' && r != '\r'
	case r < 0x7f:
		return false
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) &&
		!unicode.Is(unicode.Prepended_Concatenation_Mark, r)
}

// Characters that shape the one before them.
const (
	nonJoiner     = '\u200c'
	joiner        = '\u200d'
	firstSelector = '\ufe00'
	emojiSelector = '\ufe0f'
	keycap        = "\u20e3"
)

// joins reports whether r shapes the character before it, as in Persian words and
// in emoji: one character after one that is not ASCII, a joiner also after the
// selector of an emoji, and the selector of a keycap.
func joins(before, r rune, after string) bool {
	switch {
	case r == emojiSelector && strings.HasPrefix(after, keycap):
		return before == '#' || before == '*' || before >= '0' && before <= '9'
	case r == joiner && before == emojiSelector:
		return true
	case r == joiner || r == nonJoiner || r >= firstSelector && r <= emojiSelector:
		return before >= utf8.RuneSelf && !Hidden(before)
	}
	return false
}
