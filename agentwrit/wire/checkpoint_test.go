package wire_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/devonartis/medassist-go/agentwrit/wire"
)

var checkpointKey = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))

func signedCheckpoint(t *testing.T) (wire.Checkpoint, []byte) {
	t.Helper()
	c := wire.Checkpoint{
		Origin: "agentwrit.local/audit",
		Size:   42,
		Hash:   strings.Repeat("ab", 32),
		Time:   time.Date(2026, 3, 1, 9, 0, 0, 5, time.UTC),
	}
	signed, err := c.Sign(checkpointKey)
	if err != nil {
		t.Fatal(err)
	}
	return c, signed
}

// Another implementation of signed notes accepts the checkpoint.
func TestCheckpointIsASignedNote(t *testing.T) {
	c, signed := signedCheckpoint(t)
	vkey, err := note.NewEd25519VerifierKey(c.Origin, checkpointKey.Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	n, err := note.Open(signed, note.VerifierList(verifier))
	if err != nil {
		t.Fatalf("x/mod/sumdb/note refuses the checkpoint: %v", err)
	}
	want := fmt.Sprintf("agentwrit.local/audit\n42\n%s\ntime 2026-03-01T09:00:00.000000005Z\n",
		base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{0xab}, 32)))
	if n.Text != want {
		t.Errorf("text = %q, want %q", n.Text, want)
	}
}

func TestOpenCheckpoint(t *testing.T) {
	c, signed := signedCheckpoint(t)
	pub := checkpointKey.Public().(ed25519.PublicKey)
	got, err := wire.OpenCheckpoint(signed, pub)
	if err != nil || got != c {
		t.Fatalf("OpenCheckpoint = %+v, %v; want %+v", got, err, c)
	}

	other := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{8}, ed25519.SeedSize)).Public().(ed25519.PublicKey)
	negative := c
	negative.Size = -1
	signedNegative, err := negative.Sign(checkpointKey)
	if err != nil {
		t.Fatal(err)
	}
	refused := map[string]struct {
		note []byte
		key  ed25519.PublicKey
	}{
		"another key":      {signed, other},
		"a changed size":   {bytes.Replace(signed, []byte("\n42\n"), []byte("\n43\n"), 1), pub},
		"a changed origin": {bytes.ReplaceAll(signed, []byte("agentwrit.local"), []byte("agentwrit.other")), pub},
		"a changed time":   {bytes.Replace(signed, []byte("2026"), []byte("2027"), 1), pub},
		"no signature":     {bytes.SplitAfter(signed, []byte("\n\n"))[0], pub},
		"nothing":          {nil, pub},
		"a negative size":  {signedNegative, pub},
		"another signer":   {renameSigner(t, signed, "agentwrit.other/audit"), pub},
	}
	for name, r := range refused {
		if _, err := wire.OpenCheckpoint(r.note, r.key); !errors.Is(err, wire.ErrCheckpoint) {
			t.Errorf("%s: err = %v, want ErrCheckpoint", name, err)
		}
	}
}

// renameSigner signs a note's text again with the same key under another name.
func renameSigner(t *testing.T, signed []byte, name string) []byte {
	t.Helper()
	text, _, _ := strings.Cut(string(signed), "\n\n")
	vkey, err := note.NewEd25519VerifierKey(name, checkpointKey.Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	sig := binary.BigEndian.AppendUint32(nil, verifier.KeyHash())
	sig = append(sig, ed25519.Sign(checkpointKey, []byte(text+"\n"))...)
	return fmt.Appendf(nil, "%s\n\n\u2014 %s %s\n", text, name, base64.StdEncoding.EncodeToString(sig))
}

func FuzzOpenCheckpoint(f *testing.F) {
	c := wire.Checkpoint{Origin: "a/audit", Size: 1, Hash: wire.GenesisHash}
	signed, err := c.Sign(checkpointKey)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(signed)
	f.Add([]byte("a\n1\n\n\n\u2014 a AAAA\n"))
	pub := checkpointKey.Public().(ed25519.PublicKey)
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := wire.OpenCheckpoint(b, pub)
		if err == nil && got != c {
			t.Errorf("an unsigned checkpoint was accepted: %+v", got)
		}
	})
}
