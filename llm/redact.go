package llm

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"html"
	"net/url"
	"regexp"
	"strings"

	"github.com/devonartis/medassist-go/internal/text"
)

// maxSaid is how much of a server's own words an error repeats. Bytes.
const maxSaid = 300

// minSecret is the length below which a key is not looked for in part: local
// servers are given "x" or "none" as a key.
const minSecret = 8

var (
	bearer   = regexp.MustCompile(`(?i)\bbearer\s+[^\s"',;]+`)
	keyLike  = regexp.MustCompile(`\b(?:sk|gsk|xai|pk|rk|nvapi|hf|AIza|key)[-_][A-Za-z0-9_*.…-]{6,}|\bAIza[A-Za-z0-9_-]{10,}`)
	nonSpace = regexp.MustCompile(`[^\s"'` + "`" + `(){}<>,;]+`)
)

// redactor removes an API key from texts that others wrote.
type redactor struct {
	key   string
	forms []string // the key in other encodings
}

func newRedactor(key string) redactor {
	r := redactor{key: key}
	if len(key) < 4 {
		return r
	}
	escaped, err := json.Marshal(key)
	if err == nil {
		r.forms = append(r.forms, strings.Trim(string(escaped), `"`))
	}
	r.forms = append(r.forms, key, url.QueryEscape(key), url.PathEscape(key), html.EscapeString(key), hex.EncodeToString([]byte(key)))
	// Within a longer text, base64 encodes the key in one of three ways. Only
	// the characters that the key alone determines are compared.
	for shift := range 3 {
		for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			coded := enc.EncodeToString([]byte(strings.Repeat("\x00", shift) + key))
			from := []int{0, 2, 3}[shift]
			to := len(coded)
			if (shift+len(key))%3 != 0 {
				to--
			}
			if to-from >= minSecret {
				r.forms = append(r.forms, coded[from:to])
			}
		}
	}
	return r
}

// clean returns a server's words in one line of limited length, without the key
// in any encoding, without most of it, and without anything that looks like a
// key of another account.
func (r redactor) clean(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	for _, form := range r.forms {
		s = replaceFold(s, form)
	}
	s = bearer.ReplaceAllString(s, "Bearer …")
	s = keyLike.ReplaceAllString(s, "…")
	if len(r.key) >= minSecret {
		s = nonSpace.ReplaceAllStringFunc(s, func(word string) string {
			decoded := word
			for range 3 { // as it is, and encoded twice at most
				if sharesPart(strings.ToLower(decoded), strings.ToLower(r.key)) {
					return "…"
				}
				next, err := url.PathUnescape(html.UnescapeString(decoded))
				if err != nil || next == decoded {
					break
				}
				decoded = next
			}
			return word
		})
	}
	return text.Clip(s, maxSaid)
}

// replaceFold removes every occurrence of part, in any case.
func replaceFold(s, part string) string {
	if part == "" {
		return s
	}
	lower, target := strings.ToLower(s), strings.ToLower(part)
	if len(lower) != len(s) { // some letters change their length
		return strings.ReplaceAll(s, part, "…")
	}
	var out strings.Builder
	for {
		i := strings.Index(lower, target)
		if i < 0 {
			out.WriteString(s)
			return out.String()
		}
		out.WriteString(s[:i] + "…")
		s, lower = s[i+len(part):], lower[i+len(part):]
	}
}

// sharesPart reports whether a word contains minSecret characters in a row of
// the key: servers quote keys in part.
func sharesPart(word, key string) bool {
	for i := 0; i+minSecret <= len(key); i++ {
		if strings.Contains(word, key[i:i+minSecret]) {
			return true
		}
	}
	return false
}

func clip(s string) string { return text.Clip(s, 80) }
