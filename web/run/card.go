package run

import (
	"time"

	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/web/picture"
	"github.com/devonartis/medassist-go/web/ui"
)

// A Card shows one token: its claims as the broker decoded them, and its state.
type Card struct {
	Preview    string
	TaskID     string
	Claims     *trace.TokenValidated // from the last validation; nil before the first
	Renewal    *Comparison           // the token before and after; nil if it was not renewed
	Delegation *Comparison           // the delegator's token and this one; nil if it was not delegated

	id     trace.Credential
	tokens *picture.Tokens
}

// applyCard reports whether the step added or changed a card.
func (r *Run) applyCard(step trace.Step) bool {
	switch s := step.(type) {
	case trace.AgentCreated:
		r.addCard(Card{id: s.Credential, Preview: s.TokenPreview, TaskID: s.TaskID})
	case trace.Delegation:
		r.addCard(Card{id: s.Credential, Preview: s.TokenPreview, Delegation: r.compareDelegation(s)})
	case trace.TokenValidated:
		if c := r.card(s.Credential); c != nil && s.Valid {
			c.Claims, c.TaskID = &s, s.TaskID
		}
	case trace.TokenRenewed:
		if c := r.card(s.Credential); c != nil {
			c.Renewal = c.compareRenewal(s, r.Tokens.Now)
			c.Preview = s.NewPreview
		}
	default:
		return false
	}
	return true
}

// addCard adds a card. A second token of the same credential replaces the
// first.
func (r *Run) addCard(card Card) {
	card.tokens = r.Tokens
	if c := r.card(card.id); c != nil {
		*c = card
		return
	}
	r.Cards = append(r.Cards, &card)
}

// Token returns the token's state.
func (c *Card) Token() picture.Credential { return c.tokens.Credential(c.id) }

// Category returns the category of the agent that holds the token.
func (c *Card) Category() string { return c.id.Category }

// Key identifies the card among those of its run.
func (c *Card) Key() string {
	if c.id.Delegated {
		return c.id.Category + "-delegated"
	}
	return c.id.Category
}

// Delegated reports whether the token was delegated to its holder.
func (c *Card) Delegated() bool { return c.id.Delegated }

// State returns the token's state after the last event, in a word or two.
func (c *Card) State() string { return c.Token().Status(c.tokens.Now) }

// Alive reports whether the token was valid at the last event.
func (c *Card) Alive() bool { return c.Token().StateAt(c.tokens.Now) == picture.Alive }

// Meaning returns the meaning of the token's state.
func (c *Card) Meaning() ui.Meaning {
	switch {
	case c.Token().Proof == picture.StillValid:
		return ui.Trouble
	case c.Alive():
		return ui.Alive
	default:
		return ui.Ended
	}
}

// Left returns the token's remaining lifetime at the last event.
func (c *Card) Left() time.Duration { return c.Token().Expires.Sub(c.tokens.Now) }

// Revocation returns what the card's button revokes: the agent, with everything
// that it delegated, or the delegated token alone. The target is empty if the
// token's ID is not known yet.
func (c *Card) Revocation() (level, target string) {
	if c.id.Delegated {
		if c.Claims == nil {
			return "token", ""
		}
		return "token", c.Claims.TokenID
	}
	return "agent", c.Token().SPIFFEID
}
