package wire

import (
	"errors"
	"fmt"
	"strings"
)

// Limits on scopes (docs/protocol.md, "Common rules").
const (
	MaxScopeLength = 256 // bytes of one scope
	MaxScopes      = 64  // scopes in one request
)

// Wildcard is the identifier that covers every identifier. It is a wildcard
// only as the whole identifier of a held scope.
const Wildcard = "*"

// ErrScopeFormat is wrapped by every error of [ParseScope].
var ErrScopeFormat = errors.New("invalid scope format: use action:resource:identifier")

// A Scope is one permission, written action:resource:identifier.
type Scope struct {
	Action     string
	Resource   string
	Identifier string // a name, which may hold further colons, or [Wildcard]
}

// ParseScope parses a scope of at most [MaxScopeLength] bytes. Its three parts
// are non-empty and consist of ASCII letters, digits and the characters
// "._@/+~-". The identifier may also hold colons, each between two such
// characters, as in read:data:acme:reports. "*" is allowed only as the whole
// identifier.
func ParseScope(s string) (Scope, error) {
	if len(s) > MaxScopeLength {
		return Scope{}, fmt.Errorf("%w; at most %d characters", ErrScopeFormat, MaxScopeLength)
	}
	parts := strings.SplitN(s, ":", 3)
	if len(parts) != 3 {
		return Scope{}, ErrScopeFormat
	}
	sc := Scope{Action: parts[0], Resource: parts[1], Identifier: parts[2]}
	if !isScopePart(sc.Action) || !isScopePart(sc.Resource) {
		return Scope{}, ErrScopeFormat
	}
	if sc.Identifier == Wildcard {
		return sc, nil
	}
	for name := range strings.SplitSeq(sc.Identifier, ":") {
		if !isScopePart(name) {
			return Scope{}, ErrScopeFormat
		}
	}
	return sc, nil
}

// ParseScopes parses at most [MaxScopes] scopes. It fails if any of them is
// malformed.
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

// String returns the scope in its wire form.
func (s Scope) String() string {
	return s.Action + ":" + s.Resource + ":" + s.Identifier
}

// Covers reports whether a token that holds s may do what want names: both have
// the same action and resource, and s has the same identifier or [Wildcard].
func (s Scope) Covers(want Scope) bool {
	return s.Action == want.Action && s.Resource == want.Resource &&
		(s.Identifier == want.Identifier || s.Identifier == Wildcard)
}

// Covered reports whether each wanted scope is covered by a held one. A
// malformed scope covers nothing and is covered by nothing.
func Covered(want, held []string) bool {
	return len(Missing(want, held)) == 0
}

// Missing returns the wanted scopes that no held scope covers, in the order in
// which they were given.
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

// isScopePart reports whether s can be an action, a resource, or one of the
// colon-separated names of an identifier.
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
