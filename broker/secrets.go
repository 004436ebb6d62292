package broker

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/devonartis/medassist-go/broker/internal/store"
	"github.com/devonartis/medassist-go/broker/internal/token"
	"github.com/devonartis/medassist-go/internal/random"
)

// Files in the data folder besides the database, both with mode 0600. The key is
// a separate file so that a copy of the database can't sign anything.
const (
	AdminSecretFile = "admin-secret" // a generated admin secret and a line break
	signingKeyFile  = "signing-key.pem"
)

// metaKeyID is the name under which the database stores the ID of its key.
const metaKeyID = "signing_key_id"

// loadAdminSecret returns the configured secret, or else the stored one, or else
// a new one, which it stores.
func (b *Broker) loadAdminSecret() (string, error) {
	switch {
	case b.cfg.AdminSecret != "":
		return b.cfg.AdminSecret, nil
	case b.cfg.Dir == "":
		return random.Hex(32), nil
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
	secret := random.Hex(32)
	if err := writeSecret(path, []byte(secret+"\n")); err != nil {
		return "", fmt.Errorf("admin secret: %w", err)
	}
	return secret, nil
}

// loadSigner returns a signer with the folder's key, or with a new key in a new
// folder. It rejects a key other than the one the database was written with:
// every token would be invalid and every earlier checkpoint would look forged.
func (b *Broker) loadSigner() (*token.Signer, error) {
	key, err := b.loadKey()
	if err != nil {
		return nil, err
	}
	signer := token.NewSigner(key)
	var known string
	err = b.update(func(tx store.Tx) (err error) {
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

// writeSecret creates a file that only its owner can read, complete and synced to
// disk, or fails and creates nothing.
func writeSecret(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // fails once renamed
	if _, err := f.Write(content); err != nil {
		_ = f.Close() // the first error counts
		return err
	}
	if err := f.Sync(); err != nil {
		_ = f.Close() // the first error counts
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
