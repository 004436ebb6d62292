package wire

import (
	"errors"
	"fmt"
	"strings"
)

// Limits on scopes (WIRE.md, "Where ours is stricter").
const (
	MaxScopeLength = 256 // bytes of one scope
	MaxScopes      = 64  // scopes in one request
)

// Wildcard stands for every identifier, and only as the whole identifier of
// an allowed scope.
const Wildcard = "*"

// ErrScopeFormat is wrapped by every error of [ParseScope].
var ErrScopeFormat = errors.New("invalid scope format: use action:resource:identifier")

// Scope is one permission, written action:resource:identifier.
type Scope struct {
	Action     string
	Resource   string
	Identifier string // a name, or [Wildcard]
}

// ParseScope reads a scope: three non-empty parts of letters, digits and
// ". _ @ / + ~ -", at most [MaxScopeLength] bytes; "*" is allowed only as the
// whole identifier.
func ParseScope(s string) (Scope, error) {
	if len(s) > MaxScopeLength {
		return Scope{}, fmt.Errorf("%w; at most %d characters", ErrScopeFormat, MaxScopeLength)
	}
	parts := strings.Split(s, ":")
	if len(parts) != 3 {
		return Scope{}, ErrScopeFormat
	}
	sc := Scope{Action: parts[0], Resource: parts[1], Identifier: parts[2]}
	if !isScopePart(sc.Action) || !isScopePart(sc.Resource) {
		return Scope{}, ErrScopeFormat
	}
	if sc.Identifier != Wildcard && !isScopePart(sc.Identifier) {
		return Scope{}, ErrScopeFormat
	}
	return sc, nil
}

// ParseScopes reads a set of at most [MaxScopes] scopes; one bad scope fails
// the whole set.
func ParseScopes(ss []string) ([]Scope, error) {
	if len(ss) > MaxScopes {
		return nil, fmt.Errorf("%w; at most %d scopes", ErrScopeFormat, MaxScopes)
	}
	out := make([]Scope, len(ss))
	for i, s := range ss {
		sc, err := ParseScope(s)
		if err != nil {
			return nil, err
		}
		out[i] = sc
	}
	return out, nil
}

// String is the scope as it is written on the wire.
func (s Scope) String() string {
	return s.Action + ":" + s.Resource + ":" + s.Identifier
}

// Covers reports whether holding s allows want: same action, same resource,
// and the same identifier or a wildcard in s.
func (s Scope) Covers(want Scope) bool {
	return s.Action == want.Action && s.Resource == want.Resource &&
		(s.Identifier == want.Identifier || s.Identifier == Wildcard)
}

// Covered reports whether every wanted scope is covered by a held one. A
// malformed scope on either side covers nothing and is covered by nothing.
func Covered(want, held []string) bool {
	return len(Missing(want, held)) == 0
}

// Missing returns the wanted scopes that no held scope covers, in order.
func Missing(want, held []string) []string {
	allowed := make([]Scope, 0, len(held))
	for _, h := range held {
		if sc, err := ParseScope(h); err == nil {
			allowed = append(allowed, sc)
		}
	}
	var missing []string
next:
	for _, w := range want {
		if sc, err := ParseScope(w); err == nil {
			for _, a := range allowed {
				if a.Covers(sc) {
					continue next
				}
			}
		}
		missing = append(missing, w)
	}
	return missing
}

func isScopePart(s string) bool {
	if s == "" {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case strings.IndexByte("._@/+~-", c) >= 0:
		default:
			return false
		}
	}
	return true
}
