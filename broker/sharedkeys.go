package broker

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/broker/internal/nonce"
	"github.com/devonartis/medassist-go/broker/internal/store"
	"github.com/devonartis/medassist-go/broker/internal/token"
)

// Names under which a shared database stores the sealed keys.
const (
	metaSigningKey = "sealed_signing_key"
	metaNonceKey   = "sealed_nonce_key"
)

// loadSharedKeys reads the keys that all brokers on one database have in common, or
// makes them if this broker is the first one: a token that one has signed and a
// challenge that one has issued are valid at the others.
func (b *Broker) loadSharedKeys() error {
	sealer, err := newSealer(b.adminSecret)
	if err != nil {
		return err
	}
	var signing, nonces []byte
	err = b.update(func(tx store.Tx) (err error) {
		if signing, err = sharedKey(tx, sealer, metaSigningKey, ed25519.SeedSize); err != nil {
			return err
		}
		nonces, err = sharedKey(tx, sealer, metaNonceKey, nonce.KeySize)
		return err
	})
	if err != nil {
		return fmt.Errorf("keys in the database: %w", err)
	}
	b.signer = token.NewSigner(ed25519.NewKeyFromSeed(signing))
	b.nonces = nonce.NewSharedSource(wire.NonceTTL*time.Second, [nonce.KeySize]byte(nonces))
	return nil
}

// sharedKey opens the named key, or makes a random one of the given size and seals
// it. The transaction makes it happen once.
func sharedKey(tx store.Tx, sealer cipher.AEAD, name string, size int) ([]byte, error) {
	text, err := tx.Meta(name)
	if err != nil {
		return nil, err
	}
	if text != "" {
		sealed, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		key, err := sealer.Open(nil, nil, sealed, []byte(name))
		if err != nil || len(key) != size {
			return nil, errors.New("they are sealed with another admin secret; all brokers need the same one")
		}
		return key, nil
	}
	key := make([]byte, size)
	rand.Read(key)
	return key, tx.SetMeta(name, base64.StdEncoding.EncodeToString(sealer.Seal(nil, nil, key, []byte(name))))
}

// newSealer returns an AEAD with a key derived from the admin secret. Its nonces are
// random and part of the sealed text.
func newSealer(adminSecret string) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, []byte(adminSecret), nil, "medassist broker: keys in the database", 32)
	if err != nil {
		return nil, fmt.Errorf("derive the sealing key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("sealing key: %w", err)
	}
	return cipher.NewGCMWithRandomNonce(block)
}
