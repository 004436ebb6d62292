package agentwrit

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/internal/random"
)

// A TokenValidator resolves a token to its claims. [App] and [Validator] ask the
// broker; an [OfflineVerifier] checks signatures.
type TokenValidator interface {
	// Validate returns the claims of a valid token. It fails with
	// ErrTokenInvalid if the token is not valid, and with any other error if
	// that can't be determined.
	Validate(ctx context.Context, token string) (*Claims, error)
}

var (
	_ TokenValidator = (*App)(nil)
	_ TokenValidator = (*Validator)(nil)
)

// ScopesOf returns the scopes that a request requires. If it fails, the request
// is refused with status 400 and the text of the error.
type ScopesOf func(*http.Request) ([]string, error)

// RequireScope returns middleware that passes a request on if its bearer token
// is valid, as reported by v, and covers the scopes. It refuses any other
// request with a problem document: 401 without a valid token, 403 with a
// [Denial] if scopes are missing, and 503 if v can't determine whether the
// token is valid. Without scopes it refuses every request.
func RequireScope(v TokenValidator, scopes ...string) func(http.Handler) http.Handler {
	return RequireScopeFunc(v, func(*http.Request) ([]string, error) { return scopes, nil })
}

// RequireScopeFunc is like [RequireScope] for scopes that depend on the request.
func RequireScopeFunc(v TokenValidator, scopesOf ScopesOf) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			claims, denial := authorize(v, scopesOf, r)
			if denial != nil {
				denial.write(w, r)
				return
			}
			next.ServeHTTP(w, r.WithContext(ContextWithClaims(r.Context(), claims)))
		})
	}
}

type claimsKey struct{}

// ClaimsFrom returns the claims of the token that [RequireScope] accepted.
func ClaimsFrom(ctx context.Context) (*Claims, bool) {
	c, ok := ctx.Value(claimsKey{}).(*Claims)
	return c, ok
}

// ContextWithClaims returns a context from which [ClaimsFrom] returns c. With it a
// test can call a handler that [RequireScope] protects in production.
func ContextWithClaims(ctx context.Context, c *Claims) context.Context {
	return context.WithValue(ctx, claimsKey{}, c)
}

// A Denial is the body with which [RequireScope] refuses a request: a problem
// document (RFC 7807) and, if the token's scopes don't suffice, the scopes that
// were compared.
type Denial struct {
	wire.Problem
	RequiredScope []string `json:"required_scope,omitempty"`
	HeldScope     []string `json:"held_scope,omitempty"`
	MissingScope  []string `json:"missing_scope,omitempty"`
}

// authorize authenticates the caller and checks its scope.
func authorize(v TokenValidator, scopesOf ScopesOf, r *http.Request) (*Claims, *Denial) {
	required, err := scopesOf(r)
	if err != nil {
		return nil, deny(CodeInvalidRequest, err.Error())
	}
	token, detail := bearer(r)
	if detail != "" {
		return nil, deny(CodeUnauthorized, detail)
	}
	claims, err := v.Validate(r.Context(), token)
	switch {
	case errors.Is(err, ErrTokenInvalid):
		return nil, deny(CodeUnauthorized, "token verification failed")
	case err != nil:
		return nil, deny(CodeUnavailable, "the token can't be verified at the moment")
	}
	missing := MissingScopes(required, claims.Scope)
	if len(required) == 0 || len(missing) > 0 {
		d := deny(CodeInsufficientScope, "token lacks required scope: "+strings.Join(missing, " "))
		d.RequiredScope, d.HeldScope, d.MissingScope = required, claims.Scope, missing
		return nil, d
	}
	return claims, nil
}

// bearer returns the request's bearer token, or the reason why there is none.
// Two Authorization headers are refused, because another server on the way may
// have checked the one that is not used here.
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

func deny(code Code, detail string) *Denial {
	return &Denial{Problem: wire.NewProblem(code, detail, "", "")}
}

func (d *Denial) write(w http.ResponseWriter, r *http.Request) {
	d.Instance, d.RequestID = r.URL.Path, random.Hex(8)
	h := w.Header()
	h.Set("Content-Type", wire.ProblemContentType)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Request-ID", d.RequestID)
	if d.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", "Bearer")
	}
	w.WriteHeader(d.Status)
	_ = json.NewEncoder(w).Encode(d) // an error means that the client is gone
}
