package agentwrit

import (
	"context"

	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/internal/text"
)

// Validator asks a broker about tokens. It needs no credential of its own.
type Validator struct{ client *client }

// NewValidator makes a Validator for the broker at an address.
func NewValidator(brokerURL string, opts ...Option) (*Validator, error) {
	c, err := newClient(brokerURL, opts)
	if err != nil {
		return nil, err
	}
	return &Validator{c}, nil
}

// Validate asks the broker whether a token is alive, and what it holds. It
// fails with [ErrTokenInvalid] when the broker says that it is not; any other
// error means that nobody knows, and the token must not be accepted.
func (v *Validator) Validate(ctx context.Context, token string) (*Claims, error) {
	return v.client.validate(ctx, token)
}

// Health asks the broker how it is.
func (v *Validator) Health(ctx context.Context) (*Health, error) { return v.client.health(ctx) }

// Validate asks the broker at an address about one token. Who asks often makes
// a [Validator].
func Validate(ctx context.Context, brokerURL, token string, opts ...Option) (*Claims, error) {
	v, err := NewValidator(brokerURL, opts...)
	if err != nil {
		return nil, err
	}
	return v.Validate(ctx, token)
}

func (c *client) validate(ctx context.Context, token string) (*Claims, error) {
	if token == "" {
		return nil, &Error{Op: "validate token", Kind: ErrTokenInvalid}
	}
	var out wire.ValidateResponse
	if err := c.do(ctx, call{op: "validate token", method: "POST", path: "/v1/token/validate",
		in: wire.ValidateRequest{Token: token}, out: &out, safe: true}); err != nil {
		return nil, err
	}
	if !out.Valid {
		return nil, &Error{Op: "validate token", Kind: ErrTokenInvalid, Detail: text.Clip(out.Error, maxDetail)}
	}
	if out.Claims == nil {
		return nil, &Error{Op: "validate token", Kind: ErrProtocol, Detail: "the broker called a token valid without its claims"}
	}
	return out.Claims, nil
}

func (c *client) health(ctx context.Context) (*Health, error) {
	var h Health
	if err := c.do(ctx, call{op: "health", method: "GET", path: "/v1/health", out: &h, safe: true}); err != nil {
		return nil, err
	}
	return &h, nil
}
