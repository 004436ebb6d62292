package conformance

import (
	"encoding/json"
	"strconv"
	"testing"

	"github.com/devonartis/medassist-go/agentwrit/brokertest"
)

// TestStricterRules checks the rules that the embedded broker keeps in addition to
// the protocol (docs/protocol.md, "Stricter than the reference broker").
func TestStricterRules(t *testing.T) { brokertest.EachStrict(t, testStricterRules) }

func testStricterRules(t *testing.T, b *brokertest.Broker) {
	var admin string // one session: logins are limited
	for _, rule := range stricterRules {
		t.Run(rule.name, func(t *testing.T) {
			s := connect(t, b)
			if admin == "" {
				admin = s.need("POST", "/v1/admin/auth", "", object{"secret": s.secret}).text("access_token")
			}
			s.bearers["admin"] = admin
			if got := rule.check(s); got != rule.want {
				t.Errorf("%s, want %s: %s", got, rule.want, rule.promise)
			}
		})
	}
}

type object = map[string]any

// A rule is one promise, and how it is checked: check returns what it saw.
type rule struct {
	name, promise string
	check         func(*session) string
	want          string
}

var stricterRules = []rule{
	{"an app's token is not renewed", "only an agent's token is renewed",
		func(s *session) string { return status(s.do("POST", "/v1/token/renew", s.app("read:data:*"), nil)) }, "403"},
	{"an app's token delegates nothing", "only an agent's token is delegated", func(s *session) string {
		app, agent := s.app("read:data:*"), s.register("wire", "strict", "read:data:a")
		return status(s.do("POST", "/v1/delegate", app, object{"delegate_to": agent.id, "scope": []string{"read:data:a"}}))
	}, "403"},
	{"a delegated lifetime is limited", "a delegated token ends with its delegator's", func(s *session) string {
		from, to := s.register("wire", "strict", "read:data:a"), s.register("wire", "strict", "read:data:a")
		r := s.need("POST", "/v1/delegate", from.token, object{"delegate_to": to.id, "scope": []string{"read:data:a"}, "ttl": 86400})
		body, _ := r.body.(object)
		life, _ := body["expires_in"].(json.Number)
		seconds, err := life.Int64()
		return strconv.FormatBool(err == nil && seconds <= 120)
	}, "true"},
	{"a release ends what was delegated", "releasing a token also ends what was delegated from it", func(s *session) string {
		from, to := s.register("wire", "strict", "read:data:a"), s.register("wire", "strict", "read:data:a")
		delegated := s.delegate(from, to.id, "read:data:a")
		s.need("POST", "/v1/token/release", from.token, nil)
		return s.valid(delegated)
	}, "invalid"},
	{"a revocation ends what was delegated", "revoking an agent also ends what it delegated", func(s *session) string {
		from, to := s.register("wire", "strict", "read:data:a"), s.register("wire", "strict", "read:data:a")
		delegated := s.delegate(from, to.id, "read:data:a")
		s.need("POST", "/v1/revoke", s.bearers["admin"], object{"level": "agent", "target": from.id})
		return s.valid(delegated)
	}, "invalid"},
	{"a deleted app's login ends", "deleting an app ends its tokens", func(s *session) string {
		app := s.app("read:data:*")
		s.need("DELETE", "/v1/admin/apps/"+s.appID, s.bearers["admin"], nil)
		return s.valid(app)
	}, "invalid"},
	{"a ceiling holds no admin scope", "no app gets scopes of the broker itself", func(s *session) string {
		return status(s.do("POST", "/v1/admin/apps", s.bearers["admin"], object{"name": s.appName, "scopes": []string{"admin:revoke:*"}}))
	}, "400"},
	{"a taken name is a conflict", "a taken app name is answered with 409", func(s *session) string {
		s.app("read:data:*")
		return status(s.do("POST", "/v1/admin/apps", s.bearers["admin"], object{"name": s.appName, "scopes": []string{"read:data:*"}}))
	}, "409"},
	{"an invalid name costs no launch token", "an invalid orch_id is refused before anything is spent", func(s *session) string {
		launch := s.launch("read:data:a")
		first := status(s.do("POST", "/v1/register", "", s.registration(launch, "../x", "strict", "read:data:a")))
		return first + " " + status(s.do("POST", "/v1/register", "", s.registration(launch, "wire", "strict", "read:data:a")))
	}, "400 200"},
	{"a delegation names its scope", "a delegation without a scope is refused as malformed", func(s *session) string {
		from, to := s.register("wire", "strict", "read:data:a"), s.register("wire", "strict", "read:data:a")
		return status(s.do("POST", "/v1/delegate", from.token, object{"delegate_to": to.id}))
	}, "400"},
	{"a filter is checked", "an invalid time in a filter of the audit log is refused", func(s *session) string {
		return status(s.do("GET", "/v1/audit/events?since=yesterday", s.bearers["admin"], nil))
	}, "400"},
	{"a scope has no spaces", "scopes consist of a fixed set of characters", func(s *session) string {
		return status(s.do("POST", "/v1/admin/launch-tokens", s.bearers["admin"], object{"agent_name": "a", "allowed_scope": []string{"read:data:a b"}}))
	}, "400"},
	{"a lifetime is at most a day", "a lifetime beyond 24 hours is refused", func(s *session) string {
		return status(s.do("POST", "/v1/admin/launch-tokens", s.bearers["admin"], object{"agent_name": "a", "allowed_scope": []string{"read:data:a"}, "max_ttl": 86401}))
	}, "400"},
	{"the admin can't be revoked", "a revocation does not lock the admin out", func(s *session) string {
		return status(s.do("POST", "/v1/revoke", s.bearers["admin"], object{"level": "agent", "target": "admin"}))
	}, "400"},
	{"a member occurs once", "a body with a repeated member is refused", func(s *session) string {
		return status(s.do("POST", "/v1/token/validate", "", `{"token":"a","token":"b"}`))
	}, "400"},
	{"keys are served", "it serves its keys", func(s *session) string { return status(s.do("GET", "/v1/keys", "", nil)) }, "200"},
}

func status(r response) string { return strconv.Itoa(r.status) }

// app registers an app and returns the token of its login.
func (s *session) app(scopes ...string) string {
	s.t.Helper()
	r := s.need("POST", "/v1/admin/apps", s.bearers["admin"], object{"name": s.appName, "scopes": scopes})
	s.appID = r.text("app_id")
	return s.need("POST", "/v1/app/auth", "", object{"client_id": r.text("client_id"), "client_secret": r.text("client_secret")}).text("access_token")
}

// valid returns whether the broker accepts a token: "valid" or "invalid".
func (s *session) valid(token string) string {
	s.t.Helper()
	r := s.need("POST", "/v1/token/validate", "", object{"token": token})
	body, _ := r.body.(object)
	if body["valid"] == true {
		return "valid"
	}
	return "invalid"
}
