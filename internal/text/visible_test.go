package text

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestVisible(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"plain text", "P-1042: 5 mg,\ttwice\r\na day", "P-1042: 5 mg,\ttwice\r\na day"},
		{"other scripts", "患者 naïve Ünï עברית العربية", "患者 naïve Ünï עברית العربية"},
		{"an override", "P-\u202e2401", `P-\u202e2401`},
		{"embeddings and isolates", "\u202aa\u202bb\u202cc\u202d\u2066d\u2067e\u2068f\u2069", `\u202aa\u202bb\u202cc\u202d\u2066d\u2067e\u2068f\u2069`},
		{"direction marks", "a\u200eb\u200fc\u061cd", `a\u200eb\u200fc\u061cd`},
		{"zero-width characters", "P-\u200b10\ufeff4\u20602\u00ad", `P-\u200b10\ufeff4\u20602\u00ad`},
		{"fillers that count as letters", "a\u3164b\u115fc\uffa0", `a\u3164b\u115fc\uffa0`},
		{"tags", "ok\U000e0049\U000e0067", `ok\U000e0049\U000e0067`},
		{"later selectors", "😀\U000e0100", `😀\U000e0100`},
		{"control characters", "a\x00b\x1b[2Jc\x7fd\u009be", `a\x00b\x1b[2Jc\x7fd\u009be`},
		{"separators", "a\u2028b\u2029c", `a\u2028b\u2029c`},
		{"joiners between ASCII", "P-\u200d10\u200c42\ufe0f", `P-\u200d10\u200c42\ufe0f`},
		{"joiners that Persian and emoji need", "می\u200cخواهم 👩\u200d⚕\ufe0f ❤\ufe0f\u200d🔥 1\ufe0f\u20e3", "می\u200cخواهم 👩\u200d⚕\ufe0f ❤\ufe0f\u200d🔥 1\ufe0f\u20e3"},
		{"a message in joiners", "😀\u200d\u200c\u200d", "😀\u200d" + `\u200c\u200d`},
		{"a message in selectors", "😀\ufe00\ufe01\ufe02", "😀\ufe00" + `\ufe01\ufe02`},
		{"Arabic signs with a shape", "\u0600١", "\u0600١"},
		{"bytes that are not UTF-8", "a\xff\u202eb", "a\xff" + `\u202eb`},
	} {
		if got := Visible(c.in); got != c.want {
			t.Errorf("%s: Visible(%q) = %q, want %q", c.name, c.in, got, c.want)
		}
	}
}

func FuzzVisible(f *testing.F) {
	f.Add("P-\u202e2401 😀\u200d\U000e0049 1\ufe0f\u20e3")
	f.Fuzz(func(t *testing.T, s string) {
		seen := Visible(s)
		if again := Visible(seen); again != seen {
			t.Errorf("Visible(%q) = %q, then %q", s, seen, again)
		}
		if utf8.ValidString(s) && strings.ContainsAny(seen, "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200b\x1b") {
			t.Errorf("Visible(%q) = %q", s, seen)
		}
		document, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var want, got string
		if json.Unmarshal(document, &want) != nil || json.Unmarshal(VisibleJSON(document), &got) != nil || got != want {
			t.Errorf("VisibleJSON(%s) = %s", document, VisibleJSON(document))
		}
	})
}
