package wire_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/devonartis/medassist-go/agentwrit/wire"
)

func TestParseScope(t *testing.T) {
	accepted := map[string]wire.Scope{
		"read:records:P-1042":                               {Action: "read", Resource: "records", Identifier: "P-1042"},
		"read:records:*":                                    {Action: "read", Resource: "records", Identifier: "*"},
		"read:data:acme:reports":                            {Action: "read", Resource: "data", Identifier: "acme:reports"},
		"read:data:acme:2026:q1":                            {Action: "read", Resource: "data", Identifier: "acme:2026:q1"},
		"a.b_c@d/e+f~g-h:r:i":                               {Action: "a.b_c@d/e+f~g-h", Resource: "r", Identifier: "i"},
		"read:data:spiffe://a/b:c":                          {Action: "read", Resource: "data", Identifier: "spiffe://a/b:c"},
		"a:b:" + strings.Repeat("x", wire.MaxScopeLength-4): {Action: "a", Resource: "b", Identifier: strings.Repeat("x", wire.MaxScopeLength-4)},
	}
	for s, want := range accepted {
		got, err := wire.ParseScope(s)
		if err != nil || got != want || got.String() != s {
			t.Errorf("ParseScope(%q) = %+v, %v; want %+v", s, got, err, want)
		}
	}
	refused := []string{
		"", "read", "read:records", "read:records:", "read::P-1042", ":records:P-1042", "::", ":::",
		"*:records:P-1042", "read:*:P-1042", "read:records:P-*", "read:records:**",
		"read:data:acme:*", "read:data:*:reports", "read:data:*:*", "read:data::reports", "read:data:acme:", "read:data:acme::reports",
		"read:records:P 1042", " read:records:P-1042", "read:records:P-1042\n", "read:records:P-1042\x00",
		"read:records:P#1042", "read:records:a,b", "read:records:a|b", "réad:records:P-1042", `read:records:"x"`,
		"a:b:" + strings.Repeat("x", wire.MaxScopeLength-3),
	}
	for _, s := range refused {
		if got, err := wire.ParseScope(s); !errors.Is(err, wire.ErrScopeFormat) {
			t.Errorf("ParseScope(%q) = %+v, %v; want ErrScopeFormat", s, got, err)
		}
	}
}

func TestParseScopesRefusesTheWholeSet(t *testing.T) {
	many := slices.Repeat([]string{"a:b:c"}, wire.MaxScopes)
	if got, err := wire.ParseScopes(many); err != nil || len(got) != wire.MaxScopes {
		t.Errorf("%d scopes: %v", wire.MaxScopes, err)
	}
	for name, set := range map[string][]string{
		"one too many":  append(many, "a:b:c"),
		"one malformed": {"a:b:c", "a:b"},
	} {
		if _, err := wire.ParseScopes(set); !errors.Is(err, wire.ErrScopeFormat) {
			t.Errorf("%s: %v, want ErrScopeFormat", name, err)
		}
	}
}

func TestCovered(t *testing.T) {
	for _, tt := range []struct {
		want, held string
		covered    bool
	}{
		{"read:records:P-1042", "read:records:P-1042", true},
		{"read:records:P-1042", "read:records:*", true},
		{"read:records:*", "read:records:*", true},
		{"read:data:acme:reports", "read:data:acme:reports", true},
		{"read:data:acme:reports", "read:data:*", true},

		{"read:records:P-2187", "read:records:P-1042", false},
		{"read:records:*", "read:records:P-1042", false},
		{"write:records:P-1042", "read:records:P-1042", false},
		{"read:labs:P-1042", "read:records:P-1042", false},
		{"write:records:P-1042", "read:records:*", false},
		{"read:labs:P-1042", "read:records:*", false},
		{"read:Records:P-1042", "read:records:P-1042", false},
		{"read:data:acme:reports", "read:data:acme", false},
		{"read:data:acme", "read:data:acme:reports", false},
		{"read:data:acme:reports", "read:data:acme:*", false}, // "*" is not the whole identifier
		{"read:records", "read:records", false},
		{"", "", false},
	} {
		if got := wire.Covered([]string{tt.want}, []string{tt.held}); got != tt.covered {
			t.Errorf("%q held, %q wanted: covered = %v, want %v", tt.held, tt.want, got, tt.covered)
		}
	}
	missing := wire.Missing([]string{"a:b:1", "a:b:2", "a:b:3", "a:b"}, []string{"a:b:2", "a:b", "a:c:*"})
	if want := []string{"a:b:1", "a:b:3", "a:b"}; !slices.Equal(missing, want) {
		t.Errorf("missing = %v, want %v", missing, want)
	}
}
