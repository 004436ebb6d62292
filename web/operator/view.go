package operator

import (
	"time"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/web/ui"
)

// Page is the operator's page.
type Page struct {
	ui.Page
	Health     *agentwrit.Health // nil when the broker is unreachable
	Ceiling    []string
	CanRevoke  bool // the app has the broker's admin secret
	Live       Live
	Revocation *Revocation // a preview, if one was asked for
	Result     string      // of what was just done
	Checked    bool        // a preflight was started
}

// Check is one check of the preflight.
type Check struct {
	Name, State, Found, Do string
	Took                   time.Duration
}

// Meaning returns the meaning of the check's state.
func (c Check) Meaning() ui.Meaning {
	switch c.State {
	case "ok":
		return ui.Allowed
	case "failed":
		return ui.Denied
	case "warning":
		return ui.Delegated
	}
	return ui.Plain
}

// Sign returns the sign of the check's state.
func (c Check) Sign() string {
	if c.State == "warning" {
		return "!"
	}
	return c.Meaning().Sign()
}

// Live holds the live runs and their tokens.
type Live struct {
	Runs      []string
	Tokens    []Token
	Now       time.Time
	MayRevoke bool
}

// Token describes a live token. It does not contain the token itself.
type Token struct {
	RunID, Category, ID, AgentID, TaskID, FirstDelegator string
	Delegated                                            bool
	Scope                                                []string
	Expires                                              time.Time
}

// Name returns the category of the token's holder, and whether the token was
// delegated to it.
func (t Token) Name() string {
	if t.Delegated {
		return t.Category + ", delegated"
	}
	return t.Category
}

// Option is a level at which a token can be revoked, and its target.
type Option struct{ Level, Target string }

// Options returns the ways to revoke a token, from the narrowest. A token that
// the broker has not validated yet has no known ID.
func (t Token) Options() []Option {
	var out []Option
	for _, o := range []Option{{"token", t.ID}, {"agent", t.AgentID}, {"task", t.TaskID}, {"chain", t.FirstDelegator}} {
		if o.Target != "" {
			out = append(out, o)
		}
	}
	return out
}

// Revocation is one that is previewed, or that was done.
type Revocation struct {
	Level, Target string
	Affected      []Token // the tokens of this app that it revokes
	MayRevoke     bool
	Done          bool
}
