package broker

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/devonartis/medassist-go/broker/internal/store"
	"github.com/devonartis/medassist-go/broker/internal/token"
)

// Files in the data folder, beside the database, both of mode 0600. The key is
// kept apart so that a copy of the database alone can't sign anything.
const (
	AdminSecretFile = "admin-secret" // a generated admin secret, and a line break
	signingKeyFile  = "signing-key.pem"
)

// metaKeyID names the stored kid of the key that the database belongs to.
const metaKeyID = "signing_key_id"

// loadAdminSecret returns the configured secret, else the stored one, else a
// new one, which it stores.
func (b *Broker) loadAdminSecret() (string, error) {
	switch {
	case b.cfg.AdminSecret != "":
		return b.cfg.AdminSecret, nil
	case b.cfg.Dir == "":
		return randomHex(32), nil
	}
	path := filepath.Join(b.cfg.Dir, AdminSecretFile)
	text, err := os.ReadFile(path)
	if err == nil {
		secret := strings.TrimSpace(string(text))
		if err := checkSecret(secret); err != nil {
			return "", fmt.Errorf("%s: %w", path, err)
		}
		return secret, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("admin secret: %w", err)
	}
	secret := randomHex(32)
	if err := writeSecret(path, []byte(secret+"\n")); err != nil {
		return "", fmt.Errorf("admin secret: %w", err)
	}
	return secret, nil
}

// loadSigner returns the signer with the folder's key, a new one in a new
// folder. A key that is not the one the database was written with is refused:
// with it every token would die and every old checkpoint look forged.
func (b *Broker) loadSigner() (*token.Signer, error) {
	key, err := b.loadKey()
	if err != nil {
		return nil, err
	}
	signer := token.NewSigner(key)
	var known string
	err = b.store.Update(func(tx *store.Tx) (err error) {
		if known, err = tx.Meta(metaKeyID); err != nil || known != "" {
			return err
		}
		return tx.SetMeta(metaKeyID, signer.KeyID())
	})
	if err != nil {
		return nil, fmt.Errorf("signing key: %w", err)
	}
	if known != "" && known != signer.KeyID() {
		return nil, fmt.Errorf("%s is not the key this database was written with (kid %s)", signingKeyFile, known)
	}
	return signer, nil
}

func (b *Broker) loadKey() (ed25519.PrivateKey, error) {
	path := filepath.Join(b.cfg.Dir, signingKeyFile)
	if b.cfg.Dir != "" {
		key, err := token.LoadKey(path)
		if !errors.Is(err, fs.ErrNotExist) {
			return key, err
		}
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("signing key: %w", err)
	}
	if b.cfg.Dir == "" {
		return key, nil
	}
	text, err := token.EncodeKey(key)
	if err != nil {
		return nil, err
	}
	if err := writeSecret(path, text); err != nil {
		return nil, fmt.Errorf("signing key: %w", err)
	}
	return key, nil
}

// writeSecret creates a file that only its owner can read, whole and on disk,
// or not at all.
func writeSecret(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails once renamed
	if _, err := f.Write(content); err != nil {
		f.Close()
		return err
	}
	if err := f.Sync(); err != nil {
		f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// randomHex is n random bytes in hex.
func randomHex(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return hex.EncodeToString(b)
}
