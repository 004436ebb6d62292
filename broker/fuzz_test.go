package broker

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/broker/internal/nonce"
	"github.com/devonartis/medassist-go/broker/internal/store"
)

// bodied are the endpoints that read a body, or could.
var bodied = []string{
	"POST /v1/register", "POST /v1/token/validate", "POST /v1/token/renew", "POST /v1/token/release", "POST /v1/delegate",
	"POST /v1/admin/auth", "POST /v1/admin/launch-tokens", "POST /v1/admin/apps", "PUT /v1/admin/apps/app-1",
	"DELETE /v1/admin/apps/app-2", "POST /v1/app/auth", "POST /v1/app/launch-tokens", "POST /v1/revoke",
}

// standings are the possible callers: no token, the admin, an app, an agent.
var standings = []grant{
	{},
	{subject: adminSubject, scope: adminScopes},
	{subject: appSubject + "app-1", scope: appScopes},
	{subject: "spiffe://agentwrit.local/agent/o/t/0123456789abcdef", scope: []string{"read:data:x"}, taskID: "t", orchID: "o"},
}

// FuzzRequests sends any body to any endpoint, with any standing. Whatever it
// is, the answer is one of the protocol's, never a fault of ours; and a request
// that is refused for its form (400, 413) leaves no trace.
func FuzzRequests(f *testing.F) {
	b, err := Open(context.Background(), quick)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { b.Close() })
	challenge := b.nonces.New(b.now())
	launch := store.LaunchToken{Hash: hashLaunchToken(strings.Repeat("ab", 32)), AgentName: "a", Scope: []string{"read:data:x"},
		MaxTTL: time.Minute, ExpiresAt: b.now().Add(maxTTL)}
	err = b.writer.write(context.Background(), func(c *change) error {
		if err := c.putApp(&store.App{ID: "app-1", Name: "one", ClientID: "client-1", SecretHash: []byte{}, Scopes: []string{"read:data:*"}, TokenTTL: maxTTL}); err != nil {
			return err
		}
		if err := c.tx.InsertAgent(store.Agent{ID: standings[3].subject, PublicKey: []byte{}, ExpiresAt: c.now.Add(maxTTL)}); err != nil {
			return err
		}
		return c.tx.InsertLaunchToken(launch)
	})
	if err != nil {
		f.Fatal(err)
	}

	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	raw, _ := nonce.Parse(challenge)
	registration := wire.RegisterRequest{
		LaunchToken: strings.Repeat("ab", 32), Nonce: challenge, OrchID: "../o", TaskID: "t", RequestedScope: []string{"read:data:x"},
		PublicKey: base64.StdEncoding.EncodeToString(key.Public().(ed25519.PublicKey)),
		Signature: base64.StdEncoding.EncodeToString(ed25519.Sign(key, raw[:])),
	}
	for endpoint := range bodied {
		for standing := range standings {
			for _, body := range []any{registration, map[string]any{}, []int{1}, nil, "x",
				wire.ValidateRequest{Token: "x.y.z\n"},
				wire.DelegateRequest{DelegateTo: standings[3].subject, Scope: []string{"read:data:x"}, TTL: -1},
				wire.RevokeRequest{Level: wire.RevokeTask, Target: "t 1"},
				wire.LaunchTokenRequest{AgentName: "a|b\n", AllowedScope: []string{"read:data:x"}},
				wire.UpdateAppRequest{Scopes: []string{"admin:x:y"}},
			} {
				text, err := json.Marshal(body)
				if err != nil {
					f.Fatal(err)
				}
				f.Add(uint8(endpoint), uint8(standing), text)
			}
		}
	}
	f.Add(uint8(0), uint8(0), []byte(`{"launch_token":`+strings.Repeat("[", 20_000)))

	f.Fuzz(func(t *testing.T, endpoint, standing uint8, body []byte) {
		if len(body) > 1<<16 || strings.Contains(string(body), "client_secret") {
			return // a bcrypt each
		}
		method, path, _ := strings.Cut(bodied[int(endpoint)%len(bodied)], " ")
		r := httptest.NewRequest(method, path, strings.NewReader(string(body)))
		if g := standings[int(standing)%len(standings)]; g.subject != "" {
			r.Header.Set("Authorization", "Bearer "+tokenFor(t, b, g))
		}
		type footprint struct {
			events         int64
			spent, revoked int
		}
		look := func() footprint { return footprint{b.audit.head().Size, b.nonces.Len(), b.revoked.Len()} }
		before := look()
		w := httptest.NewRecorder()
		b.Handler().ServeHTTP(w, r)

		if w.Code >= 500 || w.Code < 200 {
			t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
		}
		if w.Code >= 400 {
			var p wire.Problem
			if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Status != w.Code || p.ErrorCode.Status() != w.Code {
				t.Errorf("%s %s: %d is no problem document: %s", method, path, w.Code, w.Body)
			}
		}
		if w.Code == http.StatusBadRequest || w.Code == http.StatusRequestEntityTooLarge {
			if after := look(); after != before {
				t.Errorf("%s %s: a bad request changed %+v to %+v", method, path, before, after)
			}
		}
	})
}

// tokenFor issues a token as a login or a registration would.
func tokenFor(t *testing.T, b *Broker, g grant) string {
	t.Helper()
	g.ttl = time.Minute
	var claims *wire.Claims
	err := b.writer.write(t.Context(), func(c *change) (err error) {
		claims, err = c.issue(g)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := b.signer.Sign(claims)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// FuzzAuditQuery checks that any audit query is answered with a page or 400.
func FuzzAuditQuery(f *testing.F) {
	b, err := Open(context.Background(), quick)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { b.Close() })
	for _, query := range []string{
		"", "limit=1&offset=1", "limit=-1", "limit=1001", "limit=%00", "since=2026-05-04T09:00:00Z", "until=2026-05-04T09:00:00.5%2B02:00",
		"since=0000-01-01T00:00:00Z", "agent_id=admin&outcome=denied", "task_id=%27%20OR%201%3D1", "event_type=" + strings.Repeat("x", 300),
		"limit=1;offset=2", "%zz", "a=b=c&&&",
	} {
		f.Add(query)
	}
	f.Fuzz(func(t *testing.T, query string) {
		r := httptest.NewRequest("GET", "/v1/audit/events", nil)
		r.URL.RawQuery = query
		r.Header.Set("Authorization", "Bearer "+tokenFor(t, b, standings[1]))
		w := httptest.NewRecorder()
		b.Handler().ServeHTTP(w, r)
		switch w.Code {
		case http.StatusBadRequest:
		case http.StatusOK:
			var page wire.AuditPage
			if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil || page.Events == nil ||
				page.Limit < 1 || page.Limit > wire.MaxAuditPage || page.Offset < 0 || len(page.Events) > page.Limit {
				t.Errorf("%q: %v, %s", query, err, w.Body)
			}
		default:
			t.Errorf("%q: %d %s", query, w.Code, w.Body)
		}
	})
}

// FuzzEscape checks that escaped text contains nothing that could end a field or a
// line, and stays bounded.
func FuzzEscape(f *testing.F) {
	for _, s := range []string{"", "plain", "a|b", "\\|", "\r\n", "\xff\xfe", "日本\u2028", strings.Repeat("é|", 2000)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := escape(s)
		if strings.ContainsRune(got, '|') || strings.IndexFunc(got, unicode.IsControl) >= 0 || !utf8.ValidString(got) {
			t.Errorf("escape(%q) = %q", s, got)
		}
		if len(got) > 10*maxAuditField {
			t.Errorf("%d bytes of %d", len(got), len(s))
		}
		if s != got && escape(got) == got && !strings.Contains(got, "…") && utf8.ValidString(s) {
			t.Errorf("escape(%q) = %q can't be told from the same text unescaped", s, got)
		}
	})
}

// FuzzQuote checks that quoted text can't end its quotes, wherever it stands in a
// detail, and that different texts are quoted differently.
func FuzzQuote(f *testing.F) {
	for _, s := range []string{"", "plain", `a" registered scope=[x]`, `\u{22}`, "\r\n|", "\xff", "日本\u2028"} {
		f.Add(s, s+"x")
	}
	f.Fuzz(func(t *testing.T, s, other string) {
		got := auditSafe(wire.AuditEvent{Detail: quote(s)}).Detail
		inner := strings.TrimSuffix(strings.TrimPrefix(got, `"`), `"`)
		if len(got) != len(inner)+2 || strings.ContainsAny(inner, "\"|\n\r") || !utf8.ValidString(got) {
			t.Errorf("quote(%q) = %s", s, got)
		}
		if len(s) <= maxAuditField && len(other) <= maxAuditField && utf8.ValidString(s) && utf8.ValidString(other) &&
			s != other && got == auditSafe(wire.AuditEvent{Detail: quote(other)}).Detail {
			t.Errorf("%q and %q are both quoted as %s", s, other, got)
		}
	})
}
