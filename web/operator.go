package web

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/devonartis/medassist-go/agents"
	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/tools"
	"github.com/devonartis/medassist-go/web/view"
)

// Bounds of what the operator does.
const (
	healthTimeout = 2 * time.Second
	resetTimeout  = 20 * time.Second // for live runs to end their tokens
	maxTarget     = 512              // bytes of what is to be revoked
)

// levels are the four ways to revoke, from the narrowest.
var levels = []wire.RevokeLevel{wire.RevokeToken, wire.RevokeAgent, wire.RevokeTask, wire.RevokeChain}

// operator is GET /operator.
func (s *Server) operator(w http.ResponseWriter, r *http.Request) {
	s.showOperator(w, r, nil, "")
}

func (s *Server) showOperator(w http.ResponseWriter, r *http.Request, revocation *view.Revocation, said string) {
	o := view.Operator{Page: s.page(r, "Operator", "operator", "/operator"), Ceiling: tools.Ceiling(), Said: said,
		Revocation: revocation, CanRevoke: s.cfg.Admin != nil, Live: s.liveView(r), Checked: s.lastChecks() != nil}
	ctx, cancel := context.WithTimeout(r.Context(), healthTimeout)
	defer cancel()
	if health, err := s.cfg.Broker.Health(ctx); err == nil {
		o.Health = health
	}
	render(w, http.StatusOK, view.OperatorPage(o))
}

// liveAgents is GET /operator/live: the part that the page asks for again and
// again while somebody looks.
func (s *Server) liveAgents(w http.ResponseWriter, r *http.Request) {
	render(w, http.StatusOK, view.LiveAgents(s.liveView(r)))
}

func (s *Server) liveView(r *http.Request) view.Live {
	return view.Live{Runs: s.cfg.Runs.Live(), Tokens: liveTokens(s.cfg.Runs.Tokens()), Now: s.cfg.Clock(),
		MayRevoke: s.mayChange(r) && s.cfg.Admin != nil}
}

func liveTokens(tokens []agents.Token) []view.LiveToken {
	out := make([]view.LiveToken, len(tokens))
	for i, t := range tokens {
		out[i] = view.LiveToken{RunID: t.RunID, Category: t.Category, Delegated: t.Delegated, ID: t.ID, AgentID: t.AgentID,
			TaskID: t.TaskID, Scope: t.Scope, Expires: t.Expires}
		if len(t.Delegators) > 0 {
			out[i].FirstDelegator = t.Delegators[0]
		}
	}
	return out
}

// revocationOf reads what is to be revoked, and looks what would die by it.
func (s *Server) revocationOf(r *http.Request) (*view.Revocation, error) {
	level, target := wire.RevokeLevel(r.FormValue("level")), r.FormValue("target")
	switch {
	case !slices.Contains(levels, level):
		return nil, &inputError{http.StatusBadRequest, "level", "the level must be token, agent, task or chain"}
	case target == "" || len(target) > maxTarget:
		return nil, &inputError{http.StatusBadRequest, "target", "say what is to be revoked, such as a SPIFFE ID"}
	}
	return &view.Revocation{Level: string(level), Target: target, Hit: liveTokens(s.cfg.Runs.Affected(level, target))}, nil
}

// previewRevocation is GET /operator/revoke: what would die. It changes nothing.
func (s *Server) previewRevocation(w http.ResponseWriter, r *http.Request) {
	v, err := s.revocationOf(r)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	s.showRevocation(w, r, v, "")
}

// confirmRevocation is POST /operator/revoke, what the preview's button sends.
func (s *Server) confirmRevocation(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	v, err := s.revocationOf(r)
	var answer *agentwrit.RevokeResponse
	if err == nil {
		answer, err = s.cfg.Runs.Revoke(r.Context(), wire.RevokeLevel(v.Level), v.Target)
	}
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	v.Done = true
	s.showRevocation(w, r, v, fmt.Sprintf("Revoked: %s %s. The broker counts %d.", v.Level, v.Target, answer.Count))
}

// showRevocation shows it on the page that asked, or on the operator's own.
func (s *Server) showRevocation(w http.ResponseWriter, r *http.Request, v *view.Revocation, said string) {
	v.MayRevoke = s.mayChange(r) && s.cfg.Admin != nil
	if !fromPage(r) {
		s.showOperator(w, r, v, said)
		return
	}
	var b bytes.Buffer
	partial(&b, "#revocation", "innerHTML", view.RevocationPreview(v, said))
	html(w, http.StatusOK, b.Bytes())
}

// resetFromPage is POST /operator/reset.
func (s *Server) resetFromPage(w http.ResponseWriter, r *http.Request) {
	ended, err := s.restore(r.Context())
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	s.showOperator(w, r, nil, fmt.Sprintf("Reset: %d live runs cancelled and their tokens ended, the records restored. The audit trail and past runs stay.", ended))
}

// resetAll is POST /api/reset.
func (s *Server) resetAll(w http.ResponseWriter, r *http.Request) {
	ended, err := s.restore(r.Context())
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	reply(w, http.StatusOK, map[string]int{"runs_cancelled": ended})
}

// restore ends all live runs, with their tokens, and then restores the records,
// so that no run writes into them meanwhile. It goes on if the caller leaves.
func (s *Server) restore(ctx context.Context) (ended int, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), resetTimeout)
	defer cancel()
	if ended, err = s.cfg.Runs.CancelAll(ctx, "operator", "The operator reset the demo."); err != nil {
		return ended, err
	}
	return ended, s.cfg.Records.Reset(ctx)
}
