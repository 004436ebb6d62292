package agentwrit

import (
	"context"
	"slices"

	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/internal/text"
)

// A Validator asks a broker whether tokens are valid. It needs no credential.
type Validator struct{ client *client }

// NewValidator returns a Validator for the broker at brokerURL. It sends
// nothing.
func NewValidator(brokerURL string, opts ...Option) (*Validator, error) {
	c, err := newClient(brokerURL, opts)
	if err != nil {
		return nil, err
	}
	return &Validator{c}, nil
}

// Validate asks the broker whether a token is valid and returns its claims. It
// fails with [ErrTokenInvalid] if the broker reports the token as invalid; the
// error also wraps [ErrExpired] or [ErrNotYetValid] if time may be the reason. Any
// other error means that the token's state is unknown; do not accept it.
func (v *Validator) Validate(ctx context.Context, token string) (*Claims, error) {
	return v.client.validate(ctx, token)
}

// Health returns the broker's report about itself.
func (v *Validator) Health(ctx context.Context) (*Health, error) { return v.client.health(ctx) }

// Keys returns the keys that the broker currently serves, or those given by
// [WithKeys]. It fails with [ErrNotServed] if the broker serves none.
func (v *Validator) Keys(ctx context.Context) (Keys, error) { return v.client.keys(ctx) }

// Checkpoint returns the signed head of the broker's audit log, both as the
// note to save and decoded. Its signature is verified with [Validator.Keys]. It
// fails with [ErrNotServed] if the broker serves no checkpoints.
func (v *Validator) Checkpoint(ctx context.Context) (note []byte, c Checkpoint, err error) {
	return v.client.checkpoint(ctx)
}

// Validate asks the broker at brokerURL whether one token is valid; see
// [Validator.Validate]. To validate several, create a [Validator].
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
		return nil, &Error{Op: "validate token", Kind: ErrTokenInvalid, Detail: text.Clip(out.Error, maxDetail), cause: c.outsideValidity(token)}
	}
	if out.Claims == nil {
		return nil, &Error{Op: "validate token", Kind: ErrProtocol, Detail: "the broker reported a valid token without its claims"}
	}
	if err := c.checkClaims(out.Claims); err != nil {
		return nil, err
	}
	return out.Claims, nil
}

// checkClaims verifies that a valid token has the required issuer and audience.
func (c *client) checkClaims(claims *Claims) error {
	if c.issuer != "" && claims.Issuer != c.issuer {
		return &Error{Op: "validate token", Kind: ErrTokenInvalid, Detail: "the token has another issuer"}
	}
	if c.audience != "" && !slices.Contains(claims.Audience, c.audience) {
		return &Error{Op: "validate token", Kind: ErrTokenInvalid, Detail: "the token is for another audience"}
	}
	return nil
}

func (c *client) health(ctx context.Context) (*Health, error) {
	var h Health
	if err := c.do(ctx, call{op: "health", method: "GET", path: "/v1/health", out: &h, safe: true}); err != nil {
		return nil, err
	}
	return &h, nil
}
