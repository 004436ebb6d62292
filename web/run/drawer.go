package run

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/devonartis/medassist-go/internal/text"
	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/web/internal/respond"
	"github.com/devonartis/medassist-go/web/ui"
)

// Drawer shows one token in full, except for its signature.
type Drawer struct {
	Run    *Run
	Card   *Card
	Header []Fact
	Claims []Fact
	Shares []share // of the delegator's scopes; nil if nothing was delegated
	Chain  []link
	Calls  []Step // that the token was used for
}

// A share is a scope of a delegator, and whether it was delegated.
type share struct {
	Scope     string
	Delegated bool
}

// token is GET /runs/{id}/tokens/{token}: a token as it stands or, with ?at=, as it
// stood after that event.
func (p *Pages) token(w http.ResponseWriter, r *http.Request) error {
	seq := int64(-1)
	if at := r.URL.Query().Get("at"); at != "" {
		var err error
		if seq, err = parseSeq("at", at); err != nil {
			return err
		}
	}
	run, _, err := p.projectTo(r.Context(), chi.URLParam(r, "id"), seq, NewRun)
	if err != nil {
		return err
	}
	card := run.cardByKey(chi.URLParam(r, "token"))
	if card == nil {
		return &respond.Error{Status: http.StatusNotFound, Detail: "This run has no such token."}
	}
	d := run.drawer(card, p.evidence(r.Context(), run))
	if respond.FromPage(r) {
		return respond.Render(w, http.StatusOK, TokenDetail(d))
	}
	return respond.Render(w, http.StatusOK, DrawerPage(p.cfg.Respond.Page(r, "Token", "drawer", "/runs"), run, TokenDetail(d)))
}

// drawer returns what the drawer shows of a token.
func (r *Run) drawer(c *Card, e evidence) Drawer {
	d := Drawer{Run: r, Card: c, Chain: r.chain(c.id, e)}
	if c.Claims != nil {
		d.Header, d.Claims = headerFacts(c.Claims.Header), payload(*c.Claims)
	}
	if granted := r.delegationAbout(c.id); granted != nil {
		for _, s := range granted.step.DelegatorScope {
			d.Shares = append(d.Shares, share{s, slices.Contains(granted.step.DelegatedScope, s)})
		}
	}
	for i, e := range r.events {
		switch e.Step.(type) {
		case trace.ToolCall, trace.ScopeDenied, trace.TokenRejected, trace.StolenTokenUsed:
			if id, _ := trace.CredentialOf(e.Step); id == c.id {
				d.Calls = append(d.Calls, r.Steps[i])
			}
		default: // no call
		}
	}
	return d
}

// delegationAbout returns the delegation that a token came from, or that its holder
// made.
func (r *Run) delegationAbout(id trace.Credential) *at[trace.Delegation] {
	return firstStep(r, func(s trace.Delegation) bool {
		return s.Credential == id || !id.Delegated && r.categoryOf(s.DelegatorID) == id.Category
	})
}

// headerFacts explains a token's header.
func headerFacts(h trace.TokenHeader) []Fact {
	var f facts
	f.claim("alg", h.Algorithm, "the signature algorithm: Ed25519, and no other is accepted")
	f.claim("typ", h.Type, "a JSON Web Token")
	f.claim("kid", h.KeyID, "the broker's key; /v1/keys publishes it")
	return f
}

// payload explains a token's claims, the ones that people ask about first.
func payload(s trace.TokenValidated) []Fact {
	var f facts
	f.claim("sub", s.Subject, "the agent: made for this run, gone with it")
	f.add(Fact{Name: "scope", Scopes: ui.Chips(s.Scope), Note: "all that the token can do"})
	f.claim("exp", unixTime(s.ExpiresAt), "expires then, whatever happens")
	f.claim("nbf", unixTime(s.NotBefore), "not valid before")
	f.claim("iat", unixTime(s.IssuedAt), "issued")
	f.claim("iss", s.Issuer, "the broker that issued it")
	f.claim("aud", strings.Join(s.Audience, ", "), "who it is for; anyone else refuses it")
	f.claim("task_id", s.TaskID, "this run; the broker's events carry it")
	f.claim("orch_id", s.OrchID, "the orchestrator")
	f.claim("jti", s.TokenID, "the token's own ID, by which it is revoked")
	for _, hop := range s.Chain {
		f.claim("delegation_chain", ui.ShortID(hop.Agent), "delegated by this agent; signed by the broker")
	}
	f.claim("chain_hash", s.ChainHash, "fixes the chain")
	return f
}

// life returns the token's lifetime when it was issued.
func (c *Card) life() time.Duration {
	return c.Token().Expires.Sub(c.Token().Issued).Round(time.Second)
}

// previewParts returns the beginning and the end of the preview.
func (c *Card) previewParts() (head, tail string) {
	head, tail, _ = strings.Cut(c.Preview, "…")
	return head, tail
}

// title names the token's holder.
func (c *Card) title() string {
	name := text.Capitalize(c.Category()) + " agent"
	if c.Delegated() {
		return name + ", delegated token"
	}
	return name
}

func (r *Run) cardByKey(key string) *Card {
	for _, c := range r.Cards {
		if c.Key() == key {
			return c
		}
	}
	return nil
}

// tokenURL returns the address of a token's drawer.
func (r *Run) tokenURL(c *Card) string {
	address := r.url("tokens/" + c.Key())
	if r.Past() {
		address += "?at=" + ui.Decimal(r.LastSeq)
	}
	return address
}
