package broker_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/broker"
)

func TestAdminSecretsThatCanBeGuessedAreRefused(t *testing.T) {
	for _, weak := range []string{
		"short", "fifteen bytes..", "aaaaaaaaaaaaaaaaaaaaaaaa", "abababababababababababab",
		"change-me-in-production", "CHANGEME-CHANGEME-CHANGEME", "password-of-the-admin", "your-secret-here-please",
	} {
		if _, err := broker.Open(context.Background(), broker.Config{AdminSecret: weak}); !errors.Is(err, broker.ErrWeakSecret) {
			t.Errorf("%q: %v, want ErrWeakSecret", weak, err)
		} else if strings.Contains(err.Error(), weak) {
			t.Errorf("the error repeats the secret: %v", err)
		}
	}
	h := start(t, broker.Config{AdminSecret: "sixteen bytes ok"})
	if h.b.AdminSecret() != "sixteen bytes ok" {
		t.Error("another secret is in force")
	}
	h.admin()
}

func TestConfigurationsThatCannotWorkAreRefused(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, cfg := range map[string]broker.Config{
		"a trust domain with a scheme": {TrustDomain: "spiffe://clinic.example"},
		"a trust domain with capitals": {TrustDomain: "Clinic"},
		"a TTL of more than a day":     {AgentTTL: 25 * time.Hour},
		"a TTL below a second":         {AdminTokenTTL: time.Millisecond},
		"a negative TTL":               {DelegationTTL: -time.Second},
		"a maximum of more than a day": {MaxTTL: 25 * time.Hour},
		"a short app token TTL":        {AppTokenTTL: 59 * time.Second},
		"a file for a folder":          {Dir: file},
	} {
		if b, err := broker.Open(context.Background(), cfg); err == nil {
			b.Close()
			t.Errorf("%s is accepted", name)
		}
	}
}

func TestConfigurationTakesEffect(t *testing.T) {
	h := start(t, broker.Config{
		TrustDomain: "clinic.example", Issuer: "https://clinic.example", Audience: []string{"records", "labs"},
		AdminTokenTTL: time.Minute, AgentTTL: 2 * time.Minute, DelegationTTL: 10 * time.Second, Version: "1.2.3",
	})
	admin := h.admin()
	clinic := h.newApp(admin, "clinic", "read:records:*")
	a := h.newAgent(clinic, "t", "read:records:p1")
	c := h.mustBeValid("an agent's token", a.token)
	if !strings.HasPrefix(c.Subject, "spiffe://clinic.example/agent/orch/t/") || c.Issuer != "https://clinic.example" ||
		len(c.Audience) != 2 || c.ExpiresAt-c.IssuedAt != 120 {
		t.Errorf("claims = %+v", c)
	}
	if c := h.claims(h.delegate(a, a.id, 0, "read:records:p1").token); c.ExpiresAt-c.IssuedAt != 10 {
		t.Errorf("a delegation is valid for %d s", c.ExpiresAt-c.IssuedAt)
	}
	if c := h.claims(admin); c.ExpiresAt-c.IssuedAt != 60 {
		t.Errorf("the admin's token is valid for %d s", c.ExpiresAt-c.IssuedAt)
	}
	h.revoke(admin, wire.RevokeAgent, a.id) // of this trust domain
	if got, _ := h.health(); got.Version != "1.2.3" {
		t.Errorf("health = %+v", got)
	}
}

// No token is valid for longer than the configured maximum.
func TestMaxTTL(t *testing.T) {
	h := start(t, broker.Config{MaxTTL: 2 * time.Minute, DelegationTTL: time.Hour})
	admin := h.admin()
	clinic := h.newApp(admin, "clinic", "read:records:*")
	hour := 3600
	var launch wire.LaunchTokenResponse
	h.want(201, "POST", byApp, clinic.token, wire.LaunchTokenRequest{AgentName: "a", AllowedScope: []string{"read:records:p1"}, MaxTTL: &hour}, &launch)
	if launch.Policy.MaxTTL != 120 {
		t.Errorf("the launch token allows %d s", launch.Policy.MaxTTL)
	}
	a := h.enroll(launch.LaunchToken, "t", "read:records:p1")
	for what, token := range map[string]string{
		"admin": admin, "app": clinic.token, "agent": a.token, "delegated": h.delegate(a, a.id, 3600, "read:records:p1").token,
		"delegated by default": h.delegate(a, a.id, 0, "read:records:p1").token,
		"renewed":              h.renew(h.newAgent(clinic, "t2", "read:records:p2")).token,
	} {
		if c := h.claims(token); c == nil || c.ExpiresAt-c.IssuedAt != 120 {
			t.Errorf("%s token: %+v, want 120 s", what, c)
		}
	}
}

// AppTokenTTL is the default of apps that are registered without a TTL.
func TestAppTokenTTL(t *testing.T) {
	h := start(t, broker.Config{AppTokenTTL: time.Minute})
	clinic := h.newApp(h.admin(), "clinic", "read:records:*")
	if c := h.claims(clinic.token); clinic.TokenTTL != 60 || c.ExpiresAt-c.IssuedAt != 60 {
		t.Errorf("token_ttl %d, token %d s, want 60", clinic.TokenTTL, c.ExpiresAt-c.IssuedAt)
	}
}

func TestTokensEndAtTheirExp(t *testing.T) {
	h := start(t, broker.Config{})
	clinic := h.newApp(h.admin(), "clinic", "read:records:*")
	a := h.newAgent(clinic, "t", "read:records:p1")
	end := time.Unix(h.claims(a.token).ExpiresAt, 0)
	h.clock.advance(end.Sub(h.clock.now()) - 1)
	h.mustBeValid("a token just before its exp", a.token)
	h.clock.advance(1)
	h.mustBeInvalid("a token at its exp", a.token)
}

// An app's token is valid for the app's token_ttl.
func TestAppTokensLiveAsLongAsTheAppSays(t *testing.T) {
	h := start(t, broker.Config{})
	admin := h.admin()
	clinic := h.register(admin, "clinic", "read:records:*")
	life := func() int64 {
		c := h.claims(h.login(clinic))
		return c.ExpiresAt - c.IssuedAt
	}
	if got := life(); got != 1800 {
		t.Errorf("by default %d s", got)
	}
	ttl := 60
	h.want(200, "PUT", "/v1/admin/apps/"+clinic.AppID, admin, wire.UpdateAppRequest{TokenTTL: &ttl}, nil)
	if got := life(); got != 60 {
		t.Errorf("after the change %d s", got)
	}
}

func TestAKeyOfAnotherDatabaseIsRefused(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	for _, d := range []string{dir, other} {
		if err := start(t, broker.Config{Dir: d}).b.Close(); err != nil {
			t.Fatal(err)
		}
	}
	key, err := os.ReadFile(filepath.Join(other, "signing-key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "signing-key.pem"), key, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := broker.Open(context.Background(), broker.Config{Dir: dir}); err == nil || !strings.Contains(err.Error(), "not the key") {
		t.Errorf("err = %v", err)
	}
}

// certificate is a self-signed one for 127.0.0.1, and the pool that trusts it.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}, pool
}

// Serve ends with its context, lets what is under way finish, and leaves
// nothing running behind.
func TestServe(t *testing.T) {
	before := goleak.IgnoreCurrent()
	cert, pool := certificate(t)
	var log bytes.Buffer
	b, err := broker.Open(context.Background(), broker.Config{
		TLS:    &tls.Config{Certificates: []tls.Certificate{cert}},
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- b.Serve(ctx, ln) }()

	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	h := &harness{t: t, b: b, url: "https://" + ln.Addr().String(), http: client}
	token := h.admin()
	h.call("POST", "/v1/token/renew", token, nil, func(r *http.Request) { r.Header.Set("X-Request-ID", "my-request") })
	h.call("POST", "/v1/admin/auth", "", wire.AdminAuthRequest{Secret: "a wrong but secret secret"})

	cancel()
	if err := <-served; err != nil {
		t.Errorf("Serve: %v", err)
	}
	if err := b.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if err := b.Close(); err != nil {
		t.Errorf("the second Close: %v", err)
	}
	client.CloseIdleConnections()
	goleak.VerifyNone(t, before)

	if !strings.Contains(log.String(), "request_id=my-request") {
		t.Error("a refused request is not in the log with its ID")
	}
	for what, secret := range map[string]string{"a token": token, "the admin secret": b.AdminSecret(), "a wrong secret": "a wrong but secret secret"} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("%s is in the log", what)
		}
	}
}

func TestAClosedBrokerAnswers503(t *testing.T) {
	h := start(t, broker.Config{})
	admin := h.admin()
	h.b.Close()
	if a := h.call("POST", byAdmin, admin, wire.LaunchTokenRequest{AgentName: "x", AllowedScope: []string{"a:b:c"}}); a.status != 503 {
		t.Errorf("%d %s, want 503", a.status, a.body)
	}
}
