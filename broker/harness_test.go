package broker_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/broker"
	"github.com/devonartis/medassist-go/internal/pgtest"
)

// A harness is a broker and a plain HTTP client for it.
type harness struct {
	t     testing.TB
	b     *broker.Broker
	url   string
	http  *http.Client
	clock *clock
}

// A clock is a time that a test sets.
type clock struct{ nanos atomic.Int64 }

func newClock() *clock {
	c := new(clock)
	c.nanos.Store(time.Date(2026, 5, 4, 9, 0, 0, 123456789, time.UTC).UnixNano())
	return c
}

func (c *clock) now() time.Time          { return time.Unix(0, c.nanos.Load()).UTC() }
func (c *clock) advance(d time.Duration) { c.nanos.Add(int64(d)) }

// start runs a broker, in memory unless cfg says otherwise, on a test's clock
// unless cfg brings one.
func start(t testing.TB, cfg broker.Config) *harness {
	t.Helper()
	if cfg.Dir != "" {
		perBroker(t, "a data folder")
	}
	h := &harness{t: t, clock: newClock()}
	if cfg.Clock == nil {
		cfg.Clock = h.clock.now
	}
	if cfg.SecretCost == 0 {
		cfg.SecretCost = bcrypt.MinCost
	}
	var other *broker.Broker
	if cfg.Dir == "" && cfg.Database == "" && os.Getenv(replicasVariable) != "" {
		cfg.Database = pgtest.URL(t)
		cfg.AdminSecret = cmp.Or(cfg.AdminSecret, "a-test-secret-of-32-characters!!")
		other = open(t, cfg)
	}
	b := open(t, cfg)
	srv := httptest.NewServer(alternating(b, other))
	h.b, h.url = b, srv.URL
	h.http = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, Timeout: 20 * time.Second}
	t.Cleanup(func() {
		h.http.CloseIdleConnections()
		srv.Close()
		if err := b.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		if other != nil {
			if err := other.Close(); err != nil {
				t.Errorf("close the other broker: %v", err)
			}
		}
	})
	return h
}

// replicasVariable makes every broker without a folder a pair on one PostgreSQL
// database. Requests reach them in turn.
const replicasVariable = "MEDASSIST_TEST_REPLICAS"

// folder returns a data folder, or "" if brokers have a database instead.
func folder(t testing.TB) string {
	if os.Getenv(replicasVariable) != "" {
		return ""
	}
	return t.TempDir()
}

// perBroker skips a test of what each broker does for itself.
func perBroker(t testing.TB, what string) {
	if os.Getenv(replicasVariable) != "" {
		t.Skipf("%s: not shared by the brokers on a database", what)
	}
}

func open(t testing.TB, cfg broker.Config) *broker.Broker {
	t.Helper()
	b, err := broker.Open(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// alternating serves every second request with the other broker, if there is one.
func alternating(b, other *broker.Broker) http.Handler {
	if other == nil {
		return b.Handler()
	}
	var n atomic.Int64
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1)%2 == 0 {
			b.Handler().ServeHTTP(w, r)
			return
		}
		other.Handler().ServeHTTP(w, r)
	})
}

// answer is a response, read to its end.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) into(t testing.TB, v any) {
	t.Helper()
	if err := json.Unmarshal(a.body, v); err != nil {
		t.Fatalf("answer %d %q: %v", a.status, a.body, err)
	}
}

func (a answer) problem(t testing.TB) wire.Problem {
	t.Helper()
	var p wire.Problem
	a.into(t, &p)
	return p
}

// call sends body, a string as it is or anything else as JSON, and returns what
// came back. An error of the connection fails the test.
func (h *harness) call(method, path, bearer string, body any, edit ...func(*http.Request)) answer {
	h.t.Helper()
	a, err := h.try(method, path, bearer, body, edit...)
	if err != nil {
		h.t.Fatal(err)
	}
	return a
}

func (h *harness) try(method, path, bearer string, body any, edit ...func(*http.Request)) (answer, error) {
	var reader io.Reader
	switch v := body.(type) {
	case nil:
	case string:
		reader = bytes.NewReader([]byte(v))
	default:
		text, err := json.Marshal(v)
		if err != nil {
			return answer{}, err
		}
		reader = bytes.NewReader(text)
	}
	req, err := http.NewRequest(method, h.url+path, reader)
	if err != nil {
		return answer{}, err
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	for _, f := range edit {
		f(req)
	}
	resp, err := h.http.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, text}, err
}

// want is call for an answer that must have a status, decoded into out unless
// that is nil.
func (h *harness) want(status int, method, path, bearer string, body, out any) answer {
	h.t.Helper()
	a := h.call(method, path, bearer, body)
	if a.status != status {
		h.t.Fatalf("%s %s = %d %s, want %d", method, path, a.status, a.body, status)
	}
	if out != nil {
		a.into(h.t, out)
	}
	return a
}

// admin logs in and returns the token.
func (h *harness) admin() string {
	h.t.Helper()
	var auth wire.AuthResponse
	h.want(200, "POST", "/v1/admin/auth", "", wire.AdminAuthRequest{Secret: h.b.AdminSecret()}, &auth)
	return auth.AccessToken
}

// app is a registered app with a session.
type app struct {
	wire.App
	token string
}

// newApp registers an app under the ceiling and logs it in.
func (h *harness) newApp(admin, name string, ceiling ...string) app {
	h.t.Helper()
	a := app{App: h.register(admin, name, ceiling...)}
	a.token = h.login(a.App)
	return a
}

func (h *harness) register(admin, name string, ceiling ...string) wire.App {
	h.t.Helper()
	var a wire.App
	h.want(201, "POST", "/v1/admin/apps", admin, wire.CreateAppRequest{Name: name, Scopes: ceiling}, &a)
	return a
}

func (h *harness) login(a wire.App) string {
	h.t.Helper()
	var auth wire.AuthResponse
	h.want(200, "POST", "/v1/app/auth", "", wire.AppAuthRequest{ClientID: a.ClientID, ClientSecret: a.ClientSecret}, &auth)
	return auth.AccessToken
}

// launch issues a launch token, as an app or as the admin.
func (h *harness) launch(route, bearer string, edit func(*wire.LaunchTokenRequest), scope ...string) string {
	h.t.Helper()
	in := wire.LaunchTokenRequest{AgentName: "test/agent", AllowedScope: scope}
	if edit != nil {
		edit(&in)
	}
	var out wire.LaunchTokenResponse
	h.want(201, "POST", route, bearer, in, &out)
	return out.LaunchToken
}

const (
	byApp   = "/v1/app/launch-tokens"
	byAdmin = "/v1/admin/launch-tokens"
)

func (h *harness) nonce() string {
	h.t.Helper()
	var c wire.Challenge
	h.want(200, "GET", "/v1/challenge", "", nil, &c)
	return c.Nonce
}

// agent is a registered agent and its token.
type agent struct {
	id, token string
}

// proof fills in a registration with a fresh key's proof over the nonce.
func proof(t testing.TB, nonce string) wire.RegisterRequest {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	challenge, err := hex.DecodeString(nonce)
	if err != nil {
		t.Fatal(err)
	}
	return wire.RegisterRequest{
		Nonce:     nonce,
		PublicKey: base64.StdEncoding.EncodeToString(public),
		Signature: base64.StdEncoding.EncodeToString(ed25519.Sign(private, challenge)),
		OrchID:    "orch",
		TaskID:    "task",
	}
}

// newAgent registers an agent of an app for a task.
func (h *harness) newAgent(a app, task string, scope ...string) agent {
	h.t.Helper()
	return h.enroll(h.launch(byApp, a.token, nil, scope...), task, scope...)
}

func (h *harness) enroll(launchToken, task string, scope ...string) agent {
	h.t.Helper()
	in := proof(h.t, h.nonce())
	in.LaunchToken, in.TaskID, in.RequestedScope = launchToken, task, scope
	var out wire.RegisterResponse
	h.want(200, "POST", "/v1/register", "", in, &out)
	return agent{out.AgentID, out.AccessToken}
}

// delegate delegates scope and returns the delegate with its token.
func (h *harness) delegate(from agent, to string, ttl int, scope ...string) agent {
	h.t.Helper()
	var out wire.DelegateResponse
	h.want(200, "POST", "/v1/delegate", from.token, wire.DelegateRequest{DelegateTo: to, Scope: scope, TTL: ttl}, &out)
	return agent{to, out.AccessToken}
}

func (h *harness) renew(a agent) agent {
	h.t.Helper()
	var out wire.RenewResponse
	h.want(200, "POST", "/v1/token/renew", a.token, nil, &out)
	return agent{a.id, out.AccessToken}
}

// claims validates a token and returns its claims, or nil if it is invalid.
func (h *harness) claims(token string) *wire.Claims {
	h.t.Helper()
	var out wire.ValidateResponse
	h.want(200, "POST", "/v1/token/validate", "", wire.ValidateRequest{Token: token}, &out)
	if out.Valid != (out.Claims != nil) {
		h.t.Fatalf("validate = %+v", out)
	}
	return out.Claims
}

func (h *harness) mustBeValid(what, token string) *wire.Claims {
	h.t.Helper()
	c := h.claims(token)
	if c == nil {
		h.t.Errorf("%s is invalid, want valid", what)
	}
	return c
}

// mustBeInvalid checks that validation and the bearer endpoints refuse a token.
func (h *harness) mustBeInvalid(what, token string) {
	h.t.Helper()
	if h.claims(token) != nil {
		h.t.Errorf("%s is valid, want invalid", what)
	}
	if a := h.call("POST", "/v1/token/renew", token, nil); a.status != 401 {
		h.t.Errorf("renewing %s = %d %s, want 401", what, a.status, a.body)
	}
}

// events returns the audit events that a query selects.
func (h *harness) events(admin, query string) []wire.AuditEvent {
	h.t.Helper()
	var page wire.AuditPage
	h.want(200, "GET", "/v1/audit/events?limit=1000&"+query, admin, nil, &page)
	return page.Events
}
