package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/agentwrit/wire"
)

// verifyCmd verifies an audit log: that its hash chain is intact and that it
// agrees with signed checkpoints.
type verifyCmd struct {
	BrokerURL   string   `help:"URL of the broker." env:"AGENTWRIT_BROKER_URL" default:"http://127.0.0.1:8080" placeholder:"URL"`
	AdminSecret string   `help:"The broker's admin secret, to read the log. Prefer the environment variable." env:"AGENTWRIT_ADMIN_SECRET" placeholder:"SECRET"`
	Events      string   `help:"Read the log from this file (audit pages, an array of events, or a sequence of events) instead of the broker; - means standard input." placeholder:"FILE"`
	Keys        string   `help:"Trust this key set (a saved response of /v1/keys) instead of the broker's current one." placeholder:"FILE"`
	Checkpoint  []string `help:"A saved checkpoint; may be repeated." placeholder:"FILE"`
	Save        string   `help:"Save the broker's current checkpoint to this file." placeholder:"FILE"`
}

// Run verifies the log and prints the result. It returns errCheckFailed if the log
// was tampered with.
func (c *verifyCmd) Run(ctx context.Context, std stdio) error {
	key, err := c.key(ctx)
	if err != nil {
		return err
	}
	kept, err := c.checkpoints(ctx, key)
	if err != nil {
		return c.report(std, err, 0)
	}
	var points []wire.Checkpoint
	for _, k := range kept {
		points = append(points, k.Checkpoint)
	}
	size, _, err := agentwrit.VerifyChain(c.events(ctx), points...)
	if err != nil {
		return c.report(std, err, size)
	}
	printf(std.out, "OK      %d events, hash chain intact\n", size)
	for _, k := range kept {
		printf(std.out, "agrees  with %s: %d events, signed %s\n", k.name, k.Size, k.Time.Format(time.RFC3339))
	}
	if len(kept) == 0 {
		printf(std.out, "note    without a checkpoint, a truncated or completely rewritten log can't be detected\n")
	}
	return nil
}

// report prints why the verification failed and returns errCheckFailed. It returns
// err if the log could not be verified at all.
func (c *verifyCmd) report(std stdio, err error, good int64) error {
	var broken *wire.ChainError
	if !errors.As(err, &broken) && !errors.Is(err, wire.ErrCheckpoint) {
		return err
	}
	printf(std.out, "FAILED  %v\n", err)
	if broken != nil && good > 0 {
		printf(std.out, "        the %d events before it are intact\n", good)
	}
	return errCheckFailed
}

// namedCheckpoint is a checkpoint that the log must agree with.
type namedCheckpoint struct {
	name string
	wire.Checkpoint
}

// key returns the public key to trust, from a file or from the broker.
func (c *verifyCmd) key(ctx context.Context) (ed25519.PublicKey, error) {
	text, err := c.read(ctx, c.Keys, "/v1/keys")
	if err != nil {
		return nil, fmt.Errorf("broker key: %w", err)
	}
	var set wire.JWKSet
	if err := json.Unmarshal(text, &set); err != nil || len(set.Keys) != 1 {
		return nil, fmt.Errorf("broker key: want a JWK set with one key")
	}
	key, err := set.Keys[0].PublicKey()
	if err != nil {
		return nil, fmt.Errorf("broker key: %w", err)
	}
	return key, nil
}

// checkpoints returns the saved checkpoints and, if the log is read from the
// broker, its current one, oldest first. The current one is read before the log,
// which only grows.
func (c *verifyCmd) checkpoints(ctx context.Context, key ed25519.PublicKey) ([]namedCheckpoint, error) {
	var kept []namedCheckpoint
	for _, name := range c.Checkpoint {
		note, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("checkpoint: %w", err)
		}
		point, err := wire.OpenCheckpoint(note, key)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		kept = append(kept, namedCheckpoint{name, point})
	}
	bySize := func(a, b namedCheckpoint) int { return cmp.Compare(a.Size, b.Size) }
	if c.Events != "" {
		slices.SortFunc(kept, bySize)
		return kept, nil
	}
	note, err := c.read(ctx, "", "/v1/audit/checkpoint")
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	point, err := wire.OpenCheckpoint(note, key)
	if err != nil {
		return nil, fmt.Errorf("current checkpoint: %w", err)
	}
	if c.Save != "" {
		if err := os.WriteFile(c.Save, note, 0o644); err != nil {
			return nil, fmt.Errorf("save the checkpoint: %w", err)
		}
	}
	kept = append(kept, namedCheckpoint{"the current checkpoint", point})
	slices.SortFunc(kept, bySize)
	return kept, nil
}

// events returns the events of the file or of the broker.
func (c *verifyCmd) events(ctx context.Context) iter.Seq2[wire.AuditEvent, error] {
	if c.Events != "" {
		return c.exported()
	}
	return func(yield func(wire.AuditEvent, error) bool) {
		if c.AdminSecret == "" {
			yield(wire.AuditEvent{}, errors.New("reading the broker's audit log needs its admin secret: set AGENTWRIT_ADMIN_SECRET, or verify an export with --events"))
			return
		}
		admin, err := agentwrit.NewAdmin(c.BrokerURL, c.AdminSecret)
		if err != nil {
			yield(wire.AuditEvent{}, err)
			return
		}
		for e, err := range admin.AuditEvents(ctx, agentwrit.AuditFilter{Limit: wire.MaxAuditPage}) {
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// exported reads a sequence of JSON values from the file. Each is an event, an
// array of events, or a page as returned by the broker.
func (c *verifyCmd) exported() iter.Seq2[wire.AuditEvent, error] {
	return func(yield func(wire.AuditEvent, error) bool) {
		in := io.Reader(os.Stdin)
		if c.Events != "-" {
			f, err := os.Open(c.Events)
			if err != nil {
				yield(wire.AuditEvent{}, fmt.Errorf("audit log: %w", err))
				return
			}
			defer func() { _ = f.Close() }() // it is only read
			in = f
		}
		d := json.NewDecoder(in)
		for {
			var value json.RawMessage
			err := d.Decode(&value)
			if errors.Is(err, io.EOF) {
				return
			}
			var events []wire.AuditEvent
			if err == nil {
				events, err = eventsIn(value)
			}
			if err != nil {
				yield(wire.AuditEvent{}, fmt.Errorf("audit log: %w", err))
				return
			}
			for _, e := range events {
				if !yield(e, nil) {
					return
				}
			}
		}
	}
}

// eventsIn returns the events of one JSON value.
func eventsIn(value json.RawMessage) (events []wire.AuditEvent, err error) {
	if bytes.HasPrefix(value, []byte("[")) {
		err = json.Unmarshal(value, &events)
		return events, err
	}
	var page struct {
		Events []wire.AuditEvent `json:"events"`
	}
	if err := json.Unmarshal(value, &page); err != nil {
		return nil, err
	}
	if page.Events != nil {
		return page.Events, nil
	}
	var one wire.AuditEvent
	if err := json.Unmarshal(value, &one); err != nil {
		return nil, err
	}
	return []wire.AuditEvent{one}, nil
}

// maxDocument limits a key set or a checkpoint, in bytes.
const maxDocument = 64 << 10

// read returns the content of the file, or the broker's response if file is "".
func (c *verifyCmd) read(ctx context.Context, file, path string) ([]byte, error) {
	if file != "" {
		return os.ReadFile(file)
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(c.BrokerURL, "/")+path, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s; use a saved copy", req.URL, resp.Status)
	}
	return io.ReadAll(io.LimitReader(resp.Body, maxDocument))
}
