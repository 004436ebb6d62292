package operator

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/devonartis/medassist-go/agents"
	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/internal/text"
	"github.com/devonartis/medassist-go/web/internal/respond"
)

const maxTarget = 512 // bytes

// levels are the four levels of revocation, from the narrowest.
var levels = []agentwrit.RevokeLevel{wire.RevokeToken, wire.RevokeAgent, wire.RevokeTask, wire.RevokeChain}

// request is what is to be revoked.
type request struct {
	Level  string `json:"level"`
	Target string `json:"target"`
	Tree   string `json:"tree"` // "yes" to end what was delegated too, one by one
}

// preview checks a request and returns what it would revoke.
func (p *Pages) preview(req request) (*Revocation, error) {
	level := agentwrit.RevokeLevel(req.Level)
	switch {
	case !slices.Contains(levels, level):
		return nil, respond.BadInput("level", "The level must be token, agent, task or chain.")
	case req.Target == "" || len(req.Target) > maxTarget:
		return nil, respond.BadInput("target", "Enter a target to revoke, such as a SPIFFE ID.")
	}
	named, delegated := p.cfg.Runs.Affected(level, req.Target)
	return &Revocation{Level: req.Level, Target: req.Target, Named: viewTokens(named), Delegated: viewTokens(delegated), Cascade: p.cfg.Promises().Cascade}, nil
}

// previewRevocation is GET /operator/revoke: what would be revoked. It changes
// nothing.
func (p *Pages) previewRevocation(w http.ResponseWriter, r *http.Request) error {
	v, err := p.preview(request{Level: r.URL.Query().Get("level"), Target: r.URL.Query().Get("target")})
	if err != nil {
		return err
	}
	return p.showRevocation(w, r, v, "")
}

// revoke is POST /operator/revoke, which the preview's button sends.
func (p *Pages) revoke(w http.ResponseWriter, r *http.Request) error {
	req, err := respond.DecodeForm[request](w, r)
	if err != nil {
		return err
	}
	v, err := p.preview(req)
	if err != nil {
		return err
	}
	done, err := p.cfg.Runs.Revoke(r.Context(), agents.Revocation{Level: agentwrit.RevokeLevel(v.Level), Target: v.Target, Delegated: req.Tree == "yes"})
	if err != nil {
		return err
	}
	v.Done = true
	v.Ended, v.StillValid, v.Unconfirmed = viewTokens(done.Ended), viewTokens(done.StillValid), viewTokens(done.Unconfirmed)
	result := fmt.Sprintf("Revoked %s %s: %s confirmed revoked.", v.Level, v.Target, text.Count(len(done.Ended), "token"))
	if !p.cfg.CanRevoke {
		result = fmt.Sprintf("Ended by release, without the admin secret: %s.", text.Count(len(done.Ended), "token"))
	}
	return p.showRevocation(w, r, v, result)
}

// previewStop is GET /operator/stop: what stopping everything ends. It changes
// nothing.
func (p *Pages) previewStop(w http.ResponseWriter, r *http.Request) error {
	return p.showRevocation(w, r, p.all(), "")
}

func (p *Pages) all() *Revocation {
	return &Revocation{Level: everything, Named: viewTokens(p.cfg.Runs.Tokens()), Runs: len(p.cfg.Runs.Live())}
}

// stop is POST /operator/stop. It revokes the task of each live run, and then cancels
// the runs, which end what that did not.
func (p *Pages) stop(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), resetTimeout)
	defer cancel()
	v := p.all()
	for _, run := range p.cfg.Runs.Live() {
		done, err := p.cfg.Runs.Revoke(ctx, agents.Revocation{Level: wire.RevokeTask, Target: run, Delegated: true})
		if err != nil {
			p.cfg.Logger.WarnContext(ctx, "stop everything: a task was not revoked", "run", run, "error", err)
			continue
		}
		v.Ended = append(v.Ended, viewTokens(done.Ended)...)
		v.StillValid = append(v.StillValid, viewTokens(done.StillValid)...)
		v.Unconfirmed = append(v.Unconfirmed, viewTokens(done.Unconfirmed)...)
	}
	cancelled, err := p.cfg.Runs.CancelAll(ctx, "operator", "The operator stopped everything.")
	if err != nil {
		return err
	}
	v.Done = true
	return p.showRevocation(w, r, v, fmt.Sprintf("%s stopped: %d of %s confirmed revoked.", text.Count(cancelled, "run"), len(v.Ended), text.Count(len(v.Named), "token")))
}

// showRevocation shows a revocation on the page that asked for it: a run's or
// the operator's.
func (p *Pages) showRevocation(w http.ResponseWriter, r *http.Request, v *Revocation, result string) error {
	v.MayRevoke = p.cfg.Respond.IsPresenter(r)
	if !respond.FromPage(r) {
		return p.show(w, r, v, result)
	}
	var b bytes.Buffer
	respond.Partial(&b, "#revocation", "innerHTML", RevocationPreview(v, result))
	return respond.HTML(w, http.StatusOK, b.Bytes())
}
