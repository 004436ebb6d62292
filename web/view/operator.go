package view

import (
	"net/url"
	"time"

	"github.com/devonartis/medassist-go/agentwrit"
)

// Operator is the operator's page.
type Operator struct {
	Page
	Health     *agentwrit.Health // nil when the broker does not answer
	Ceiling    []string
	CanRevoke  bool // the app has the broker's admin secret
	Live       Live
	Revocation *Revocation // a preview, if one was asked for
	Said       string      // what was just done
	Checked    bool        // a preflight goes on, or was made
}

// Check is one of the preflight.
type Check struct {
	Name, State, Found, Do string
	Took                   time.Duration
}

// Meaning is what its state means.
func (c Check) Meaning() Meaning {
	switch c.State {
	case "ok":
		return Allowed
	case "failed":
		return Denied
	case "warning":
		return Delegated
	}
	return Plain
}

// Sign is its state's sign.
func (c Check) Sign() string {
	if c.State == "warning" {
		return "!"
	}
	return c.Meaning().Sign()
}

// Live are the live runs and their tokens.
type Live struct {
	Runs      []string
	Tokens    []LiveToken
	Now       time.Time
	MayRevoke bool
}

// LiveToken is a live token by its names; the token itself is not there.
type LiveToken struct {
	RunID, Category, ID, AgentID, TaskID, FirstDelegator string
	Delegated                                            bool
	Scope                                                []string
	Expires                                              time.Time
}

// Name is whose token it is, in words.
func (t LiveToken) Name() string {
	if t.Delegated {
		return t.Category + ", delegated"
	}
	return t.Category
}

// Revocation is one that is looked at before it is done, or that was done.
type Revocation struct {
	Level, Target string
	Hit           []LiveToken // what it takes down, as far as this app knows
	MayRevoke     bool
	Done          bool
}

// kill is a level at which a token can be taken down, and its target.
type kill struct{ Level, Target string }

// Kills are the ways to take a token down, from the narrowest. A token that
// nobody was asked about has no ID yet.
func (t LiveToken) Kills() []kill {
	var out []kill
	for _, k := range []kill{{"token", t.ID}, {"agent", t.AgentID}, {"task", t.TaskID}, {"chain", t.FirstDelegator}} {
		if k.Target != "" {
			out = append(out, k)
		}
	}
	return out
}

// URL is the preview's address.
func (k kill) URL() string {
	return "/operator/revoke?" + url.Values{"level": {k.Level}, "target": {k.Target}}.Encode()
}

// Kill is what a card's button revokes: the agent, with all that it handed on,
// or the delegated token alone.
func (c *Card) Kill() kill {
	if c.id.Delegated {
		if c.Claims == nil {
			return kill{}
		}
		return kill{"token", c.Claims.TokenID}
	}
	return kill{"agent", c.Token().SPIFFEID}
}

// article names what a level means on a card.
func article(level string) string {
	if level == "agent" {
		return "this agent"
	}
	return "this token"
}
