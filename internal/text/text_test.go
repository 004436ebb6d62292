package text

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestClip(t *testing.T) {
	for _, c := range []struct {
		in   string
		n    int
		want string
	}{
		{"", 0, ""},
		{"abc", 3, "abc"},
		{"abcd", 3, "abc…"},
		{"aäb", 2, "a…"},     // never half a character
		{"日本", 3, "日…"},      // ends on a boundary
		{"日本", 1, "…"},       // not even one character fits
		{"a\xffb", 9, "a�b"}, // not UTF-8
		{"abc", -1, "…"},
	} {
		if got := Clip(c.in, c.n); got != c.want {
			t.Errorf("Clip(%q, %d) = %q, want %q", c.in, c.n, got, c.want)
		}
	}
}

func FuzzClip(f *testing.F) {
	f.Add("naïve café", 4)
	f.Add("\xf0\x9f\x98", 2)
	f.Fuzz(func(t *testing.T, s string, n int) {
		got := Prefix(s, n)
		if !utf8.ValidString(got) || !utf8.ValidString(Clip(s, n)) {
			t.Errorf("Prefix(%q, %d) = %q, which is not valid UTF-8", s, n, got)
		}
		if utf8.ValidString(s) && (len(got) > max(n, 0) || !strings.HasPrefix(s, got)) {
			t.Errorf("Prefix(%q, %d) = %q", s, n, got)
		}
	})
}

func TestCapitalize(t *testing.T) {
	for in, want := range map[string]string{"": "", "clinical": "Clinical", "épée": "Épée", "\xffx": "\xffx"} {
		if got := Capitalize(in); got != want {
			t.Errorf("Capitalize(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestCount(t *testing.T) {
	for _, tt := range []struct {
		n          int
		noun, want string
	}{
		{0, "token", "0 tokens"}, {1, "token", "1 token"}, {2, "token", "2 tokens"},
		{1, "entry", "1 entry"}, {3, "entry", "3 entries"}, {2, "API key", "2 API keys"},
	} {
		if got := Count(tt.n, tt.noun); got != tt.want {
			t.Errorf("Count(%d, %q) = %q, want %q", tt.n, tt.noun, got, tt.want)
		}
	}
}
