package broker_test

import (
	"crypto/ed25519"
	"encoding/hex"
	"slices"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/broker"
)

func TestDelegatedTokenExpiresWithItsDelegator(t *testing.T) {
	h := start(t, broker.Config{})
	clinic := h.newApp(h.admin(), "clinic", "read:records:*")
	life := func(seconds int) func(*wire.LaunchTokenRequest) {
		return func(in *wire.LaunchTokenRequest) { in.MaxTTL = &seconds }
	}
	from := h.enroll(h.launch(byApp, clinic.token, life(100), "read:records:p1"), "t1", "read:records:p1")
	to := h.enroll(h.launch(byApp, clinic.token, life(1000), "read:records:p1"), "t2", "read:records:p1")
	end := h.claims(from.token).ExpiresAt

	long := h.delegate(from, to.id, 86400, "read:records:p1")
	if got := h.claims(long.token).ExpiresAt; got != end {
		t.Errorf("a delegation for a day ends %d s after its delegator", got-end)
	}
	short := h.delegate(from, to.id, 60, "read:records:p1")
	if got := h.claims(short.token).ExpiresAt; got != end-40 {
		t.Errorf("a delegation for a minute ends %d s before its delegator, want 40", end-got)
	}
	second := h.delegate(short, from.id, 86400, "read:records:p1")
	if got := h.claims(second.token).ExpiresAt; got != end-40 {
		t.Errorf("a delegation of that ends %d s after it", got-end+40)
	}

	for range 3 {
		h.clock.advance(15 * time.Second)
		short = h.renew(short)
	}
	if got := h.claims(short.token).ExpiresAt; got != end {
		t.Errorf("after renewals it ends %d s after its delegator's token did", got-end)
	}
	h.clock.advance(55 * time.Second)
	h.mustBeInvalid("a delegated token after its delegator's end", short.token)
	h.mustBeValid("the delegate's own token", to.token)
}

func TestDelegatedScopes(t *testing.T) {
	h := start(t, broker.Config{})
	clinic := h.newApp(h.admin(), "clinic", "read:records:*", "write:records:*", "read:formulary:*")
	from := h.newAgent(clinic, "t1", "read:records:p1", "read:formulary:*")
	to := h.newAgent(clinic, "t2", "read:records:p1")

	for _, scope := range [][]string{
		{"read:records:p1"}, {"read:formulary:*"}, {"read:formulary:aspirin"}, {"read:records:p1", "read:formulary:x"},
	} {
		h.delegate(from, to.id, 0, scope...)
	}
	for _, scope := range [][]string{
		{"read:records:p2"}, {"read:records:*"}, {"write:records:p1"}, {"read:labs:p1"},
		{"read:records:p1", "read:records:p2"}, {"admin:revoke:*"}, {"app:launch-tokens:*"},
	} {
		a := h.call("POST", "/v1/delegate", from.token, wire.DelegateRequest{DelegateTo: to.id, Scope: scope})
		if a.status != 403 || a.problem(t).ErrorCode != wire.CodeScopeViolation {
			t.Errorf("delegating %v = %d %s, want 403 scope_violation", scope, a.status, a.body)
		}
	}
	// A delegated token delegates at most its own scopes.
	narrow := h.delegate(from, to.id, 0, "read:formulary:aspirin")
	if a := h.call("POST", "/v1/delegate", narrow.token, wire.DelegateRequest{DelegateTo: from.id, Scope: []string{"read:formulary:*"}}); a.status != 403 {
		t.Errorf("a delegated token delegates more than it holds: %d %s", a.status, a.body)
	}
}

// A delegate must be registered and not revoked, at any level; a delegator must
// belong to an active app, whichever app the delegated scopes come from.
func TestDelegationNeedsBothAgents(t *testing.T) {
	h := start(t, broker.Config{})
	admin := h.admin()
	clinic := h.newApp(admin, "clinic", "read:records:*")
	other := h.newApp(admin, "other", "read:records:*")
	scope := "read:records:p1"
	delegate := func(from agent, to string) answer {
		return h.call("POST", "/v1/delegate", from.token, wire.DelegateRequest{DelegateTo: to, Scope: []string{scope}})
	}
	from := h.newAgent(clinic, "t1", scope)

	byTask := h.newAgent(clinic, "revoked-task", scope)
	h.revoke(admin, wire.RevokeTask, "revoked-task")
	if a := delegate(from, byTask.id); a.status != 404 {
		t.Errorf("to an agent whose task is revoked: %d %s, want 404", a.status, a.body)
	}
	byID := h.newAgent(clinic, "t2", scope)
	h.revoke(admin, wire.RevokeAgent, byID.id)
	if a := delegate(from, byID.id); a.status != 404 {
		t.Errorf("to a revoked agent: %d %s, want 404", a.status, a.body)
	}

	// The delegator holds scopes of clinic, which stays, and belongs to other.
	between := h.newAgent(other, "t3", scope)
	holds := h.delegate(from, between.id, 0, scope)
	to := h.newAgent(clinic, "t4", scope)
	h.delegate(holds, to.id, 0, scope)
	h.want(200, "DELETE", "/v1/admin/apps/"+other.AppID, admin, nil, nil)
	if a := delegate(holds, to.id); a.status < 400 {
		t.Errorf("by an agent of a deregistered app: %d, want a refusal", a.status)
	}
}

// A hop records what the delegator held, not what it delegated, with the broker's
// signature.
func TestDelegationChainRecordsHeldScopes(t *testing.T) {
	h := start(t, broker.Config{})
	clinic := h.newApp(h.admin(), "clinic", "read:records:*", "write:records:*")
	a := h.newAgent(clinic, "t1", "read:records:*", "write:records:p1")
	b := h.newAgent(clinic, "t2", "read:records:p1")
	d := h.delegate(h.delegate(a, b.id, 0, "read:records:p1", "write:records:p1"), a.id, 0, "read:records:p1")

	var keys wire.JWKSet
	h.want(200, "GET", "/v1/keys", "", nil, &keys)
	key, err := keys.Keys[0].PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	chain := h.claims(d.token).DelegationChain
	held := [][]string{{"read:records:*", "write:records:p1"}, {"read:records:p1", "write:records:p1"}}
	if len(chain) != 2 || chain[0].Agent != a.id || chain[1].Agent != b.id || !slices.Equal(chain[0].Scope, held[0]) || !slices.Equal(chain[1].Scope, held[1]) {
		t.Errorf("chain = %+v, want the scopes %v", chain, held)
	}
	for i, hop := range chain {
		if sig, err := hex.DecodeString(hop.Signature); err != nil || !ed25519.Verify(key, hop.SigningInput(), sig) {
			t.Errorf("hop %d: invalid signature %s (%v)", i, hop.Signature, err)
		}
	}
}

// The ceiling of the app that granted a scope applies to it wherever it was
// delegated, also to agents of other apps and after renewals.
func TestCeilingFollowsADelegatedScope(t *testing.T) {
	h := start(t, broker.Config{})
	admin := h.admin()
	clinic, other := h.newApp(admin, "clinic", "read:records:*", "read:labs:*"), h.newApp(admin, "other", "read:records:*", "read:labs:*")
	scope := "read:labs:p1"
	root := h.newAgent(clinic, "t1", scope)
	b, c := h.newAgent(other, "t2", scope), h.newAgent(other, "t3", scope)
	direct := h.renew(h.delegate(root, b.id, 0, scope))
	further := h.delegate(direct, c.id, 0, scope)

	h.want(200, "PUT", "/v1/admin/apps/"+clinic.AppID, admin, wire.UpdateAppRequest{Scopes: []string{"read:records:*"}}, nil)
	for what, a := range map[string]agent{"delegated and renewed": direct, "delegated further": further} {
		if got := h.call("POST", "/v1/token/renew", a.token, nil); got.status != 403 {
			t.Errorf("renewing a token that was %s: %d %s, want 403", what, got.status, got.body)
		}
		if got := h.call("POST", "/v1/delegate", a.token, wire.DelegateRequest{DelegateTo: c.id, Scope: []string{scope}}); got.status != 403 {
			t.Errorf("delegating a token that was %s: %d %s, want 403", what, got.status, got.body)
		}
	}
	h.renew(b) // its own scope is the other app's
}

// An agent whose tokens have expired can't be delegated to, even while its record
// is still there.
func TestExpiredAgentsAreNotDelegatedTo(t *testing.T) {
	h := start(t, broker.Config{})
	clinic := h.newApp(h.admin(), "clinic", "read:records:*")
	life := func(seconds int) func(*wire.LaunchTokenRequest) {
		return func(in *wire.LaunchTokenRequest) { in.MaxTTL = &seconds }
	}
	from := h.enroll(h.launch(byApp, clinic.token, life(1000), "read:records:p1"), "t1", "read:records:p1")
	to := h.enroll(h.launch(byApp, clinic.token, life(10), "read:records:p1"), "t2", "read:records:p1")
	for _, tt := range []struct {
		after  time.Duration
		status int
	}{{9 * time.Second, 200}, {61 * time.Second, 404}} {
		h.clock.advance(tt.after)
		if a := h.call("POST", "/v1/delegate", from.token, wire.DelegateRequest{DelegateTo: to.id, Scope: []string{"read:records:p1"}}); a.status != tt.status {
			t.Errorf("%v later: %d %s, want %d", tt.after, a.status, a.body, tt.status)
		}
	}
}
