package view

import (
	"slices"
	"time"

	"github.com/devonartis/medassist-go/trace"
)

// Comparison sets two tokens side by side.
type Comparison struct {
	Left, Right string // what the columns are
	Rows        []Contrast
}

// Contrast is one line of a comparison.
type Contrast struct {
	Name        string
	Left, Right string
	// Scopes instead of words; those on the left that are not on the right
	// are marked as dropped.
	LeftScopes, RightScopes []Chip
	Same                    bool // the right is as the left
}

// renewed compares a token with its successor.
func (c *Card) renewed(s trace.TokenRenewed, now time.Time) *Comparison {
	var until string // unknown, unless the broker has said it
	if c.Claims != nil {
		until = unix(c.Claims.ExpiresAt)
	}
	return &Comparison{Left: "before", Right: "after", Rows: []Contrast{
		{Name: "token", Left: s.OldPreview, Right: s.NewPreview},
		{Name: "lives until", Left: until, Right: clockTime(now.Add(time.Duration(s.NewExpiresIn) * time.Second))},
		{Name: "scope", LeftScopes: Chips(c.Token().Scope), Same: true},
		{Name: "now", Left: "dead, replaced", Right: "the only one"},
	}}
}

// lending compares a delegated token with the one that it was taken out of.
func (r *Run) lending(s trace.Delegation) *Comparison {
	held := Chips(s.DelegatorScope)
	for i, scope := range s.DelegatorScope {
		held[i].Dropped = !slices.Contains(s.DelegatedScope, scope)
	}
	left := Contrast{Name: "lives until", Right: clockTime(r.Picture.Now.Add(time.Duration(s.ExpiresIn) * time.Second))}
	token := Contrast{Name: "token", Right: s.TokenPreview}
	for _, c := range r.Cards {
		if t := c.Token(); t.SPIFFEID == s.DelegatorID && !c.Delegated() {
			token.Left, left.Left = c.Preview, clockTime(t.Expires)
		}
	}
	return &Comparison{Left: "delegator's", Right: "delegated", Rows: []Contrast{
		{Name: "held by", Left: s.DelegatorID, Right: s.DelegateID},
		{Name: "scope", LeftScopes: held, RightScopes: Chips(s.DelegatedScope)},
		left, token,
	}}
}

func clockTime(t time.Time) string { return t.UTC().Format("15:04:05 UTC") }
