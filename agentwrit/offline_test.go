package agentwrit_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/agentwrit/brokertest"
	"github.com/devonartis/medassist-go/agentwrit/wire"
)

func TestOfflineVerifier(t *testing.T) {
	b := brokertest.Start(t)
	app := b.App(t, "read:data:*")
	v, err := agentwrit.NewOfflineVerifier(b.URL)
	if err != nil {
		t.Fatal(err)
	}
	agent, to := createAgent(t, app, "read:data:a"), createAgent(t, app, "read:data:b")
	delegated, err := agent.Delegate(t.Context(), to.ID(), []string{"read:data:a"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	again, err := delegated.Delegate(t.Context(), agent.ID(), []string{"read:data:a"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	for name, token := range map[string]string{"registered": agent.AccessToken(), "delegated": delegated.AccessToken(), "delegated twice": again.AccessToken()} {
		if claims, err := v.Validate(t.Context(), token); err != nil || !slices.Equal(claims.Scope, []string{"read:data:a"}) {
			t.Errorf("%s: %v, %v", name, claims, err)
		}
	}
	good := agent.AccessToken()
	parts := strings.Split(good, ".")
	foreign := brokertest.Start(t).Agent(t, "read:data:a").AccessToken()
	for name, token := range map[string]string{
		"empty": "", "garbage": "a.b.c", "two parts": parts[0] + "." + parts[1],
		"payload of another token": parts[0] + "." + strings.Split(delegated.AccessToken(), ".")[1] + "." + parts[2],
		"no signature":             parts[0] + "." + parts[1] + ".",
		"algorithm none":           "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0." + parts[1] + ".",
		"line break in payload":    good[:120] + "\n" + good[120:],
		"line break in signature":  good[:len(good)-4] + "\r\n" + good[len(good)-4:],
		"trailing text":            good + "A",
		"another broker's token":   foreign,
	} {
		if _, err := v.Validate(t.Context(), token); !errors.Is(err, agentwrit.ErrTokenInvalid) {
			t.Errorf("%s: %v, want ErrTokenInvalid", name, err)
		}
	}
	unreachable, _ := agentwrit.NewOfflineVerifier("http://127.0.0.1:1", agentwrit.WithTimeout(200*time.Millisecond))
	if _, err := unreachable.Validate(t.Context(), good); err == nil || errors.Is(err, agentwrit.ErrTokenInvalid) {
		t.Errorf("keys can't be fetched: %v, want an error other than ErrTokenInvalid", err)
	}
}

// A mint issues tokens with a key of its own, so that a test can sign what no
// broker would.
type mint struct {
	url string // serves the key
	key ed25519.PrivateKey
	now time.Time
}

func newMint(t *testing.T) *mint {
	m := &mint{key: testKey(1), now: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)}
	m.url = server(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(wire.JWKSet{Keys: []wire.JWK{wire.NewJWK(m.public())}})
	})
	return m
}

func testKey(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
}

func (m *mint) public() ed25519.PublicKey { return m.key.Public().(ed25519.PublicKey) }

func (m *mint) claims() *agentwrit.Claims {
	iat := m.now.Unix()
	return &agentwrit.Claims{Issuer: "agentwrit", Subject: "spiffe://x/agent/o/t/1", Audience: agentwrit.Audience{"records"},
		IssuedAt: iat, NotBefore: iat, ExpiresAt: iat + 300, ID: "id", Scope: []string{"read:data:a"}}
}

func (m *mint) hop(agent string) agentwrit.DelegationHop {
	h := agentwrit.DelegationHop{Agent: agent, Scope: []string{"read:data:a"}, DelegatedAt: m.now.Format(time.RFC3339Nano)}
	h.Signature = hex.EncodeToString(ed25519.Sign(m.key, h.SigningInput()))
	return h
}

func (m *mint) token(t *testing.T, header map[string]string, claims any) string {
	t.Helper()
	h, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	c, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	input := base64.RawURLEncoding.EncodeToString(h) + "." + base64.RawURLEncoding.EncodeToString(c)
	return input + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(m.key, []byte(input)))
}

func (m *mint) header() map[string]string {
	return map[string]string{"alg": "EdDSA", "typ": "JWT", "kid": wire.Thumbprint(m.public())}
}

func (m *mint) clock() time.Time { return m.now }

// The broker's signature over a token does not make up for what is wrong in it.
func TestOfflineVerifierChecksHeader(t *testing.T) {
	m := newMint(t)
	v, err := agentwrit.NewOfflineVerifier(m.url, agentwrit.WithClock(m.clock))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Validate(t.Context(), m.token(t, m.header(), m.claims())); err != nil {
		t.Fatalf("a good token: %v", err)
	}
	for name, change := range map[string]func(h map[string]string){
		"algorithm HS256":     func(h map[string]string) { h["alg"] = "HS256" },
		"algorithm none":      func(h map[string]string) { h["alg"] = "none" },
		"algorithm eddsa":     func(h map[string]string) { h["alg"] = "eddsa" },
		"no algorithm":        func(h map[string]string) { delete(h, "alg") },
		"type JWE":            func(h map[string]string) { h["typ"] = "JWE" },
		"no key ID":           func(h map[string]string) { delete(h, "kid") },
		"an unknown key ID":   func(h map[string]string) { h["kid"] = wire.Thumbprint(testKey(2).Public().(ed25519.PublicKey)) },
		"a key ID by content": func(h map[string]string) { h["kid"] = "key-1" },
	} {
		header := m.header()
		change(header)
		if _, err := v.Validate(t.Context(), m.token(t, header, m.claims())); !errors.Is(err, agentwrit.ErrTokenInvalid) {
			t.Errorf("%s: %v, want ErrTokenInvalid", name, err)
		}
	}
}

func TestOfflineVerifierChecksChain(t *testing.T) {
	m := newMint(t)
	v, err := agentwrit.NewOfflineVerifier(m.url, agentwrit.WithClock(m.clock))
	if err != nil {
		t.Fatal(err)
	}
	first, second := m.hop("spiffe://x/agent/o/t/1"), m.hop("spiffe://x/agent/o/t/2")
	forged := first
	forged.Signature = hex.EncodeToString(ed25519.Sign(testKey(2), forged.SigningInput()))
	renamed, widened, later, unsigned := first, first, first, first
	renamed.Agent = "spiffe://x/agent/o/t/9"
	widened.Scope = []string{"read:data:*"}
	later.DelegatedAt = m.now.Add(time.Hour).Format(time.RFC3339Nano)
	unsigned.Signature = ""
	hops := func(h ...agentwrit.DelegationHop) []agentwrit.DelegationHop { return h }
	for name, tt := range map[string]struct {
		chain []agentwrit.DelegationHop
		hash  string
		valid bool
	}{
		"none":                {nil, "", true},
		"one hop":             {hops(first), wire.HashChain(hops(first)), true},
		"two hops":            {hops(first, second), wire.HashChain(hops(first, second)), true},
		"forged signature":    {hops(forged), wire.HashChain(hops(forged)), false},
		"second hop forged":   {hops(second, forged), wire.HashChain(hops(second, forged)), false},
		"first hop forged":    {hops(forged, second), wire.HashChain(hops(forged, second)), false},
		"delegator renamed":   {hops(renamed), wire.HashChain(hops(renamed)), false},
		"scope widened":       {hops(widened), wire.HashChain(hops(widened)), false},
		"time changed":        {hops(later), wire.HashChain(hops(later)), false},
		"no signature":        {hops(unsigned), wire.HashChain(hops(unsigned)), false},
		"hash of another":     {hops(first), wire.HashChain(hops(second)), false},
		"no hash":             {hops(first), "", false},
		"a hash and no chain": {nil, wire.HashChain(hops(first)), false},
	} {
		claims := m.claims()
		claims.DelegationChain, claims.ChainHash = tt.chain, tt.hash
		_, err := v.Validate(t.Context(), m.token(t, m.header(), claims))
		if tt.valid && err != nil || !tt.valid && !errors.Is(err, agentwrit.ErrTokenInvalid) {
			t.Errorf("%s: %v, want valid %v", name, err, tt.valid)
		}
	}
}

func TestOfflineVerifierTime(t *testing.T) {
	m := newMint(t)
	var elapsed atomic.Int64 // nanoseconds; keys are refreshed in the background, by this clock too
	clock := agentwrit.WithClock(func() time.Time { return m.now.Add(time.Duration(elapsed.Load())) })
	v, err := agentwrit.NewOfflineVerifier(m.url, clock)
	if err != nil {
		t.Fatal(err)
	}
	token := m.token(t, m.header(), m.claims())
	strict, err := agentwrit.NewOfflineVerifier(m.url, clock, agentwrit.WithLeeway(-time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		at                   time.Duration // after the token's iat and nbf
		valid, withoutLeeway bool
	}{
		{0, true, true}, {time.Second, true, true}, {299 * time.Second, true, true}, {299*time.Second + 999*time.Millisecond, true, true},
		{-time.Second, true, false}, {-agentwrit.DefaultLeeway, true, false},
		{-agentwrit.DefaultLeeway - time.Millisecond, false, false}, {-agentwrit.DefaultLeeway - time.Second, false, false}, {-time.Hour, false, false},
		{300 * time.Second, false, false}, {301 * time.Second, false, false}, {24 * time.Hour, false, false},
	} {
		elapsed.Store(int64(tt.at))
		for v, valid := range map[*agentwrit.OfflineVerifier]bool{v: tt.valid, strict: tt.withoutLeeway} {
			_, err := v.Validate(t.Context(), token)
			if valid && err != nil || !valid && !errors.Is(err, agentwrit.ErrTokenInvalid) {
				t.Errorf("%s after issue, strict %v: %v, want valid %v", tt.at, v == strict, err, valid)
			}
		}
	}
}

// WithKeys trusts the given keys and asks nobody.
func TestPinnedKeys(t *testing.T) {
	m := newMint(t)
	token := m.token(t, m.header(), m.claims())
	for name, tt := range map[string]struct {
		key   ed25519.PublicKey
		valid bool
	}{
		"the broker's key": {m.public(), true},
		"another key":      {testKey(2).Public().(ed25519.PublicKey), false},
	} {
		v, err := agentwrit.NewOfflineVerifier("http://127.0.0.1:1", agentwrit.WithClock(m.clock),
			agentwrit.WithKeys(agentwrit.Keys{wire.Thumbprint(tt.key): tt.key}))
		if err != nil {
			t.Fatal(err)
		}
		_, err = v.Validate(t.Context(), token)
		if tt.valid && err != nil || !tt.valid && !errors.Is(err, agentwrit.ErrTokenInvalid) {
			t.Errorf("%s: %v, want valid %v", name, err, tt.valid)
		}
	}
}

// WithIssuer and WithAudience hold for every way to validate.
func TestRequiredIssuerAndAudience(t *testing.T) {
	m := newMint(t)
	for _, tt := range []struct {
		name  string
		opts  []agentwrit.Option
		valid bool
	}{
		{"nothing required", nil, true},
		{"its issuer", []agentwrit.Option{agentwrit.WithIssuer("agentwrit")}, true},
		{"its audience", []agentwrit.Option{agentwrit.WithAudience("records")}, true},
		{"its second audience", []agentwrit.Option{agentwrit.WithAudience("labs")}, true},
		{"both", []agentwrit.Option{agentwrit.WithIssuer("agentwrit"), agentwrit.WithAudience("records")}, true},

		{"another issuer", []agentwrit.Option{agentwrit.WithIssuer("other")}, false},
		{"a longer issuer", []agentwrit.Option{agentwrit.WithIssuer("agentwrit2")}, false},
		{"another audience", []agentwrit.Option{agentwrit.WithAudience("billing")}, false},
		{"part of an audience", []agentwrit.Option{agentwrit.WithAudience("record")}, false},
		{"another audience, its issuer", []agentwrit.Option{agentwrit.WithIssuer("agentwrit"), agentwrit.WithAudience("billing")}, false},
		{"another issuer, its audience", []agentwrit.Option{agentwrit.WithIssuer("other"), agentwrit.WithAudience("records")}, false},
	} {
		claims := m.claims()
		claims.Audience = agentwrit.Audience{"records", "labs"}
		token := m.token(t, m.header(), claims)
		response, err := json.Marshal(wire.ValidateResponse{Valid: true, Claims: claims})
		if err != nil {
			t.Fatal(err)
		}
		online := server(t, answer(200, "application/json", string(response)))
		opts := append(tt.opts, agentwrit.WithClock(m.clock))
		offline, err := agentwrit.NewOfflineVerifier(m.url, opts...)
		if err != nil {
			t.Fatal(err)
		}
		validator, err := agentwrit.NewValidator(online, opts...)
		if err != nil {
			t.Fatal(err)
		}
		app, err := agentwrit.NewApp(online, "id", "secret", opts...)
		if err != nil {
			t.Fatal(err)
		}
		for name, v := range map[string]agentwrit.TokenValidator{"offline": offline, "validator": validator, "app": app} {
			got, err := v.Validate(t.Context(), token)
			if tt.valid && err != nil || !tt.valid && (!errors.Is(err, agentwrit.ErrTokenInvalid) || got != nil) {
				t.Errorf("%s, %s: %v, want valid %v", tt.name, name, err, tt.valid)
			}
			w := httptest.NewRecorder()
			agentwrit.RequireScope(v, "read:data:a")(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, withBearer(token))
			if (w.Code == 200) != tt.valid {
				t.Errorf("%s, RequireScope with %s: %d", tt.name, name, w.Code)
			}
		}
	}
	claims := m.claims()
	claims.Audience = nil
	v, err := agentwrit.NewOfflineVerifier(m.url, agentwrit.WithClock(m.clock), agentwrit.WithAudience("records"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Validate(t.Context(), m.token(t, m.header(), claims)); !errors.Is(err, agentwrit.ErrTokenInvalid) {
		t.Errorf("a token without audience: %v, want ErrTokenInvalid", err)
	}
}
