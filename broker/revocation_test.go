package broker_test

import (
	"fmt"
	"testing"

	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/broker"
)

// fiveHops is a chain of as many delegations as there may be: agents[0] is the
// root, tokens[i] is what agents[i] acts with.
type fiveHops struct {
	agents []agent // their own tokens
	chain  []agent // chain[i] is agents[i] with the token it got from agents[i-1]
}

func (h *harness) fiveHops(a app, name string) fiveHops {
	h.t.Helper()
	var c fiveHops
	for i := range wire.MaxDelegationDepth + 1 {
		c.agents = append(c.agents, h.newAgent(a, fmt.Sprintf("%s-%d", name, i), "read:records:p1"))
	}
	c.chain = append(c.chain, c.agents[0])
	for i, to := range c.agents[1:] {
		c.chain = append(c.chain, h.delegate(c.chain[i], to.id, 0, "read:records:p1"))
	}
	return c
}

func TestSixthHopIsRefused(t *testing.T) {
	h := start(t, broker.Config{})
	clinic := h.newApp(h.admin(), "clinic", "read:records:*")
	c := h.fiveHops(clinic, "t")
	a := h.call("POST", "/v1/delegate", c.chain[5].token, wire.DelegateRequest{DelegateTo: c.agents[0].id, Scope: []string{"read:records:p1"}})
	if p := a.problem(t); a.status != 403 || p.ErrorCode != wire.CodeScopeViolation || p.Detail != "delegation depth limit exceeded" {
		t.Errorf("the sixth hop: %d %s", a.status, a.body)
	}
}

// An ancestor that is ended at any level ends all its descendants, also those
// renewed meanwhile. Its own ancestors and other chains stay valid.
func TestEndingAnAncestorEndsItsDescendants(t *testing.T) {
	ways := map[string]struct {
		end func(h *harness, admin string, c fiveHops, i int)
		// How the end reaches agent i itself: its own token, the token it acts with.
		ownEnds, actingEnds bool
	}{
		"its own token released": {func(h *harness, _ string, c fiveHops, i int) {
			h.want(204, "POST", "/v1/token/release", c.agents[i].token, nil, nil)
		}, true, false},
		"the token it acts with released": {func(h *harness, _ string, c fiveHops, i int) {
			h.want(204, "POST", "/v1/token/release", c.chain[i].token, nil, nil)
		}, false, true},
		"its own token revoked": {func(h *harness, admin string, c fiveHops, i int) {
			h.revoke(admin, wire.RevokeToken, h.claims(c.agents[i].token).ID)
		}, true, false},
		"the token it acts with revoked": {func(h *harness, admin string, c fiveHops, i int) {
			h.revoke(admin, wire.RevokeToken, h.claims(c.chain[i].token).ID)
		}, false, true},
		"the agent revoked": {func(h *harness, admin string, c fiveHops, i int) {
			h.revoke(admin, wire.RevokeAgent, c.agents[i].id)
		}, true, true},
		"its task revoked": {func(h *harness, admin string, c fiveHops, i int) {
			h.revoke(admin, wire.RevokeTask, h.claims(c.agents[i].token).TaskID)
		}, true, true},
		"its chain revoked": {func(h *harness, admin string, c fiveHops, i int) {
			h.revoke(admin, wire.RevokeChain, c.agents[i].id)
		}, false, false},
	}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			h := start(t, broker.Config{})
			admin := h.admin()
			clinic := h.newApp(admin, "clinic", "read:records:*")
			bystander := h.fiveHops(clinic, "bystander")
			for i := range wire.MaxDelegationDepth {
				c := h.fiveHops(clinic, fmt.Sprintf("t%d", i))
				last := len(c.chain) - 1
				c.chain[last] = h.renew(c.chain[last])
				way.end(h, admin, c, i)
				for j := range c.chain {
					acting := fmt.Sprintf("ancestor %d ended: the token that agent %d acts with", i, j)
					own := fmt.Sprintf("ancestor %d ended: agent %d's own token", i, j)
					actingEnded := j > i || j == i && way.actingEnds
					ownEnded := j == i && way.ownEnds
					if j == 0 { // the root acts with its own token
						actingEnded = actingEnded || ownEnded || j == i && way.actingEnds
						ownEnded = actingEnded
					}
					// The root's task is the task of the whole chain.
					if name == "its task revoked" && i == 0 {
						actingEnded = true
					}
					h.check(acting, c.chain[j].token, actingEnded)
					h.check(own, c.agents[j].token, ownEnded)
				}
			}
			for j := range bystander.chain {
				h.mustBeValid("a token of another chain", bystander.chain[j].token)
			}
		})
	}
}

func (h *harness) check(what, token string, revoked bool) {
	h.t.Helper()
	if revoked {
		h.mustBeInvalid(what, token)
	} else {
		h.mustBeValid(what, token)
	}
}

func (h *harness) revoke(admin string, level wire.RevokeLevel, target string) {
	h.t.Helper()
	var out wire.RevokeResponse
	h.want(200, "POST", "/v1/revoke", admin, wire.RevokeRequest{Level: level, Target: target}, &out)
	if !out.Revoked || out.Level != level || out.Target != target || out.Count != 1 {
		h.t.Errorf("revoke = %+v", out)
	}
}

func TestRenewalHarmsNoDescendant(t *testing.T) {
	h := start(t, broker.Config{})
	clinic := h.newApp(h.admin(), "clinic", "read:records:*")
	c := h.fiveHops(clinic, "t")
	for i, a := range c.chain {
		c.chain[i] = h.renew(a)
	}
	for _, a := range c.agents[1:] {
		h.renew(a)
	}
	for i, a := range c.chain {
		h.mustBeValid(fmt.Sprintf("hop %d", i), a.token)
	}
}

func TestAgentDelegatesWithAnotherTokenAfterARelease(t *testing.T) {
	h := start(t, broker.Config{})
	clinic := h.newApp(h.admin(), "clinic", "read:records:*")
	c := h.fiveHops(clinic, "t")
	h.want(204, "POST", "/v1/token/release", c.chain[1].token, nil, nil)
	h.clock.advance(1)
	again := h.delegate(c.agents[1], c.agents[2].id, 0, "read:records:p1")
	h.mustBeValid("what it delegates with its own token", again.token)
}

func TestRevocationCoversLaterRequests(t *testing.T) {
	h := start(t, broker.Config{})
	admin := h.admin()
	clinic := h.newApp(admin, "clinic", "read:records:*")
	root, peer := h.newAgent(clinic, "t1", "read:records:p1"), h.newAgent(clinic, "t2", "read:records:p1")
	delegate := func(from agent, to string) answer {
		return h.call("POST", "/v1/delegate", from.token, wire.DelegateRequest{DelegateTo: to, Scope: []string{"read:records:p1"}})
	}

	h.revoke(admin, wire.RevokeChain, root.id)
	if a := delegate(root, peer.id); a.status != 403 {
		t.Errorf("delegating from a revoked chain: %d %s, want 403", a.status, a.body)
	}
	h.revoke(admin, wire.RevokeAgent, root.id)
	if a := delegate(peer, root.id); a.status != 404 {
		t.Errorf("delegating to a revoked agent: %d %s, want 404", a.status, a.body)
	}
	launch := h.launch(byApp, clinic.token, nil, "read:records:p1")
	h.revoke(admin, wire.RevokeTask, "t3")
	in := proof(t, h.nonce())
	in.LaunchToken, in.TaskID, in.RequestedScope = launch, "t3", []string{"read:records:p1"}
	if a := h.call("POST", "/v1/register", "", in); a.status != 403 {
		t.Errorf("registering for a revoked task: %d %s, want 403", a.status, a.body)
	}
	h.enroll(launch, "t4", "read:records:p1")
}

func TestRevocationTargetsMatchTheirLevel(t *testing.T) {
	h := start(t, broker.Config{})
	admin := h.admin()
	for _, bad := range []wire.RevokeRequest{
		{Level: wire.RevokeAgent, Target: "admin"},
		{Level: wire.RevokeAgent, Target: "app:app-1"},
		{Level: wire.RevokeAgent, Target: "spiffe://agentwrit.local/agent/x"},
		{Level: wire.RevokeAgent, Target: "https://agentwrit.local/agent/a/b/0123456789abcdef"},
		{Level: wire.RevokeChain, Target: "admin"},
		{Level: wire.RevokeChain, Target: "*"},
		{Level: wire.RevokeToken, Target: "x"},
		{Level: wire.RevokeToken, Target: "ABCDEF0123456789ABCDEF0123456789"},
		{Level: wire.RevokeTask, Target: "a b"},
		{Level: wire.RevokeTask, Target: "../x"},
		{Level: "", Target: "x"},
		{Level: wire.RevokeTask, Target: ""},
	} {
		a := h.call("POST", "/v1/revoke", admin, bad)
		if a.status != 400 || a.problem(t).ErrorCode != wire.CodeInvalidRequest {
			t.Errorf("revoke %+v: %d %s, want 400 invalid_request", bad, a.status, a.body)
		}
	}
	h.mustBeValid("the admin's token", admin)
}
