package broker_test

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/broker"
)

func TestManyClientsRegisterAtOnce(t *testing.T) {
	h := start(t, broker.Config{Dir: t.TempDir()})
	admin := h.admin()
	apps := []app{h.newApp(admin, "one", "read:records:*"), h.newApp(admin, "two", "read:records:*")}
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			for j := range 4 {
				scope := []string{"read:records:p1"}
				var lt wire.LaunchTokenResponse
				a, err := h.try("POST", byApp, apps[i%2].token, wire.LaunchTokenRequest{AgentName: "x", AllowedScope: scope})
				if err != nil || a.status != 201 {
					t.Errorf("launch token: %v %d %s", err, a.status, a.body)
					return
				}
				a.into(t, &lt)
				in := proof(t, h.nonce())
				in.LaunchToken, in.RequestedScope, in.TaskID = lt.LaunchToken, scope, fmt.Sprintf("t-%d-%d", i, j)
				if a, err := h.try("POST", "/v1/register", "", in); err != nil || a.status != 200 {
					t.Errorf("register: %v %d %s", err, a.status, a.body)
				}
			}
		})
	}
	wg.Wait()
}

func TestANameIsTakenOnce(t *testing.T) {
	h := start(t, broker.Config{})
	admin := h.admin()
	h.register(admin, "clinic", "read:records:*")
	a := h.call("POST", "/v1/admin/apps", admin, wire.CreateAppRequest{Name: "clinic", Scopes: []string{"read:records:*"}})
	if a.status != 409 || a.problem(t).ErrorCode != wire.CodeConflict {
		t.Errorf("%d %s, want 409 conflict", a.status, a.body)
	}
}

// Whatever is wrong with a registration's form is found before anything is spent.
func TestABadRegistrationSpendsNothing(t *testing.T) {
	h := start(t, broker.Config{})
	clinic := h.newApp(h.admin(), "clinic", "read:records:*")
	launch := h.launch(byApp, clinic.token, nil, "read:records:p1")
	good := proof(t, h.nonce())
	good.LaunchToken, good.RequestedScope = launch, []string{"read:records:p1"}

	for name, spoil := range map[string]func(*wire.RegisterRequest){
		"no launch token": func(in *wire.RegisterRequest) { in.LaunchToken = "" },
		"no nonce":        func(in *wire.RegisterRequest) { in.Nonce = "" },
		"no key":          func(in *wire.RegisterRequest) { in.PublicKey = "" },
		"no signature":    func(in *wire.RegisterRequest) { in.Signature = "" },
		"no scope":        func(in *wire.RegisterRequest) { in.RequestedScope = nil },
		"no task":         func(in *wire.RegisterRequest) { in.TaskID = "" },
		"task above":      func(in *wire.RegisterRequest) { in.TaskID = "../x" },
		"task ..":         func(in *wire.RegisterRequest) { in.TaskID = ".." },
		"task *":          func(in *wire.RegisterRequest) { in.TaskID = "*" },
		"task with space": func(in *wire.RegisterRequest) { in.TaskID = "a b" },
		"task with slash": func(in *wire.RegisterRequest) { in.TaskID = "a/b" },
		"task with |":     func(in *wire.RegisterRequest) { in.TaskID = "a|b" },
		"long task":       func(in *wire.RegisterRequest) { in.TaskID = strings.Repeat("x", 129) },
		"no orch":         func(in *wire.RegisterRequest) { in.OrchID = "" },
		"orch above":      func(in *wire.RegisterRequest) { in.OrchID = "../x" },
		"orch é":          func(in *wire.RegisterRequest) { in.OrchID = "é" },
		"long orch":       func(in *wire.RegisterRequest) { in.OrchID = strings.Repeat("x", 129) },
		"bad scope":       func(in *wire.RegisterRequest) { in.RequestedScope = []string{"read:records"} },
	} {
		in := good
		spoil(&in)
		a := h.call("POST", "/v1/register", "", in)
		if a.status != 400 || a.problem(t).ErrorCode != wire.CodeInvalidRequest {
			t.Errorf("%s: %d %s, want 400 invalid_request", name, a.status, a.body)
		}
	}
	good.TaskID, good.OrchID = strings.Repeat("x", 128), "A-z_0.9"
	h.want(200, "POST", "/v1/register", "", good, nil)
}

// Order of the checks, and what each refusal spends (docs/protocol.md, "Registration").
func TestRefusedRegistrationSpends(t *testing.T) {
	h := start(t, broker.Config{})
	clinic := h.newApp(h.admin(), "clinic", "read:records:*")
	scope := []string{"read:records:p1"}
	register := func(in wire.RegisterRequest, launch string, scope ...string) answer {
		in.LaunchToken, in.RequestedScope = launch, scope
		return h.call("POST", "/v1/register", "", in)
	}
	mustBe := func(what string, a answer, status int) {
		t.Helper()
		if a.status != status {
			t.Errorf("%s: %d %s, want %d", what, a.status, a.body, status)
		}
	}

	launch := h.launch(byApp, clinic.token, nil, scope...)
	first := proof(t, h.nonce())
	mustBe("an unknown launch token", register(first, strings.Repeat("0", 64), scope...), 401)
	mustBe("a scope beyond it", register(first, launch, "read:records:p2"), 403)
	forged := first
	forged.Signature = proof(t, first.Nonce).Signature
	mustBe("a signature by another key", register(forged, launch, scope...), 401)
	mustBe("a nonce that the forged signature spent", register(first, launch, scope...), 401)
	mustBe("the launch token, unspent", register(proof(t, h.nonce()), launch, scope...), 200)
	mustBe("the launch token, spent", register(proof(t, h.nonce()), launch, scope...), 401)

	h.clock.advance(time.Second)
	launch = h.launch(byApp, clinic.token, nil, scope...)
	stale := proof(t, h.nonce())
	h.clock.advance(29*time.Second + 999*time.Millisecond)
	fresh := proof(t, h.nonce())
	h.clock.advance(time.Millisecond)
	mustBe("a launch token at its end", register(fresh, launch, scope...), 401)
	launch = h.launch(byApp, clinic.token, nil, scope...)
	mustBe("a nonce at its end", register(stale, launch, scope...), 401)
	mustBe("a made-up nonce", register(proof(t, strings.Repeat("0", 64)), launch, scope...), 401)
	upper := fresh
	upper.Nonce = strings.ToUpper(fresh.Nonce)
	mustBe("a nonce in another spelling", register(upper, launch, scope...), 401)
	mustBe("a fresh nonce", register(fresh, launch, scope...), 200)

	many := false
	reusable := h.launch(byApp, clinic.token, func(in *wire.LaunchTokenRequest) { in.SingleUse = &many }, scope...)
	for range 3 {
		mustBe("a launch token for many uses", register(proof(t, h.nonce()), reusable, scope...), 200)
	}
}

// A launch token and a nonce are accepted only as they were issued.
func TestCredentialsHaveOneEncoding(t *testing.T) {
	h := start(t, broker.Config{})
	admin := h.admin()
	scope := []string{"read:records:p1"}
	launch := h.launch(byAdmin, admin, nil, scope...)
	for _, other := range []string{strings.ToUpper(launch), launch + " ", " " + launch, launch[:62], launch + "00", "0x" + launch} {
		in := proof(t, h.nonce())
		in.LaunchToken, in.RequestedScope = other, scope
		if a := h.call("POST", "/v1/register", "", in); a.status != 401 {
			t.Errorf("launch token %q for %q: %d %s, want 401", other, launch, a.status, a.body)
		}
	}
	h.enroll(launch, "t1", scope...)
}

// A key of small order verifies signatures made without a private key.
func TestSmallOrderKeysAreRefused(t *testing.T) {
	h := start(t, broker.Config{})
	clinic := h.newApp(h.admin(), "clinic", "read:records:*")
	launch := h.launch(byApp, clinic.token, nil, "read:records:p1") // which no refusal spends
	for _, key := range []string{
		"0100000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000080",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0000000000000000000000000000000000000000000000000000000000000080",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
	} {
		// R = the identity, S = 0: holds whenever the hash times the key is the
		// identity, for one nonce in eight at least, for each under a key of order 1.
		public, err := hex.DecodeString(key)
		if err != nil {
			t.Fatal(err)
		}
		forged := append(slices.Concat([]byte{1}, make([]byte, 31)), make([]byte, 32)...)
		for range 24 {
			in := proof(t, h.nonce())
			in.LaunchToken, in.RequestedScope = launch, []string{"read:records:p1"}
			in.PublicKey = base64.StdEncoding.EncodeToString(public)
			in.Signature = base64.StdEncoding.EncodeToString(forged)
			if a := h.call("POST", "/v1/register", "", in); a.status != 401 {
				t.Errorf("key %s: registered without a private key (%d)", key, a.status)
				break
			}
		}
	}
}

func TestScopesAreValidated(t *testing.T) {
	h := start(t, broker.Config{})
	admin := h.admin()
	agent := h.newAgent(h.newApp(admin, "clinic", "read:records:*"), "t1", "read:records:p1")

	var many []string
	for i := range wire.MaxScopes + 1 {
		many = append(many, fmt.Sprintf("read:records:p%d", i))
	}
	var thousands []string
	for i := range 8000 {
		thousands = append(thousands, fmt.Sprintf("read:records:p%d", i))
	}
	bad := map[string][]string{
		"two parts":        {"read:records"},
		"an empty fourth":  {"read:records:p1:"},
		"a fourth of *":    {"read:records:p1:*"},
		"empty part":       {"read::p1"},
		"wildcard action":  {"*:records:p1"},
		"partial wildcard": {"read:records:p*"},
		"a space":          {"read:records:p 1"},
		"a line break":     {"read:records:p1\n"},
		"a |":              {"read:records:p|1"},
		"a comma":          {"read:records:p1,p2"},
		"a letter é":       {"read:records:é"},
		"too long":         {"read:records:" + strings.Repeat("x", wire.MaxScopeLength)},
		"too many":         many,
		"far too many":     thousands,
		"one bad of two":   {"read:records:p1", "nope"},
	}
	for name, scopes := range bad {
		in := proof(t, h.nonce())
		in.LaunchToken, in.RequestedScope = strings.Repeat("0", 64), scopes
		for where, a := range map[string]answer{
			"an app":         h.call("POST", "/v1/admin/apps", admin, wire.CreateAppRequest{Name: "other", Scopes: scopes}),
			"a launch token": h.call("POST", byAdmin, admin, wire.LaunchTokenRequest{AgentName: "x", AllowedScope: scopes}),
			"a registration": h.call("POST", "/v1/register", "", in),
			"a delegation":   h.call("POST", "/v1/delegate", agent.token, wire.DelegateRequest{DelegateTo: agent.id, Scope: scopes}),
		} {
			if a.status != 400 {
				t.Errorf("%s in %s: %d %.200s, want 400", name, where, a.status, a.body)
			}
		}
	}
	h.register(admin, "fine", "read:records:*", "read:records:a.b_c@d/e+f~g-H9")
}

func TestBadRequestsAreRefused(t *testing.T) {
	h := start(t, broker.Config{})
	admin := h.admin()
	clinic := h.newApp(admin, "clinic", "read:records:*")
	agent := h.newAgent(clinic, "t1", "read:records:p1")
	num := func(n int) *int { return &n }
	launch := func(maxTTL, ttl *int) wire.LaunchTokenRequest {
		return wire.LaunchTokenRequest{AgentName: "x", AllowedScope: []string{"read:records:p1"}, MaxTTL: maxTTL, TTL: ttl}
	}
	for _, tt := range []struct {
		what, method, path, bearer string
		body                       any
		code                       wire.Code
	}{
		{"a max_ttl over a day", "POST", byAdmin, admin, launch(num(86401), nil), wire.CodeInvalidRequest},
		{"a max_ttl below 0", "POST", byApp, clinic.token, launch(num(-1), nil), wire.CodeInvalidRequest},
		{"a ttl over a day", "POST", byApp, clinic.token, launch(nil, num(86401)), wire.CodeInvalidRequest},
		{"a ttl below 0", "POST", byAdmin, admin, launch(nil, num(-1)), wire.CodeInvalidRequest},
		{"a huge ttl", "POST", byAdmin, admin, `{"agent_name":"x","allowed_scope":["a:b:c"],"ttl":1e30}`, wire.CodeInvalidRequest},
		{"an agent name of a megabyte", "POST", byAdmin, admin, wire.LaunchTokenRequest{AgentName: strings.Repeat("x", 1<<19), AllowedScope: []string{"a:b:c"}}, wire.CodeInvalidRequest},
		{"an app TTL of 59", "POST", "/v1/admin/apps", admin, wire.CreateAppRequest{Name: "a", Scopes: []string{"a:b:c"}, TokenTTL: num(59)}, wire.CodeInvalidTTL},
		{"an app TTL over a day", "PUT", "/v1/admin/apps/" + clinic.AppID, admin, wire.UpdateAppRequest{TokenTTL: num(86401)}, wire.CodeInvalidTTL},
		{"no ceiling left", "PUT", "/v1/admin/apps/" + clinic.AppID, admin, `{"scopes":[]}`, wire.CodeInvalidRequest},
		{"an app name with capitals", "POST", "/v1/admin/apps", admin, wire.CreateAppRequest{Name: "Clinic", Scopes: []string{"a:b:c"}}, wire.CodeInvalidRequest},
		{"an app name of 65", "POST", "/v1/admin/apps", admin, wire.CreateAppRequest{Name: strings.Repeat("a", 65), Scopes: []string{"a:b:c"}}, wire.CodeInvalidRequest},
		{"an app name with a line break", "POST", "/v1/admin/apps", admin, wire.CreateAppRequest{Name: "clinic\n", Scopes: []string{"a:b:c"}}, wire.CodeInvalidRequest},
		{"no delegate", "POST", "/v1/delegate", agent.token, wire.DelegateRequest{Scope: []string{"read:records:p1"}}, wire.CodeInvalidRequest},
		{"no scope to delegate", "POST", "/v1/delegate", agent.token, wire.DelegateRequest{DelegateTo: agent.id}, wire.CodeInvalidRequest},
		{"a delegation's ttl below 0", "POST", "/v1/delegate", agent.token, wire.DelegateRequest{DelegateTo: agent.id, Scope: []string{"read:records:p1"}, TTL: -1}, wire.CodeInvalidRequest},
		{"a bad since", "GET", "/v1/audit/events?since=yesterday", admin, nil, wire.CodeInvalidRequest},
		{"a since of no year", "GET", "/v1/audit/events?since=0001-01-01T00:00:00Z", admin, nil, wire.CodeInvalidRequest},
		{"a bad until", "GET", "/v1/audit/events?until=2026-13-01T00:00:00Z", admin, nil, wire.CodeInvalidRequest},
		{"a bad limit", "GET", "/v1/audit/events?limit=x", admin, nil, wire.CodeInvalidRequest},
		{"a limit of 0", "GET", "/v1/audit/events?limit=0", admin, nil, wire.CodeInvalidRequest},
		{"a limit of 1001", "GET", "/v1/audit/events?limit=1001", admin, nil, wire.CodeInvalidRequest},
		{"a bad offset", "GET", "/v1/audit/events?offset=-1", admin, nil, wire.CodeInvalidRequest},
		{"a huge offset", "GET", "/v1/audit/events?offset=99999999999999999999", admin, nil, wire.CodeInvalidRequest},
		{"two JSON values", "POST", "/v1/token/validate", "", `{"token":"x"} {}`, wire.CodeInvalidRequest},
		{"a JSON value of another type", "POST", "/v1/token/validate", "", `{"token":1}`, wire.CodeInvalidRequest},
		{"an array", "POST", "/v1/admin/auth", "", `[]`, wire.CodeInvalidRequest},
		{"no body", "POST", "/v1/register", "", nil, wire.CodeInvalidRequest},
		{"two megabytes", "POST", "/v1/token/validate", "", `{"token":"` + strings.Repeat("x", 2<<20) + `"}`, wire.CodePayloadTooLarge},
		{"two megabytes of spaces", "POST", "/v1/token/validate", "", `{"token":"x"}` + strings.Repeat(" ", 2<<20), wire.CodePayloadTooLarge},
		{"an unknown path", "GET", "/v1/nope", "", nil, wire.CodeNotFound},
		{"another method", "DELETE", "/v1/register", "", nil, wire.CodeMethodNotAllowed},
	} {
		a := h.call(tt.method, tt.path, tt.bearer, tt.body)
		p := a.problem(t)
		if a.status != tt.code.Status() || p.ErrorCode != tt.code {
			t.Errorf("%s: %d %.300s, want %d %s", tt.what, a.status, a.body, tt.code.Status(), tt.code)
		}
		path, _, _ := strings.Cut(tt.path, "?")
		want := wire.NewProblem(tt.code, p.Detail, path, a.header.Get("X-Request-ID"))
		if p != want || a.header.Get("Content-Type") != wire.ProblemContentType {
			t.Errorf("%s: problem %+v (%s), want %+v", tt.what, p, a.header.Get("Content-Type"), want)
		}
	}
	// An unknown field from a newer client is ignored.
	h.want(200, "POST", "/v1/token/validate", "", `{"token":"x","trace":true}`, nil)
}

func TestRequestIDs(t *testing.T) {
	h := start(t, broker.Config{})
	for sent, want := range map[string]string{
		"req-1 of Ada!":          "req-1 of Ada!",
		strings.Repeat("x", 128): strings.Repeat("x", 128),
		strings.Repeat("x", 129): "",
		"é":                      "",
		"":                       "",
	} {
		got := h.call("GET", "/v1/health", "", nil, func(r *http.Request) { r.Header.Set("X-Request-ID", sent) }).header.Get("X-Request-ID")
		if want == "" {
			if raw, err := hex.DecodeString(got); err != nil || len(raw) != 8 {
				t.Errorf("sent %q, got %q, want 16 hex digits", sent, got)
			}
		} else if got != want {
			t.Errorf("sent %q, got %q", sent, got)
		}
	}
}
