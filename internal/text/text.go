// Package text holds the small operations on text that several packages share:
// clipping, capitalizing, counting, and showing hidden characters.
package text

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// replacement stands for bytes that are not UTF-8.
const replacement = string(unicode.ReplacementChar)

// Clip returns s if it holds at most n bytes. Otherwise it returns the longest
// prefix of at most n bytes that ends between two characters, followed by an
// ellipsis. Bytes that are not valid UTF-8 are replaced, so the result is
// always valid.
func Clip(s string, n int) string {
	if len(s) <= n {
		return strings.ToValidUTF8(s, replacement)
	}
	return Prefix(s, n) + "…"
}

// Prefix returns the longest prefix of s that holds at most n bytes and ends
// between two characters. Bytes that are not valid UTF-8 are replaced.
func Prefix(s string, n int) string {
	if len(s) > n {
		n = max(n, 0)
		for n > 0 && !utf8.RuneStart(s[n]) {
			n--
		}
		s = s[:n]
	}
	return strings.ToValidUTF8(s, replacement)
}

// Capitalize returns s with its first letter in upper case.
func Capitalize(s string) string {
	first, size := utf8.DecodeRuneInString(s)
	if size == 0 || first == utf8.RuneError {
		return s
	}
	return string(unicode.ToUpper(first)) + s[size:]
}

// Count returns n and noun, in the regular plural unless n is 1: "1 token",
// "4 tokens", "2 entries".
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if stem, ok := strings.CutSuffix(noun, "y"); ok && stem != "" && !strings.ContainsAny(stem[len(stem)-1:], "aeiou") {
		return strconv.Itoa(n) + " " + stem + "ies"
	}
	return strconv.Itoa(n) + " " + noun + "s"
}
