package agents

import (
	"context"
	"errors"

	"github.com/devonartis/medassist-go/agentwrit"
)

// verdict is the gate's decision about one call.
type verdict struct {
	required []string
	held     []string // by the broker's word, now
	missing  []string
	dead     string // why the token is not accepted; empty if it is
}

// allowed reports whether the call may be made.
func (v verdict) allowed() bool {
	return v.dead == "" && len(v.required) > 0 && len(v.missing) == 0
}

// checkToken is the gate, the one place that lets a tool call pass. It asks the
// broker about the token at this moment and compares what the call requires
// with the claims in the answer, never with what was once asked for or granted.
// An error means that the broker could not be asked, and that the call must not
// be made.
func checkToken(ctx context.Context, b Broker, token string, required []string) (verdict, error) {
	v := verdict{required: required}
	claims, err := b.Validate(ctx, token)
	switch {
	case errors.Is(err, agentwrit.ErrTokenInvalid):
		v.dead, _, _ = brokerWords(err)
		return v, nil
	case err != nil:
		return verdict{}, err
	}
	v.held = claims.Scope
	v.missing = agentwrit.MissingScopes(required, claims.Scope)
	return v, nil
}
