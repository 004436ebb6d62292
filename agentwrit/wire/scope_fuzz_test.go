package wire_test

import (
	"errors"
	"testing"

	"github.com/devonartis/medassist-go/agentwrit/wire"
)

// FuzzParseScope checks that a parsed scope prints as it was written, covers
// itself, and never covers a scope with another action or resource.
func FuzzParseScope(f *testing.F) {
	for _, s := range []string{
		"read:records:p1", "read:records:*", "*:*:*", "read:records", "::", "read:records:p*", "read:re cords:x",
		"a:b:c:d", "a:b:c:*", "a:b::c", "read:records:p1\n", "réad:records:p1", "read:.._@/+~-:x",
	} {
		f.Add(s, "read:records:p1")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		x, err := wire.ParseScope(a)
		if err != nil {
			if !errors.Is(err, wire.ErrScopeFormat) {
				t.Errorf("%q: %v does not wrap ErrScopeFormat", a, err)
			}
			if wire.Covered([]string{a}, []string{a}) {
				t.Errorf("%q is malformed but covers itself", a)
			}
			return
		}
		if x.String() != a || !x.Covers(x) || len(a) > wire.MaxScopeLength {
			t.Errorf("%q parses as %+v", a, x)
		}
		y, err := wire.ParseScope(b)
		if err != nil {
			return
		}
		if x.Covers(y) && (x.Action != y.Action || x.Resource != y.Resource || x.Identifier != y.Identifier && x.Identifier != wire.Wildcard) {
			t.Errorf("%q covers %q", a, b)
		}
		if x.Covers(y) != wire.Covered([]string{b}, []string{a}) {
			t.Errorf("%q, %q: Covers and Covered differ", a, b)
		}
	})
}
