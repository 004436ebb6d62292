package view

import (
	"time"

	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/web/picture"
)

// Card is one token: what the broker said of it, and its life, which is the
// picture's to tell.
type Card struct {
	Preview string
	TaskID  string
	Claims  *trace.TokenValidated // as the broker last said them; nil before
	Renewal *Comparison           // the token before and after; nil if it was not renewed
	Lending *Comparison           // of a delegated one: the delegator's token beside it

	id      trace.Credential
	picture *picture.Picture
}

// applyCard reports whether a card was added, or its own words have changed.
func (r *Run) applyCard(step trace.Step) bool {
	switch s := step.(type) {
	case trace.AgentCreated:
		r.issue(Card{id: s.Credential, Preview: s.TokenPreview, TaskID: s.TaskID})
	case trace.Delegation:
		r.issue(Card{id: s.Credential, Preview: s.TokenPreview, Lending: r.lending(s)})
	case trace.TokenValidated:
		if c := r.card(s.Credential); c != nil && s.Valid {
			c.Claims, c.TaskID = &s, s.TaskID
		}
	case trace.TokenRenewed:
		if c := r.card(s.Credential); c != nil {
			c.Renewal = c.renewed(s, r.Picture.Now)
			c.Preview = s.NewPreview
		}
	default:
		return false
	}
	return true
}

// issue adds a card. A second token of the same credential takes its place.
func (r *Run) issue(born Card) {
	born.picture = r.Picture
	if c := r.card(born.id); c != nil {
		*c = born
		return
	}
	r.Cards = append(r.Cards, &born)
}

// Token is the token as the picture has it.
func (c *Card) Token() picture.Credential { return c.picture.Credential(c.id) }

// Category is whose token it is.
func (c *Card) Category() string { return c.id.Category }

// Key tells the cards of a run apart.
func (c *Card) Key() string {
	if c.id.Delegated {
		return c.id.Category + "-delegated"
	}
	return c.id.Category
}

// Delegated reports whether it was delegated to its holder.
func (c *Card) Delegated() bool { return c.id.Delegated }

// State is the token's state in a word or two, as of the last event.
func (c *Card) State() string { return c.Token().Status(c.picture.Now) }

// Alive reports whether the token lives, as of the last event.
func (c *Card) Alive() bool { return c.Token().StateAt(c.picture.Now) == picture.Alive }

// Meaning is the meaning of that.
func (c *Card) Meaning() Meaning {
	switch {
	case c.Token().Proof == picture.StillValid:
		return Trouble
	case c.Alive():
		return Alive
	default:
		return Ended
	}
}

// Left is the token's time to live as of the last event.
func (c *Card) Left() time.Duration { return c.Token().Expires.Sub(c.picture.Now) }
