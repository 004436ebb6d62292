package nonce

import (
	"encoding/hex"
	"strings"
	"testing"
	"time"
)

var now = time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)

func mustParse(t *testing.T, text string) Nonce {
	t.Helper()
	n, ok := Parse(text)
	if !ok {
		t.Fatalf("%q is not a nonce", text)
	}
	return n
}

func TestNonceIsValidOnceUntilItExpires(t *testing.T) {
	s := NewSource(30 * time.Second)
	n := mustParse(t, s.New(now))
	for _, tt := range []struct {
		after time.Duration
		want  bool
	}{{0, true}, {29 * time.Second, true}, {30*time.Second - 1, true}, {30 * time.Second, false}, {time.Hour, false}} {
		if got := s.Valid(n, now.Add(tt.after)); got != tt.want {
			t.Errorf("after %v valid = %t", tt.after, got)
		}
	}
	s.Spend(n)
	if s.Valid(n, now) {
		t.Error("valid after it was spent")
	}
}

func TestForeignNoncesAreInvalid(t *testing.T) {
	s := NewSource(30 * time.Second)
	text := s.New(now)
	if s.Valid(mustParse(t, NewSource(30*time.Second).New(now)), now) {
		t.Error("another source's nonce is valid")
	}
	if s.Valid(Nonce{}, now) {
		t.Error("zeros are valid")
	}
	for i := range Size {
		changed := mustParse(t, text)
		changed[i] ^= 1
		if s.Valid(changed, now) {
			t.Errorf("valid with byte %d changed", i)
		}
	}
	for _, bad := range []string{"", text[:62], text + "00", strings.ToUpper(text), "g" + text[1:], strings.Repeat("x", 1<<20)} {
		if _, ok := Parse(bad); ok && bad != text {
			t.Errorf("%.70q is read as a nonce", bad)
		}
	}
}

// Issuing takes no memory; spent nonces are stored until they expire.
func TestOnlySpentUnexpiredNoncesAreStored(t *testing.T) {
	s := NewSource(30 * time.Second)
	for range 100_000 {
		s.New(now)
	}
	if s.Len() != 0 {
		t.Errorf("%d nonces are held, none was spent", s.Len())
	}
	s.Spend(mustParse(t, s.New(now)), mustParse(t, s.New(now.Add(10*time.Second))))
	s.Sweep(now.Add(30 * time.Second))
	if s.Len() != 1 {
		t.Errorf("%d spent nonces are held, one is unexpired", s.Len())
	}
}

func FuzzParse(f *testing.F) {
	f.Add(NewSource(time.Second).New(now))
	f.Add("00")
	f.Fuzz(func(t *testing.T, text string) {
		if n, ok := Parse(text); ok && hex.EncodeToString(n[:]) != text {
			t.Errorf("%q is read as a nonce in another spelling", text)
		}
	})
}
