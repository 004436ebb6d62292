package broker_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/broker"
)

// Who may call what. A token that is good for something is refused, with 403,
// for everything else.
func TestAuthorization(t *testing.T) {
	h := start(t, broker.Config{})
	admin := h.admin()
	clinic := h.newApp(admin, "clinic", "read:records:*")
	other := h.newAgent(clinic, "t2", "read:records:p1")

	var (
		launch   = wire.LaunchTokenRequest{AgentName: "x", AllowedScope: []string{"read:records:p1"}}
		delegate = wire.DelegateRequest{DelegateTo: other.id, Scope: []string{"read:records:p1"}}
		revoke   = wire.RevokeRequest{Level: wire.RevokeTask, Target: "no-such-task"}
		ttl      = 600
	)
	tests := []struct {
		method, path string
		body         any
		allow        map[string]int // status by caller; everyone else gets 403
	}{
		{"POST", "/v1/admin/launch-tokens", launch, map[string]int{"admin": 201}},
		{"POST", "/v1/app/launch-tokens", launch, map[string]int{"app": 201}},
		{"POST", "/v1/admin/apps", wire.CreateAppRequest{Name: "new", Scopes: []string{"read:x:*"}}, map[string]int{"admin": 201}},
		{"GET", "/v1/admin/apps", nil, map[string]int{"admin": 200}},
		{"GET", "/v1/admin/apps/" + clinic.AppID, nil, map[string]int{"admin": 200}},
		{"PUT", "/v1/admin/apps/" + clinic.AppID, wire.UpdateAppRequest{TokenTTL: &ttl}, map[string]int{"admin": 200}},
		{"DELETE", "/v1/admin/apps/no-such-app", nil, map[string]int{"admin": 404}},
		{"POST", "/v1/revoke", revoke, map[string]int{"admin": 200}},
		{"GET", "/v1/audit/events", nil, map[string]int{"admin": 200}},
		// The reference broker allows these: an app's or the admin's own token.
		{"POST", "/v1/delegate", delegate, map[string]int{"agent": 200}},
		{"POST", "/v1/token/renew", nil, map[string]int{"agent": 200}},
		{"POST", "/v1/token/release", nil, map[string]int{"admin": 204, "app": 204, "agent": 204}},
	}
	for _, tt := range tests {
		t.Run(tt.method+" "+tt.path, func(t *testing.T) {
			for caller, token := range map[string]string{
				"admin": h.admin(),
				"app":   h.login(clinic.App),
				"agent": h.newAgent(clinic, "t1", "read:records:p1").token,
			} {
				want, allowed := tt.allow[caller]
				if !allowed {
					want = 403
				}
				if a := h.call(tt.method, tt.path, token, tt.body); a.status != want {
					t.Errorf("%s: %d %s, want %d", caller, a.status, a.body, want)
				}
			}
			if a := h.call(tt.method, tt.path, "", tt.body); a.status != 401 {
				t.Errorf("no token: %d, want 401", a.status)
			}
		})
		h.clock.advance(15 * time.Second) // the logins are rate limited
	}
}

func TestDeletedAppLosesItsAuthority(t *testing.T) {
	h := start(t, broker.Config{})
	admin := h.admin()
	clinic := h.newApp(admin, "clinic", "read:records:*")
	agent := h.newAgent(clinic, "t1", "read:records:p1")
	peer := h.newAgent(clinic, "t2", "read:records:p1")
	unspent := h.launch(byApp, clinic.token, nil, "read:records:p1")

	h.want(200, "DELETE", "/v1/admin/apps/"+clinic.AppID, admin, nil, nil)

	if h.claims(clinic.token) != nil {
		t.Error("the app's token validates")
	}
	launch := wire.LaunchTokenRequest{AgentName: "x", AllowedScope: []string{"read:records:p1"}}
	in := proof(t, h.nonce())
	in.LaunchToken, in.RequestedScope = unspent, []string{"read:records:p1"}
	for what, got := range map[string]struct {
		answer
		want int
	}{
		"the app issues a launch token": {h.call("POST", byApp, clinic.token, launch), 401},
		"the app logs in":               {h.call("POST", "/v1/app/auth", "", wire.AppAuthRequest{ClientID: clinic.ClientID, ClientSecret: clinic.ClientSecret}), 401},
		"its launch token is used":      {h.call("POST", "/v1/register", "", in), 401},
		"its agent renews":              {h.call("POST", "/v1/token/renew", agent.token, nil), 401},
		"its agent delegates":           {h.call("POST", "/v1/delegate", agent.token, wire.DelegateRequest{DelegateTo: peer.id, Scope: []string{"read:records:p1"}}), 401},
		"it is deleted again":           {h.call("DELETE", "/v1/admin/apps/"+clinic.AppID, admin, nil), 404},
		"it is changed":                 {h.call("PUT", "/v1/admin/apps/"+clinic.AppID, admin, wire.UpdateAppRequest{Scopes: []string{"read:x:*"}}), 404},
	} {
		if got.status != got.want {
			t.Errorf("%s: %d %s, want %d", what, got.status, got.body, got.want)
		}
	}
	h.register(admin, "clinic", "read:records:*") // the name is free again
}

func TestNarrowedCeilingAppliesAtOnce(t *testing.T) {
	h := start(t, broker.Config{})
	admin := h.admin()
	clinic := h.newApp(admin, "clinic", "read:records:*", "write:records:*")
	reader := h.newAgent(clinic, "t1", "read:records:p1")
	writer := h.newAgent(clinic, "t2", "read:records:p1", "write:records:p1")
	delegated := h.delegate(writer, reader.id, 0, "write:records:p1")
	unspent := h.launch(byApp, clinic.token, nil, "read:records:p1", "write:records:p1")

	h.want(200, "PUT", "/v1/admin/apps/"+clinic.AppID, admin, wire.UpdateAppRequest{Scopes: []string{"read:records:*"}}, nil)

	launch := wire.LaunchTokenRequest{AgentName: "x", AllowedScope: []string{"write:records:p1"}}
	in := proof(t, h.nonce())
	in.LaunchToken, in.RequestedScope = unspent, []string{"read:records:p1", "write:records:p1"}
	for what, got := range map[string]answer{
		"issuing beyond it":                      h.call("POST", byApp, clinic.token, launch),
		"registering beyond it, issued before":   h.call("POST", "/v1/register", "", in),
		"renewing what is beyond it":             h.call("POST", "/v1/token/renew", writer.token, nil),
		"renewing what was delegated, beyond it": h.call("POST", "/v1/token/renew", delegated.token, nil),
		"delegating what is beyond it":           h.call("POST", "/v1/delegate", writer.token, wire.DelegateRequest{DelegateTo: reader.id, Scope: []string{"write:records:p1"}}),
	} {
		if got.status != 403 {
			t.Errorf("%s: %d %s, want 403", what, got.status, got.body)
		}
	}
	h.enroll(unspent, "t3", "read:records:p1") // within it, and not spent by the refusal
	h.renew(reader)
	h.delegate(writer, reader.id, 0, "read:records:p1")
}

func TestReservedScopesAreNeverGranted(t *testing.T) {
	h := start(t, broker.Config{})
	admin := h.admin()
	clinic := h.newApp(admin, "clinic", "read:records:*")
	for _, scope := range []string{
		"admin:revoke:*", "admin:launch-tokens:*", "admin:x:y", "app:launch-tokens:*", "app:agents:*", "app:x:y",
	} {
		scopes := []string{"read:records:*", scope}
		for what, got := range map[string]answer{
			"a new app":      h.call("POST", "/v1/admin/apps", admin, wire.CreateAppRequest{Name: "other", Scopes: scopes}),
			"a new ceiling":  h.call("PUT", "/v1/admin/apps/"+clinic.AppID, admin, wire.UpdateAppRequest{Scopes: scopes}),
			"a launch token": h.call("POST", byAdmin, admin, wire.LaunchTokenRequest{AgentName: "x", AllowedScope: scopes}),
		} {
			if got.status != 400 || got.problem(t).ErrorCode != wire.CodeInvalidRequest {
				t.Errorf("%s with %s: %d %s, want 400 invalid_request", what, scope, got.status, got.body)
			}
		}
		// On the app's own route the ceiling is named first (as recorded).
		if a := h.call("POST", byApp, clinic.token, wire.LaunchTokenRequest{AgentName: "x", AllowedScope: []string{scope}}); a.status != 403 {
			t.Errorf("an app's launch token with %s: %d %s, want 403", scope, a.status, a.body)
		}
	}
	h.register(admin, "fine", "administer:records:*", "application:x:y")
}

// Deleting an app ends its agents and everything that they delegated, also to
// agents of other apps, and nothing else.
func TestDeletedAppLosesItsAgents(t *testing.T) {
	dir := t.TempDir()
	h := start(t, broker.Config{Dir: dir})
	admin := h.admin()
	clinic, other := h.newApp(admin, "clinic", "read:records:*"), h.newApp(admin, "other", "read:records:*")
	scope := "read:records:p1"
	ended := []agent{h.newAgent(clinic, "t1", scope), h.newAgent(clinic, "t2", scope)}
	kept := []agent{h.newAgent(other, "t3", scope), h.newAgent(other, "t4", scope)}
	ended = append(ended,
		h.delegate(ended[0], kept[0].id, 0, scope), // to an agent of another app
		h.delegate(kept[0], ended[1].id, 0, scope)) // from one
	ended = append(ended, h.renew(h.delegate(ended[2], kept[1].id, 0, scope)))
	kept = append(kept, h.delegate(kept[0], kept[1].id, 0, scope))

	h.want(200, "DELETE", "/v1/admin/apps/"+clinic.AppID, admin, nil, nil)
	for _, when := range []string{"", " after a restart"} {
		for i, a := range ended {
			h.mustBeInvalid(fmt.Sprintf("token %d of the deleted app's agents%s", i, when), a.token)
		}
		for i, a := range kept {
			h.mustBeValid(fmt.Sprintf("token %d of the other app's agents%s", i, when), a.token)
		}
		if when == "" {
			h = h.restart(dir)
		}
	}
	if a := h.call("POST", "/v1/delegate", kept[0].token, wire.DelegateRequest{DelegateTo: ended[0].id, Scope: []string{scope}}); a.status != 404 {
		t.Errorf("delegating to an agent of the deleted app: %d %s, want 404", a.status, a.body)
	}
	for _, a := range ended[:2] {
		if n := len(h.events(h.admin(), "event_type=token_revoked&agent_id="+a.id)); n != 1 {
			t.Errorf("%d token_revoked events of an agent of the deleted app, want 1", n)
		}
	}
}

// The identifier of a scope may hold further colons. They have no meaning: it
// covers neither its parts nor anything longer.
func TestScopeIdentifiersWithColons(t *testing.T) {
	h := start(t, broker.Config{})
	admin := h.admin()
	const scope = "read:data:acme:reports"
	clinic := h.newApp(admin, "clinic", scope, "read:notes:*")
	a := h.newAgent(clinic, "t1", scope, "read:notes:a:b:c")
	if c := h.mustBeValid("the token", a.token); !wire.Covered([]string{scope, "read:notes:a:b:c"}, c.Scope) {
		t.Errorf("scope = %v", c.Scope)
	}
	peer := h.newAgent(clinic, "t2", scope)
	d := h.renew(h.delegate(a, peer.id, 0, scope))
	h.mustBeValid("the delegated token", d.token)
	for _, wider := range []string{"read:data:acme", "read:data:acme:reports:q1", "read:data:acme:other", "read:data:*", "read:notes:a:b", "read:notes:*"} {
		if got := h.call("POST", "/v1/delegate", a.token, wire.DelegateRequest{DelegateTo: peer.id, Scope: []string{wider}}); got.status != 403 {
			t.Errorf("delegating %s: %d %s, want 403", wider, got.status, got.body)
		}
		launch := wire.LaunchTokenRequest{AgentName: "x", AllowedScope: []string{wider}}
		if got := h.call("POST", byApp, clinic.token, launch); strings.HasPrefix(wider, "read:data:") && got.status != 403 {
			t.Errorf("a launch token for %s: %d %s, want 403", wider, got.status, got.body)
		}
	}
	for _, bad := range []string{"read:data:acme:", "read:data::acme", "read:data:acme:*", "read:data:*:acme", ":data:acme:x", "admin:revoke:a:b", "app:agents:a:b"} {
		if got := h.call("POST", byAdmin, admin, wire.LaunchTokenRequest{AgentName: "x", AllowedScope: []string{bad}}); got.status != 400 {
			t.Errorf("a launch token for %s: %d %s, want 400", bad, got.status, got.body)
		}
	}
	// A SPIFFE ID has no colons in its path.
	in := proof(t, h.nonce())
	in.LaunchToken, in.RequestedScope, in.TaskID = h.launch(byApp, clinic.token, nil, scope), []string{scope}, "acme:reports"
	if got := h.call("POST", "/v1/register", "", in); got.status != 400 {
		t.Errorf("a task_id with a colon: %d %s, want 400", got.status, got.body)
	}
}

// Only the Bearer scheme is a credential, in any case.
func TestAuthorizationSchemes(t *testing.T) {
	h := start(t, broker.Config{})
	admin := h.admin()
	for value, status := range map[string]int{
		"Bearer " + admin: 200, "bearer " + admin: 200, "BEARER " + admin: 200,
		"Basic " + admin: 401, "Token " + admin: 401, admin: 401, "Bearer": 401, "Bearer ": 401, "": 401,
		"Bearer  " + admin: 401, "Bearer " + admin + " ": 401, "Bearer " + admin + "," + admin: 401, "Bearer " + admin[:len(admin)-1]: 401,
	} {
		a := h.call("GET", "/v1/admin/apps", "", nil, func(r *http.Request) { r.Header["Authorization"] = []string{value} })
		// net/http trims the value, which leaves the token as it is.
		if strings.HasSuffix(value, admin+" ") {
			status = 200
		}
		if a.status != status {
			t.Errorf("Authorization: %.30q: %d %s, want %d", value, a.status, a.body, status)
		}
	}
	for _, second := range []string{"Bearer " + admin, "Bearer garbage", ""} {
		a := h.call("GET", "/v1/admin/apps", "", nil, func(r *http.Request) { r.Header["Authorization"] = []string{"Bearer " + admin, second} })
		if a.status != 401 {
			t.Errorf("two Authorization headers, the second %.20q: %d, want 401", second, a.status)
		}
	}
}
