package broker_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/broker"
)

// The lifecycle of an agent, from the registration of its app to its audit events.
func TestCeremony(t *testing.T) {
	h := start(t, broker.Config{})
	admin := h.admin()
	clinic := h.newApp(admin, "clinic", "read:records:*", "write:records:*")

	first := h.newAgent(clinic, "t1", "read:records:p1", "write:records:p1")
	second := h.newAgent(clinic, "t2", "read:records:p1")
	claims := h.mustBeValid("a new agent's token", first.token)
	if claims.Subject != first.id || claims.TaskID != "t1" || claims.OrchID != "orch" || claims.ExpiresAt-claims.IssuedAt != 300 {
		t.Errorf("claims = %+v", claims)
	}

	delegated := h.delegate(first, second.id, 0, "write:records:p1")
	claims = h.mustBeValid("a delegated token", delegated.token)
	if claims.Subject != second.id || claims.TaskID != "t1" || claims.ExpiresAt-claims.IssuedAt != 60 {
		t.Errorf("delegated claims = %+v", claims)
	}
	if len(claims.DelegationChain) != 1 || claims.DelegationChain[0].Agent != first.id || claims.ChainHash != wire.HashChain(claims.DelegationChain) {
		t.Errorf("chain = %+v, hash %s", claims.DelegationChain, claims.ChainHash)
	}

	renewed := h.renew(delegated)
	h.mustBeInvalid("the token before its renewal", delegated.token)
	h.mustBeValid("its successor", renewed.token)
	h.want(204, "POST", "/v1/token/release", renewed.token, nil, nil)
	h.mustBeInvalid("a released token", renewed.token)
	h.mustBeValid("the delegator's own token", first.token)

	var types []wire.EventType
	var chain wire.Chain
	for _, e := range h.events(admin, "") {
		types = append(types, e.EventType)
		if err := chain.Add(e); err != nil {
			t.Error(err)
		}
	}
	want := []wire.EventType{
		wire.EventAdminAuth, wire.EventAppRegistered, wire.EventAppAuthenticated,
		wire.EventLaunchTokenIssued, wire.EventAgentRegistered, wire.EventTokenIssued,
		wire.EventLaunchTokenIssued, wire.EventAgentRegistered, wire.EventTokenIssued,
		wire.EventDelegationCreated,
		wire.EventTokenRenewed, wire.EventTokenRevokedAccess,
		wire.EventTokenReleased, wire.EventTokenRevokedAccess,
	}
	if diff := cmp.Diff(want, types); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}
