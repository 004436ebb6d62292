package patient

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/devonartis/medassist-go/agentwrit/wire"
)

func TestParseID(t *testing.T) {
	for _, s := range []string{"P-1042", "x", "a.b_c-d", "0", "...", strings.Repeat("x", MaxIDLength)} {
		if id, err := ParseID(s); err != nil || id.String() != s {
			t.Errorf("ParseID(%q) = %q, %v", s, id, err)
		}
	}
	for _, s := range []string{"", "*", "P-*", "../x", ".", "..", "P-1042:x", "a/b", "a b", "P-1042\n", "ä", "P%2D1", `"x"`, strings.Repeat("x", MaxIDLength+1)} {
		if id, err := ParseID(s); err == nil || !id.IsZero() {
			t.Errorf("ParseID(%q) = %q, want an error", s, id)
		}
	}
}

// An ID is one segment of a scope and of a path, whatever it is.
func FuzzParseID(f *testing.F) {
	for _, s := range []string{"P-1042", "*", "../x", "P-1042:x", "a/b", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		id, err := ParseID(s)
		if err != nil {
			return
		}
		scope, err := wire.ParseScope("read:records:" + id.String())
		if err != nil || scope.Identifier != s || scope.Identifier == wire.Wildcard {
			t.Errorf("%q makes the scope %+v, %v", s, scope, err)
		}
		if url.PathEscape(s) != s || s == "." || s == ".." {
			t.Errorf("%q is no plain path segment", s)
		}
		b, err := json.Marshal(id)
		var back ID
		if err != nil || json.Unmarshal(b, &back) != nil || back != id {
			t.Errorf("%q comes back from JSON as %q", s, back)
		}
	})
}
