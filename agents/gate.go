package agents

import (
	"context"
	"errors"

	"github.com/devonartis/medassist-go/agentwrit"
)

// verdict is the gate's decision about one call.
type verdict struct {
	required []string
	held     []string // the scopes in the broker's response
	missing  []string
	rejected string // why the broker does not accept the token; empty if it does
	tokenID  string // "jti" in the broker's response
}

// allowed reports whether the call may be made. A call that requires nothing is
// not allowed: no tool is open to every token.
func (v verdict) allowed() bool {
	return v.rejected == "" && len(v.required) > 0 && len(v.missing) == 0
}

// checkToken is the gate: no tool call is made without its consent. It asks the
// broker about the token and compares the required scopes with the claims in the
// response, never with what was requested or granted earlier. An error means that
// the broker could not be asked, and that the call must not be made.
func checkToken(ctx context.Context, b Broker, token string, required []string) (verdict, error) {
	v := verdict{required: required}
	claims, err := b.Validate(ctx, token)
	switch {
	case errors.Is(err, agentwrit.ErrTokenInvalid):
		v.rejected = describeBrokerError(err).reason
		return v, nil
	case err != nil:
		return verdict{}, err
	}
	v.held, v.tokenID = claims.Scope, claims.ID
	v.missing = agentwrit.MissingScopes(required, claims.Scope)
	return v, nil
}
