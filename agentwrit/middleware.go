package agentwrit

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/devonartis/medassist-go/agentwrit/wire"
)

// TokenValidator is whoever can say what a token holds: an [App] or a
// [Validator], which ask the broker.
type TokenValidator interface {
	// Validate returns a live token's claims. ErrTokenInvalid says that it is
	// not alive, any other error that nobody knows.
	Validate(ctx context.Context, token string) (*Claims, error)
}

var (
	_ TokenValidator = (*App)(nil)
	_ TokenValidator = (*Validator)(nil)
)

// ScopesOf says what a request requires; an error refuses the request with 400
// and its text.
type ScopesOf func(*http.Request) ([]string, error)

// RequireScope lets a request through when its bearer token is alive, by v's
// word at this moment, and covers the scopes. Anything else is refused with a
// problem document: 401 without a live token, 403 with required_scope,
// held_scope and missing_scope, 503 when v can't tell. Requiring no scope at
// all is refused too.
func RequireScope(v TokenValidator, scopes ...string) func(http.Handler) http.Handler {
	return RequireScopeFunc(v, func(*http.Request) ([]string, error) { return scopes, nil })
}

// RequireScopeFunc is [RequireScope] for scopes that depend on the request.
func RequireScopeFunc(v TokenValidator, scopesOf ScopesOf) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			claims, denial := authorize(v, scopesOf, r)
			if denial != nil {
				denial.write(w, r)
				return
			}
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), claimsKey{}, claims)))
		})
	}
}

type claimsKey struct{}

// ClaimsFrom returns the claims of the token that [RequireScope] let through.
func ClaimsFrom(ctx context.Context) (*Claims, bool) {
	c, ok := ctx.Value(claimsKey{}).(*Claims)
	return c, ok
}

// Denial is a refusal of [RequireScope] as a client reads it: a problem
// document, and which scopes were compared.
type Denial struct {
	wire.Problem
	RequiredScope []string `json:"required_scope,omitempty"`
	HeldScope     []string `json:"held_scope,omitempty"`
	MissingScope  []string `json:"missing_scope,omitempty"`
}

// authorize is the one place that decides.
func authorize(v TokenValidator, scopesOf ScopesOf, r *http.Request) (*Claims, *Denial) {
	required, err := scopesOf(r)
	if err != nil {
		return nil, deny(wire.CodeInvalidRequest, err.Error())
	}
	token, detail := bearer(r)
	if detail != "" {
		return nil, deny(wire.CodeUnauthorized, detail)
	}
	claims, err := v.Validate(r.Context(), token)
	switch {
	case errors.Is(err, ErrTokenInvalid):
		return nil, deny(wire.CodeUnauthorized, "token verification failed")
	case err != nil:
		return nil, deny(wire.CodeUnavailable, "the broker can't be asked about the token")
	}
	missing := MissingScopes(required, claims.Scope)
	if len(required) == 0 || len(missing) > 0 {
		d := deny(wire.CodeInsufficientScope, "token lacks required scope: "+strings.Join(missing, " "))
		d.RequiredScope, d.HeldScope, d.MissingScope = required, claims.Scope, missing
		return nil, d
	}
	return claims, nil
}

func bearer(r *http.Request) (token, problem string) {
	header := r.Header.Values("Authorization")
	if len(header) == 0 {
		return "", "missing authorization header"
	}
	scheme, token, ok := strings.Cut(header[0], " ")
	if len(header) > 1 || !ok || !strings.EqualFold(scheme, "Bearer") || token == "" {
		return "", "invalid authorization scheme"
	}
	return token, ""
}

func deny(code wire.Code, detail string) *Denial {
	return &Denial{Problem: wire.NewProblem(code, detail, "", "")}
}

func (d *Denial) write(w http.ResponseWriter, r *http.Request) {
	id := make([]byte, 8)
	rand.Read(id) // never fails
	d.Instance, d.RequestID = r.URL.Path, hex.EncodeToString(id)
	h := w.Header()
	h.Set("Content-Type", wire.ProblemContentType)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Request-ID", d.RequestID)
	if d.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", "Bearer")
	}
	w.WriteHeader(d.Status)
	json.NewEncoder(w).Encode(d) // a client that is gone needs no answer
}
