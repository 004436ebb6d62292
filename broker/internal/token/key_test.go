package token

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestLoadKey(t *testing.T) {
	want := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{3}, ed25519.SeedSize))
	text, err := EncodeKey(want)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "key.pem")
	write := func(content []byte, mode fs.FileMode) {
		t.Helper()
		os.Remove(path)
		if err := os.WriteFile(path, content, mode); err != nil {
			t.Fatal(err)
		}
	}

	if _, err := LoadKey(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	write(text, 0o600)
	if got, err := LoadKey(path); err != nil || !got.Equal(want) {
		t.Errorf("own key: %v, %v", got, err)
	}
	write(text, 0o640)
	if _, err := LoadKey(path); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("a key that others may read: %v", err)
	}
	write([]byte("nope"), 0o600)
	if _, err := LoadKey(path); err == nil {
		t.Error("no PEM is accepted")
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(other)
	if err != nil {
		t.Fatal(err)
	}
	write(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
	if _, err := LoadKey(path); err == nil {
		t.Error("a key of another kind is accepted")
	}
}
