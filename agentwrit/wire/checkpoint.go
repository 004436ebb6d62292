package wire

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A Checkpoint is the head of an audit log at one moment, the response of GET
// /v1/audit/checkpoint. A saved checkpoint proves later that events up to its
// size were modified or removed, even if the whole chain was recomputed.
//
// Its wire format is a C2SP signed note (c2sp.org/signed-note) in the form of
// c2sp.org/tlog-checkpoint: one line each for origin, size and hash, then an
// extension line with the time. The hash is that of the last event in the
// chain, not the root of a Merkle tree.
type Checkpoint struct {
	Origin string // name of log and key: "<trust domain>/audit"
	Size   int64  // number of events
	Hash   string // hash of the last event in hex, GenesisHash if Size is 0
	Time   time.Time
}

// CheckpointContentType is the media type of a signed checkpoint.
const CheckpointContentType = "text/plain; charset=utf-8"

// ErrCheckpoint is wrapped by every error of [OpenCheckpoint].
var ErrCheckpoint = errors.New("checkpoint verification failed")

const (
	notePrefix     = "\u2014 " // em dash and space begin a signature line
	noteEd25519    = 1         // signature type in the note's key ID
	timeExtension  = "time "
	maxNoteSigners = 16
)

// Sign returns the checkpoint as a signed note.
func (c Checkpoint) Sign(key ed25519.PrivateKey) ([]byte, error) {
	hash, err := hex.DecodeString(c.Hash)
	if err != nil || len(hash) != sha256.Size {
		return nil, fmt.Errorf("checkpoint hash %q is not hex SHA-256", c.Hash)
	}
	var note bytes.Buffer
	fmt.Fprintf(&note, "%s\n%d\n%s\n%s%s\n", c.Origin, c.Size,
		base64.StdEncoding.EncodeToString(hash), timeExtension, c.Time.UTC().Format(time.RFC3339Nano))
	sig := binary.BigEndian.AppendUint32(nil, noteKeyID(c.Origin, key.Public().(ed25519.PublicKey)))
	sig = append(sig, ed25519.Sign(key, note.Bytes())...)
	fmt.Fprintf(&note, "\n%s%s %s\n", notePrefix, c.Origin, base64.StdEncoding.EncodeToString(sig))
	return note.Bytes(), nil
}

// OpenCheckpoint parses a signed checkpoint and verifies that key signed it. It
// ignores signatures by other keys.
func OpenCheckpoint(note []byte, key ed25519.PublicKey) (Checkpoint, error) {
	text, sigs, found := bytes.Cut(note, []byte("\n\n"))
	if !found {
		return Checkpoint{}, fmt.Errorf("%w: no signature", ErrCheckpoint)
	}
	text = append(bytes.Clone(text), '\n')
	c, err := parseCheckpoint(string(text))
	if err != nil {
		return Checkpoint{}, err
	}
	lines := strings.SplitN(string(sigs), "\n", maxNoteSigners+1)
	for _, line := range lines {
		rest, ok := strings.CutPrefix(line, notePrefix)
		if !ok {
			continue
		}
		name, b64, _ := strings.Cut(rest, " ")
		sig, err := base64.StdEncoding.DecodeString(b64)
		if err != nil || len(sig) != 4+ed25519.SignatureSize || name != c.Origin {
			continue
		}
		if binary.BigEndian.Uint32(sig) == noteKeyID(name, key) && ed25519.Verify(key, text, sig[4:]) {
			return c, nil
		}
	}
	return Checkpoint{}, fmt.Errorf("%w: not signed by this key", ErrCheckpoint)
}

func parseCheckpoint(text string) (Checkpoint, error) {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(lines) < 3 || lines[0] == "" {
		return Checkpoint{}, fmt.Errorf("%w: want origin, size and hash", ErrCheckpoint)
	}
	c := Checkpoint{Origin: lines[0]}
	var err error
	if c.Size, err = strconv.ParseInt(lines[1], 10, 64); err != nil || c.Size < 0 {
		return Checkpoint{}, fmt.Errorf("%w: bad size", ErrCheckpoint)
	}
	hash, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(hash) != sha256.Size {
		return Checkpoint{}, fmt.Errorf("%w: bad hash", ErrCheckpoint)
	}
	c.Hash = hex.EncodeToString(hash)
	for _, line := range lines[3:] {
		if ts, ok := strings.CutPrefix(line, timeExtension); ok {
			if c.Time, err = time.Parse(time.RFC3339Nano, ts); err != nil {
				return Checkpoint{}, fmt.Errorf("%w: bad time", ErrCheckpoint)
			}
		}
	}
	return c, nil
}

// noteKeyID returns the key ID that signed notes use for an Ed25519 key of that
// name.
func noteKeyID(name string, key ed25519.PublicKey) uint32 {
	sum := sha256.Sum256(append([]byte(name+"\n"+string(rune(noteEd25519))), key...))
	return binary.BigEndian.Uint32(sum[:])
}
