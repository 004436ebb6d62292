package wire_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"testing"

	"github.com/devonartis/medassist-go/agentwrit/wire"
)

// The key and thumbprint of RFC 8037, appendix A.
const (
	rfc8037X          = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
	rfc8037Thumbprint = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
)

func TestThumbprint(t *testing.T) {
	key, err := base64.RawURLEncoding.DecodeString(rfc8037X)
	if err != nil {
		t.Fatal(err)
	}
	if got := wire.Thumbprint(key); got != rfc8037Thumbprint {
		t.Errorf("Thumbprint = %s, want %s", got, rfc8037Thumbprint)
	}
}

func TestJWKPublicKey(t *testing.T) {
	public := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize)).Public().(ed25519.PublicKey)
	good := wire.NewJWK(public)
	if got, err := good.PublicKey(); err != nil || !got.Equal(public) {
		t.Fatalf("PublicKey = %x, %v", got, err)
	}
	for name, change := range map[string]func(*wire.JWK){
		"a kid that is not the thumbprint": func(k *wire.JWK) { k.KeyID = rfc8037Thumbprint },
		"no kid":                           func(k *wire.JWK) { k.KeyID = "" },
		"another key under the kid":        func(k *wire.JWK) { k.X = rfc8037X },
		"an EC key":                        func(k *wire.JWK) { k.KeyType = "EC" },
		"another curve":                    func(k *wire.JWK) { k.Curve = "X25519" },
		"no key":                           func(k *wire.JWK) { k.X = "" },
		"31 bytes":                         func(k *wire.JWK) { k.X = k.X[:42] },
		"padding":                          func(k *wire.JWK) { k.X += "=" },
	} {
		bad := good
		change(&bad)
		if _, err := bad.PublicKey(); !errors.Is(err, wire.ErrKey) {
			t.Errorf("%s: %v, want ErrKey", name, err)
		}
	}
}
