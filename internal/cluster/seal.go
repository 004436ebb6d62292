package cluster

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
)

const keyBytes = 32 // AES-256

// errSealed does not tell why: a wrong secret and changed bytes look the same.
var errSealed = errors.New("what is stored can't be decrypted: were the replicas started with different secrets?")

// Seal encrypts and authenticates data to be stored (AES-GCM, RFC 5116, with a random
// nonce). The purpose names the kind of data and its owner. Only the same purpose
// opens it.
func (c *Cluster) Seal(purpose string, plain []byte) ([]byte, error) {
	aead, err := c.aead(purpose)
	if err != nil {
		return nil, err
	}
	return aead.Seal(nil, nil, plain, nil), nil
}

// Unseal returns the data that was sealed for a purpose.
func (c *Cluster) Unseal(purpose string, sealed []byte) ([]byte, error) {
	aead, err := c.aead(purpose)
	if err != nil {
		return nil, err
	}
	plain, err := aead.Open(nil, nil, sealed, nil)
	if err != nil {
		return nil, errSealed
	}
	return plain, nil
}

// aead returns the cipher of a purpose, with a key of its own (HKDF, RFC 5869).
func (c *Cluster) aead(purpose string) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, []byte(c.secret), nil, "medassist/"+purpose, keyBytes)
	if err != nil {
		return nil, fmt.Errorf("derive a key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}
