package wire_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/devonartis/medassist-go/agentwrit/wire"
)

func TestAudience(t *testing.T) {
	for text, want := range map[string]wire.Audience{
		`{"aud":"records"}`:          {"records"},
		`{"aud":["records","labs"]}`: {"records", "labs"},
		`{"aud":[]}`:                 nil,
		`{"aud":""}`:                 nil,
		`{"aud":null}`:               nil,
		`{}`:                         nil,
	} {
		var c wire.Claims
		if err := json.Unmarshal([]byte(text), &c); err != nil || !slices.Equal(c.Audience, want) {
			t.Errorf("%s: %v, %v; want %v", text, c.Audience, err, want)
		}
	}
	for _, text := range []string{`{"aud":1}`, `{"aud":{"x":"y"}}`, `{"aud":["records",1]}`} {
		if err := json.Unmarshal([]byte(text), new(wire.Claims)); err == nil {
			t.Errorf("%s is accepted", text)
		}
	}
}

func TestSigningInput(t *testing.T) {
	h := wire.DelegationHop{Agent: "a", Scope: []string{"r:s:1", "r:s:2"}, DelegatedAt: "2026-03-01T09:00:00Z"}
	if got, want := string(h.SigningInput()), "a|r:s:1,r:s:2|2026-03-01T09:00:00Z"; got != want {
		t.Errorf("SigningInput = %q, want %q", got, want)
	}
}
