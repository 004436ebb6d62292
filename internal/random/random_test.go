package random

import (
	"regexp"
	"testing"
)

func TestHex(t *testing.T) {
	a, b := Hex(16), Hex(16)
	if want := regexp.MustCompile(`^[0-9a-f]{32}$`); !want.MatchString(a) || !want.MatchString(b) {
		t.Errorf("Hex(16) = %q and %q, want 32 hex digits each", a, b)
	}
	if a == b {
		t.Errorf("two calls returned %q", a)
	}
}
