package agents

import (
	"slices"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/agentwrit/brokertest"
)

// The operator's list leaves out what is released, revoked or expired.
func TestTokensAreActive(t *testing.T) {
	t.Parallel()
	b := brokertest.Start(t)
	f := newFamily(t, b.App(t, "read:records:*", "write:prescriptions:*", "read:prescriptions:*", "read:billing:*"), "active")
	listed := func() (out []string) {
		for _, token := range f.service.Tokens() {
			for name, c := range f.tokens {
				if c.jti.Load() == token.ID {
					out = append(out, name)
				}
			}
		}
		slices.Sort(out)
		return out
	}
	if n := len(listed()); n != len(f.tokens) {
		t.Fatalf("%d of %d tokens are listed", n, len(f.tokens))
	}
	if err := f.tokens["billing"].agent.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.tokens["prescription>billing"].revoked.Store(true)
	if got, want := listed(), []string{"clinical", "clinical>prescription", "clinical>prescription>billing", "prescription"}; !slices.Equal(got, want) {
		t.Errorf("listed %v, want %v", got, want)
	}
	for _, e := range f.service.live {
		e.Clock = func() time.Time { return time.Now().Add(24 * time.Hour) }
	}
	if got := listed(); len(got) > 0 {
		t.Errorf("expired, and listed: %v", got)
	}
}
