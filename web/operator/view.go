package operator

import (
	"fmt"
	"slices"
	"time"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/internal/text"
	"github.com/devonartis/medassist-go/web/ui"
)

// Page is the operator's page.
type Page struct {
	ui.Page
	Health     *agentwrit.Health // nil when the broker is unreachable
	Ceiling    []string
	CanRevoke  bool // the app has the broker's admin secret
	Promises   agentwrit.Promises
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

// ByRun returns the tokens in groups, those of the newest run first.
func (l Live) ByRun() (groups [][]Token) {
	for _, t := range l.Tokens {
		if n := len(groups); n == 0 || groups[n-1][0].RunID != t.RunID {
			groups = append(groups, nil)
		}
		groups[len(groups)-1] = append(groups[len(groups)-1], t)
	}
	slices.Reverse(groups)
	return groups
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

// Options returns the ways to revoke a token, from the narrowest; the task is the
// whole run's. A token that the broker has not validated yet has no known ID.
func (t Token) Options() []Option {
	var out []Option
	for _, o := range []Option{{"token", t.ID}, {"agent", t.AgentID}, {"chain", t.FirstDelegator}} {
		if o.Target != "" {
			out = append(out, o)
		}
	}
	return out
}

// Revocation is one that is previewed, or that was done.
type Revocation struct {
	Level, Target string
	Named         []Token          // the tokens of this app that it names
	Delegated     []Token          // those that were delegated from them
	Cascade       agentwrit.Answer // whether this broker ends the delegated ones too
	Runs          int              // that it stops, if it stops everything
	MayRevoke     bool

	Done                           bool
	Ended, StillValid, Unconfirmed []Token // after it, as the broker answers
}

// Affected returns the tokens that the revocation may end.
func (v *Revocation) Affected() []Token { return slices.Concat(v.Named, v.Delegated) }

// everything is the level of a revocation that stops all runs.
const everything = "everything"

// Impact says how many tokens the revocation ends, as far as that is known.
func (v *Revocation) Impact() string {
	all := len(v.Named) + len(v.Delegated)
	switch {
	case len(v.Delegated) == 0 || v.Cascade == agentwrit.Kept:
		return "revokes " + text.Count(all, "token") + ":"
	case v.Cascade == agentwrit.NotKept:
		return fmt.Sprintf("revokes %d of up to %s: this broker does not revoke what was delegated.", len(v.Named), text.Count(all, "token"))
	}
	return "revokes up to " + text.Count(all, "token") + ": it is not known whether this broker revokes what was delegated."
}

// OffersTree reports whether the delegated tokens have to be revoked one by one.
func (v *Revocation) OffersTree() bool { return len(v.Delegated) > 0 && v.Cascade != agentwrit.Kept }

// Promise is a promise that not every broker keeps.
type Promise struct {
	Name   string
	Answer agentwrit.Answer
}

// Meaning returns the meaning of the answer.
func (p Promise) Meaning() ui.Meaning {
	switch p.Answer {
	case agentwrit.Kept:
		return ui.Allowed
	case agentwrit.NotKept:
		return ui.Denied
	}
	return ui.Plain
}

// Words returns the answer in words.
func (p Promise) Words() string {
	if p.Answer == agentwrit.Unknown {
		return "not known yet"
	}
	return string(p.Answer)
}

// promises lists what is known about a broker's promises.
func promises(p agentwrit.Promises) []Promise {
	return []Promise{
		{"Revoking an agent also revokes what it delegated", p.Cascade},
		{"Signs the head of its audit log", p.Checkpoints},
		{"Serves the keys for offline verification", p.Keys},
	}
}
