package run

import (
	"slices"
	"time"

	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/web/ui"
)

// Comparison shows two tokens side by side.
type Comparison struct {
	Left, Right string // headings of the columns
	Rows        []ComparisonRow
}

// ComparisonRow is one line of a comparison.
type ComparisonRow struct {
	Name        string
	Left, Right string
	// Scopes instead of words. Those of the left that the right lacks are
	// marked as dropped.
	LeftScopes, RightScopes []ui.Chip
	Same                    bool // the right is the same as the left
}

// compareRenewal compares a token with the one that replaced it.
func (c *Card) compareRenewal(s trace.TokenRenewed, now time.Time) *Comparison {
	var expires string // unknown until the broker has validated the token
	if c.Claims != nil {
		expires = unixTime(c.Claims.ExpiresAt)
	}
	return &Comparison{Left: "before", Right: "after", Rows: []ComparisonRow{
		{Name: "token", Left: s.OldPreview, Right: s.NewPreview},
		{Name: "expires at", Left: expires, Right: ui.ClockTime(now.Add(time.Duration(s.NewExpiresIn) * time.Second))},
		{Name: "scope", LeftScopes: ui.Chips(c.Token().Scope), Same: true},
		{Name: "state", Left: "revoked", Right: "current"},
	}}
}

// compareDelegation compares a delegated token with the delegator's.
func (r *Run) compareDelegation(s trace.Delegation) *Comparison {
	held := ui.Chips(s.DelegatorScope)
	for i, scope := range s.DelegatorScope {
		held[i].Dropped = !slices.Contains(s.DelegatedScope, scope)
	}
	expires := ComparisonRow{Name: "expires at", Right: ui.ClockTime(r.Tokens.Now.Add(time.Duration(s.ExpiresIn) * time.Second))}
	token := ComparisonRow{Name: "token", Right: s.TokenPreview}
	for _, c := range r.Cards {
		if t := c.Token(); t.SPIFFEID == s.DelegatorID && !c.Delegated() {
			token.Left, expires.Left = c.Preview, ui.ClockTime(t.Expires)
		}
	}
	return &Comparison{Left: "delegator", Right: "delegated", Rows: []ComparisonRow{
		{Name: "holder", Left: s.DelegatorID, Right: s.DelegateID},
		{Name: "scope", LeftScopes: held, RightScopes: ui.Chips(s.DelegatedScope)},
		expires, token,
	}}
}

// without returns the comparison without the rows of those names.
func (c *Comparison) without(names ...string) *Comparison {
	rest := *c
	rest.Rows = slices.DeleteFunc(slices.Clone(c.Rows), func(r ComparisonRow) bool { return slices.Contains(names, r.Name) })
	return &rest
}
