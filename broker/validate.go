package broker

import (
	"github.com/devonartis/medassist-go/agentwrit/wire"
)

// validate is POST /v1/token/validate. It reports whether a token is valid, but
// not why. It only reads memory and records nothing.
func (b *Broker) validate(_ *request, in *wire.ValidateRequest) (*wire.ValidateResponse, error) {
	if in.Token == "" {
		return nil, refuse(wire.CodeInvalidRequest, "token field is required")
	}
	if err := b.current(); err != nil {
		return nil, err
	}
	claims, err := b.signer.Verify(in.Token)
	if err != nil || !b.valid(claims) {
		return &wire.ValidateResponse{Error: "token is invalid or expired"}, nil
	}
	return &wire.ValidateResponse{Valid: true, Claims: claims}, nil
}

// keys is GET /v1/keys.
func (b *Broker) keys(*request, *none) (*wire.JWKSet, error) {
	return &wire.JWKSet{Keys: []wire.JWK{wire.NewJWK(b.signer.PublicKey())}}, nil
}
