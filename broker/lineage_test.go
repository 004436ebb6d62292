package broker_test

import (
	"strings"
	"testing"

	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/broker"
)

// A delegator gets a token with the delegate as its subject. Ending it ends that
// token and what was delegated from it, and nothing that the delegate delegated
// from its own token or from another one.
func TestEndingADelegatedToken(t *testing.T) {
	const scope = "read:records:p1"
	for name, end := range map[string]func(h *harness, admin string, a agent){
		"released": func(h *harness, _ string, a agent) {
			h.want(204, "POST", "/v1/token/release", a.token, nil, nil)
		},
		"renewed and released": func(h *harness, _ string, a agent) {
			h.want(204, "POST", "/v1/token/release", h.renew(a).token, nil, nil)
		},
		"revoked": func(h *harness, admin string, a agent) {
			h.revoke(admin, wire.RevokeToken, h.claims(a.token).ID)
		},
		"renewed and revoked": func(h *harness, admin string, a agent) {
			h.revoke(admin, wire.RevokeToken, h.claims(h.renew(a).token).ID)
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			h := start(t, broker.Config{Dir: dir})
			admin := h.admin()
			clinic, strange := h.newApp(admin, "clinic", "read:records:*"), h.newApp(admin, "strange", "read:records:*")
			victim, helper := h.newAgent(clinic, "victim", scope), h.newAgent(clinic, "helper", scope)
			stranger := h.newAgent(strange, "stranger", scope)

			own := h.delegate(victim, helper.id, 0, scope)
			ofOwn := h.delegate(own, victim.id, 0, scope) // back, so that the victim is in the chain twice
			// Two delegations at one moment, by one agent, to one agent, of one scope.
			given, twin := h.delegate(stranger, victim.id, 0, scope), h.delegate(stranger, victim.id, 0, scope)
			ofGiven := h.delegate(given, helper.id, 0, scope)
			ofTwin := h.delegate(twin, helper.id, 0, scope)
			deep := h.renew(h.delegate(ofGiven, stranger.id, 0, scope))

			end(h, admin, given)
			for _, when := range []string{"", ", after a restart"} {
				for what, a := range map[string]agent{
					"the delegated token": given, "what was delegated from it": ofGiven, "what was delegated from that": deep,
				} {
					h.mustBeInvalid(what+when, a.token)
				}
				for what, a := range map[string]agent{
					"the victim's own token": victim, "what the victim delegated from it": own, "what was delegated from that": ofOwn,
					"another token delegated at the same time": twin, "what the victim delegated from that": ofTwin,
					"the stranger's token": stranger, "the helper's token": helper,
				} {
					h.mustBeValid(what+when, a.token)
				}
				if when == "" {
					h = h.restart(dir)
				}
			}

			// The log does not attribute the release to the victim alone.
			for _, e := range h.events(h.admin(), "event_type=token_released") {
				if !strings.HasSuffix(e.Detail, " delegated_by=["+stranger.id+"]") || e.DelegChainHash == "" || e.DelegDepth != 1 {
					t.Errorf("the release of a delegated token: %+v", e)
				}
			}
		})
	}
}

// An agent's own token is different: ending it ends all its delegations.
func TestEndingAnOwnTokenEndsDelegationsOfDelegatedTokens(t *testing.T) {
	h := start(t, broker.Config{})
	clinic := h.newApp(h.admin(), "clinic", "read:records:*")
	c := h.fiveHops(clinic, "t")
	h.want(204, "POST", "/v1/token/release", c.agents[2].token, nil, nil)
	h.mustBeValid("the delegated token of the same agent", c.chain[2].token)
	h.mustBeInvalid("what it delegated from that", c.chain[3].token)
}

func TestLogNamesTheWholeChain(t *testing.T) {
	h := start(t, broker.Config{})
	admin := h.admin()
	clinic := h.newApp(admin, "clinic", "read:records:*")
	c := h.fiveHops(clinic, "t")
	h.call("POST", "/v1/delegate", c.chain[3].token, wire.DelegateRequest{DelegateTo: c.agents[4].id, Scope: []string{"read:records:p9"}})
	h.want(204, "POST", "/v1/token/release", c.chain[3].token, nil, nil)
	h.call("POST", "/v1/token/renew", c.chain[3].token, nil)
	want := " delegated_by=[" + c.agents[0].id + " " + c.agents[1].id + " " + c.agents[2].id + "]"
	for _, event := range []wire.EventType{wire.EventDelegationAttenuation, wire.EventTokenReleased, wire.EventTokenRevokedAccess} {
		events := h.events(admin, "event_type="+string(event))
		if len(events) != 1 || !strings.HasSuffix(events[0].Detail, want) {
			t.Errorf("%s: %+v, want a detail that ends with%s", event, events, want)
		}
	}
	// A delegation from a delegated token names the chain before it.
	for _, e := range h.events(admin, "event_type=delegation_created&agent_id="+c.agents[4].id) {
		if !strings.HasSuffix(e.Detail, want) {
			t.Errorf("delegation_created: %q", e.Detail)
		}
	}
}
