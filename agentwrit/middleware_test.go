package agentwrit_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/agentwrit/brokertest"
)

func TestRequireScope(t *testing.T) { brokertest.Each(t, testRequireScope) }

func testRequireScope(t *testing.T, b *brokertest.Broker) {
	app := b.App(t, "read:data:*", "write:data:*")
	reader, writer := createAgent(t, app, "read:data:a"), createAgent(t, app, "write:data:a", "read:data:b")
	released := createAgent(t, app, "read:data:a")
	if err := released.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	api := agentwrit.RequireScope(app, "read:data:a")(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		claims, _ := agentwrit.ClaimsFrom(r.Context())
		io.WriteString(w, claims.Subject)
	}))
	for _, tt := range []struct {
		name    string
		headers []string
		status  int
	}{
		{"scope held", []string{reader.BearerHeader()}, 200},
		{"scheme in lower case", []string{"bearer " + reader.AccessToken()}, 200},

		{"other scopes held", []string{writer.BearerHeader()}, 403},
		{"no header", nil, 401},
		{"two headers", []string{reader.BearerHeader(), reader.BearerHeader()}, 401},
		{"a second header of another scheme", []string{reader.BearerHeader(), "Basic eA=="}, 401},
		{"two tokens in one header", []string{reader.BearerHeader() + ", " + reader.BearerHeader()}, 401},
		{"another scheme", []string{"Basic " + reader.AccessToken()}, 401},
		{"scheme alone", []string{"Bearer"}, 401},
		{"no token", []string{"Bearer "}, 401},
		{"token alone", []string{reader.AccessToken()}, 401},
		{"garbage", []string{"Bearer garbage"}, 401},
		{"released token", []string{released.BearerHeader()}, 401},
	} {
		r := httptest.NewRequest("GET", "/x", nil)
		r.Header["Authorization"] = tt.headers
		w := httptest.NewRecorder()
		api.ServeHTTP(w, r)
		body := w.Body.Bytes()
		if w.Code != tt.status {
			t.Errorf("%s: %d %s, want %d", tt.name, w.Code, body, tt.status)
		}
		if tt.status == 200 {
			if string(body) != reader.ID() {
				t.Errorf("%s: claims of %s, want %s", tt.name, body, reader.ID())
			}
			continue
		}
		var d agentwrit.Denial
		if err := json.Unmarshal(body, &d); err != nil || d.Status != tt.status || d.Instance != "/x" ||
			d.RequestID == "" || d.RequestID != w.Header().Get("X-Request-ID") ||
			w.Header().Get("Content-Type") != "application/problem+json" || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: not a problem document: %v %s", tt.name, w.Header(), body)
		}
		if got := w.Header().Get("WWW-Authenticate"); (got == "Bearer") != (tt.status == 401) {
			t.Errorf("%s: WWW-Authenticate %q", tt.name, got)
		}
		if tt.status == 403 && (!slices.Equal(d.RequiredScope, []string{"read:data:a"}) ||
			!slices.Equal(d.MissingScope, []string{"read:data:a"}) || !slices.Equal(d.HeldScope, writer.Scope())) {
			t.Errorf("%s: %s, want required, held and missing scopes", tt.name, body)
		}
	}
}

// Every scope is required, not one of them.
func TestRequireScopeRequiresAll(t *testing.T) {
	claims := &agentwrit.Claims{Scope: []string{"read:data:a"}}
	for _, tt := range []struct {
		required []string
		status   int
	}{
		{[]string{"read:data:a"}, 200},
		{[]string{"read:data:a", "write:data:a"}, 403},
		{[]string{"write:data:a", "read:data:a"}, 403},
		{[]string{"read:data:*"}, 403},
		{[]string{"read:data"}, 403},
		{[]string{""}, 403},
		{nil, 403},
	} {
		w := httptest.NewRecorder()
		agentwrit.RequireScope(fixed{claims, nil}, tt.required...)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).
			ServeHTTP(w, withBearer("token"))
		if w.Code != tt.status {
			t.Errorf("required %q: %d, want %d", tt.required, w.Code, tt.status)
		}
	}
}

// If the validator fails, nothing is required, or the request can't be
// understood, the request is refused.
func TestRequireScopeFailsClosed(t *testing.T) {
	unreachable, err := agentwrit.NewValidator("http://127.0.0.1:1", agentwrit.WithTimeout(200*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	valid := fixed{&agentwrit.Claims{Scope: []string{"read:data:a"}}, nil}
	scopes := func(s ...string) agentwrit.ScopesOf { return func(*http.Request) ([]string, error) { return s, nil } }
	bad := func(*http.Request) ([]string, error) { return []string{"read:data:a"}, errors.New("no such patient") }
	for name, tt := range map[string]struct {
		v      agentwrit.TokenValidator
		of     agentwrit.ScopesOf
		status int
	}{
		"broker unreachable":      {unreachable, scopes("read:data:a"), 503},
		"validator fails":         {fixed{nil, errors.New("x")}, scopes("read:data:a"), 503},
		"claims beside a failure": {fixed{valid.claims, errors.New("x")}, scopes("read:data:a"), 503},
		"claims of an invalid":    {fixed{valid.claims, agentwrit.ErrTokenInvalid}, scopes("read:data:a"), 401},
		"nothing required":        {valid, scopes(), 403},
		"request not understood":  {valid, bad, 400},
	} {
		w := httptest.NewRecorder()
		agentwrit.RequireScopeFunc(tt.v, tt.of)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			t.Errorf("%s: request passed", name)
		})).ServeHTTP(w, withBearer("token"))
		if w.Code != tt.status {
			t.Errorf("%s: %d, want %d", name, w.Code, tt.status)
		}
	}
}

func TestContextWithClaims(t *testing.T) {
	if _, ok := agentwrit.ClaimsFrom(t.Context()); ok {
		t.Error("claims without middleware")
	}
	want := &agentwrit.Claims{Subject: "x"}
	if got, ok := agentwrit.ClaimsFrom(agentwrit.ContextWithClaims(t.Context(), want)); !ok || got != want {
		t.Errorf("ClaimsFrom = %v, %v", got, ok)
	}
}

// fixed is a TokenValidator that always gives the same answer.
type fixed struct {
	claims *agentwrit.Claims
	err    error
}

func (f fixed) Validate(context.Context, string) (*agentwrit.Claims, error) { return f.claims, f.err }

func withBearer(token string) *http.Request {
	r := httptest.NewRequest("GET", "/x", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	return r
}
