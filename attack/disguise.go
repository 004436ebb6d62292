package attack

import (
	"encoding/base64"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"
)

// The disguises of the corpus. Each has its inverse in readings.

func inBase64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func inHex(s string) string { return hex.EncodeToString([]byte(s)) }

// rot13 replaces each letter by the one 13 places on. It is its own inverse.
func rot13(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return 'a' + (r-'a'+13)%26
		case r >= 'A' && r <= 'Z':
			return 'A' + (r-'A'+13)%26
		}
		return r
	}, s)
}

// backwards reverses the order of the characters. It is its own inverse.
func backwards(s string) string {
	r := []rune(s)
	slices.Reverse(r)
	return string(r)
}

// fullwidth replaces printable ASCII by its full-width form.
func fullwidth(s string) string {
	return strings.Map(func(r rune) rune {
		if r > ' ' && r <= '~' {
			return r + 0xFEE0
		}
		return r
	}, s)
}

// zeroWidth puts a zero-width space after each character.
func zeroWidth(s string) string {
	var b strings.Builder
	for _, r := range s {
		b.WriteRune(r)
		b.WriteRune('\u200b')
	}
	return b.String()
}

// lookalikes maps Latin letters to Cyrillic ones of the same shape.
var lookalikes = map[rune]rune{'a': 'а', 'c': 'с', 'e': 'е', 'o': 'о', 'p': 'р', 'x': 'х', 'y': 'у'}

func homoglyphs(s string) string {
	return strings.Map(func(r rune) rune {
		if l, ok := lookalikes[r]; ok {
			return l
		}
		return r
	}, s)
}

// normalized undoes full-width forms, zero-width characters and lookalikes.
func normalized(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 0xFF01 && r <= 0xFF5E:
			return r - 0xFEE0
		case r >= 0x200B && r <= 0x200F, r == 0x2060, r == 0xFEFF, r >= 0xE0000 && r <= 0xE007F:
			return -1
		}
		for latin, other := range lookalikes {
			if r == other {
				return latin
			}
		}
		return r
	}, s)
}

var (
	base64Runs = regexp.MustCompile(`[A-Za-z0-9+/]{16,}={0,2}`)
	hexRuns    = regexp.MustCompile(`(?:[0-9a-f]{2}){12,}`)
)

// readings returns everything that a text can be read as: itself, and what remains
// of it when each disguise is undone.
func readings(s string) []string {
	out := []string{s, normalized(s), rot13(s), backwards(s)}
	for _, run := range base64Runs.FindAllString(s, -1) {
		if b, err := base64.StdEncoding.DecodeString(run); err == nil {
			out = append(out, string(b))
		}
	}
	for _, run := range hexRuns.FindAllString(s, -1) {
		if b, err := hex.DecodeString(run); err == nil {
			out = append(out, string(b))
		}
	}
	return out
}
