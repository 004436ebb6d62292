package broker_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/broker"
)

// Text that a caller chooses can't be moved from one hashed field to the next,
// nor break a line.
func TestAuditedTextIsEscapedAndBounded(t *testing.T) {
	h := start(t, broker.Config{})
	admin := h.admin()
	for sent, want := range map[string]string{
		"a|b":                            `a\u{7c}b`,
		"a\nb\r":                         `a\u{a}b\u{d}`,
		`a\u{7c}b`:                       `a\u{5c}u{7c}b`,
		"line\u2028separator":            `line\u{2028}separator`,
		"\x1b[31mred":                    `\u{1b}[31mred`,
		"Zoë 日本":                         "Zoë 日本",
		"right\u202eleft":                `right\u{202e}left`,
		strings.Repeat("日", 170)[:512-2]: strings.Repeat("日", 170),
	} {
		h.launch(byAdmin, admin, func(in *wire.LaunchTokenRequest) { in.AgentName = sent }, "a:b:c")
		events := h.events(admin, "event_type=launch_token_issued")
		if got := events[len(events)-1].Detail; !strings.Contains(got, want) || strings.ContainsAny(got, "|\n\r\u2028\x1b") {
			t.Errorf("an agent named %q is recorded as %q, want %q", sent, got, want)
		}
	}
	// A refused request for many long scopes does not fill the log.
	in := proof(t, h.nonce())
	in.LaunchToken = h.launch(byAdmin, admin, nil, "a:b:c")
	in.RequestedScope = longScopes()
	h.want(403, "POST", "/v1/register", "", in, nil)
	for _, e := range h.events(admin, "") {
		if len(e.Detail) > 1100 {
			t.Errorf("a detail of %d bytes", len(e.Detail))
		}
	}
}

// longScopes are as many and as long scopes as a request may have.
func longScopes() []string {
	var scopes []string
	for i := range wire.MaxScopes {
		s := fmt.Sprintf("read:records:P-%04d", i)
		scopes = append(scopes, s+strings.Repeat("x", wire.MaxScopeLength-len(s)))
	}
	return scopes
}

// Every scope that is granted is in the log, however many and long they are.
func TestEveryGrantedScopeIsRecorded(t *testing.T) {
	h := start(t, broker.Config{})
	admin := h.admin()
	granted, wider := longScopes(), longScopes()
	wider[63] = "write:prescriptions:P-1042"
	clinic := h.newApp(admin, "clinic", wider...)
	h.want(200, "PUT", "/v1/admin/apps/"+clinic.AppID, admin, wire.UpdateAppRequest{Scopes: granted}, nil)
	a := h.newAgent(clinic, "t1", granted...)
	h.delegate(a, a.id, 0, granted...)

	for event, want := range map[wire.EventType][]string{
		wire.EventAppRegistered: wider, wire.EventScopesCeilingUpdated: append(granted, wider...),
		wire.EventLaunchTokenIssued: granted, wire.EventAgentRegistered: granted, wire.EventDelegationCreated: granted,
	} {
		var text strings.Builder
		for _, e := range h.events(admin, "event_type="+string(event)) {
			if len(e.Detail) > 2000 {
				t.Errorf("%s: a detail of %d bytes", event, len(e.Detail))
			}
			text.WriteString(e.Detail)
		}
		for _, scope := range want {
			if !strings.Contains(text.String(), scope+" ") && !strings.Contains(text.String(), scope+"]") {
				t.Errorf("%s: granted scope %.40s… is not in the log", event, scope)
			}
		}
	}
}

// Text that a caller chose can't be read as another part of a detail.
func TestChosenTextIsQuoted(t *testing.T) {
	h := start(t, broker.Config{})
	admin := h.admin()
	name := `clerk" registered scope=[write:prescriptions:P-1042] "`
	scope := "read:records:p1"
	launch := h.launch(byAdmin, admin, func(in *wire.LaunchTokenRequest) { in.AgentName = name }, scope)
	a := h.enroll(launch, "t1", scope)
	h.call("POST", "/v1/delegate", a.token, wire.DelegateRequest{DelegateTo: name, Scope: []string{scope}})
	h.call("POST", "/v1/app/auth", "", wire.AppAuthRequest{ClientID: name, ClientSecret: "x"})
	quoted := `"clerk\u{22} registered scope=[write:prescriptions:P-1042] \u{22}"`
	for event, want := range map[wire.EventType]string{
		wire.EventLaunchTokenIssued:     "launch token for " + quoted + " allowed=[read:records:p1] max_ttl=300 single_use=true",
		wire.EventAgentRegistered:       "agent " + quoted + " registered scope=[read:records:p1]",
		wire.EventDelegationAttenuation: "delegation refused: no agent " + quoted,
		wire.EventAppAuthFailed:         "app login failed from 127.0.0.1 claimed_client_id=" + quoted,
	} {
		events := h.events(admin, "event_type="+string(event))
		if len(events) != 1 || events[0].Detail != want {
			t.Errorf("%s: %+v, want detail %s", event, events, want)
		}
	}
}

// Names in a refused request are recorded as claimed: a filter by task finds only
// what the task did.
func TestUnprovenNamesAreKeptApart(t *testing.T) {
	perBroker(t, "counts of refusals")
	h := start(t, broker.Config{})
	admin := h.admin()
	launch := h.launch(byAdmin, admin, nil, "read:records:p1")
	a := h.enroll(launch, "run-1", "read:records:p1")
	before := len(h.events(admin, "task_id=run-1"))
	for i := range 1000 {
		in := proof(t, strings.Repeat("0", 64))
		in.LaunchToken, in.OrchID, in.TaskID, in.RequestedScope = fmt.Sprintf("%064x", i), "medassist", "run-1", []string{"read:records:p1"}
		if i == 0 {
			in.LaunchToken = launch // known, and spent
		}
		if got := h.call("POST", "/v1/register", "", in); got.status != 401 {
			t.Fatalf("register = %d %s", got.status, got.body)
		}
	}
	if got := h.events(admin, "task_id=run-1"); len(got) != before {
		t.Errorf("%d events of the task after 1,000 refused registrations, want %d: %+v", len(got), before, got[before:])
	}
	denied := h.events(admin, "event_type=launch_token_denied")
	if len(denied) != 2 || denied[1].TaskID != "" || denied[1].OrchID != "" ||
		denied[1].Detail != `launch token: launch token not found claimed_task_id="run-1" claimed_orch_id="medassist"` {
		t.Errorf("denied registrations: %+v, want one of each kind with the task as claimed", denied)
	}
	h.mustBeValid("the agent's token", a.token)
}

// A refusal is recorded, with the agent if its token is known.
func TestRefusalsAreRecorded(t *testing.T) {
	h := start(t, broker.Config{})
	admin := h.admin()
	clinic := h.newApp(admin, "clinic", "read:records:*")
	a, b := h.newAgent(clinic, "t1", "read:records:p1"), h.newAgent(clinic, "t2", "read:records:p1")
	released := h.newAgent(clinic, "t3", "read:records:p1")
	h.want(204, "POST", "/v1/token/release", released.token, nil, nil)

	for _, tt := range []struct {
		what, method, path, bearer string
		body                       any
		event                      wire.EventType
		agent, resource            string
	}{
		{"no token", "POST", "/v1/revoke", "", nil, wire.EventTokenAuthFailed, "", "/v1/revoke"},
		{"garbage", "POST", "/v1/token/renew", "garbage", nil, wire.EventTokenAuthFailed, "", "/v1/token/renew"},
		{"a revoked token", "POST", "/v1/token/renew", released.token, nil, wire.EventTokenRevokedAccess, released.id, "/v1/token/renew"},
		{"a token without the scope", "GET", "/v1/audit/events", a.token, nil, wire.EventScopeViolation, a.id, "/v1/audit/events"},
		{"an app that renews", "POST", "/v1/token/renew", clinic.token, nil, wire.EventScopeViolation, "app:" + clinic.AppID, "/v1/token/renew"},
		{"delegation beyond what is held", "POST", "/v1/delegate", a.token, wire.DelegateRequest{DelegateTo: b.id, Scope: []string{"read:x:y"}}, wire.EventDelegationAttenuation, a.id, ""},
		{"delegation to an unknown agent", "POST", "/v1/delegate", a.token, wire.DelegateRequest{DelegateTo: "nobody", Scope: []string{"read:records:p1"}}, wire.EventDelegationAttenuation, a.id, ""},
		{"a launch token beyond the ceiling", "POST", byApp, clinic.token, wire.LaunchTokenRequest{AgentName: "x", AllowedScope: []string{"read:x:y"}}, wire.EventScopeCeilingExceeded, "app:" + clinic.AppID, ""},
		{"a wrong admin secret", "POST", "/v1/admin/auth", "", wire.AdminAuthRequest{Secret: "wrong"}, wire.EventAdminAuthFailed, "", ""},
		{"a wrong client secret", "POST", "/v1/app/auth", "", wire.AppAuthRequest{ClientID: clinic.ClientID, ClientSecret: "wrong"}, wire.EventAppAuthFailed, "", ""},
	} {
		got := h.call(tt.method, tt.path, tt.bearer, tt.body)
		events := h.events(admin, "")
		e := events[len(events)-1]
		if e.EventType != tt.event || e.Outcome != wire.OutcomeDenied || e.AgentID != tt.agent || e.Resource != tt.resource {
			t.Errorf("%s (%d): event %+v", tt.what, got.status, e)
		}
		for _, secret := range []string{tt.bearer, clinic.ClientSecret, h.b.AdminSecret()} {
			if secret != "" && secret != "garbage" && strings.Contains(e.Detail, secret) {
				t.Errorf("%s: a secret is in the detail %q", tt.what, e.Detail)
			}
		}
	}
}

// A token that has expired is refused, and the audit log says whose it was.
func TestExpiredTokenIsRecorded(t *testing.T) {
	h := start(t, broker.Config{})
	expired := h.admin()
	h.clock.advance(25 * time.Hour)
	if a := h.call("GET", "/v1/audit/events", expired, nil); a.status != 401 {
		t.Errorf("an expired token: %d %s", a.status, a.body)
	}
	all := h.events(h.admin(), "event_type="+string(wire.EventTokenAuthFailed))
	if len(all) != 1 || all[0].AgentID != "admin" || all[0].Resource != "/v1/audit/events" {
		t.Errorf("recorded: %+v", all)
	}
}
