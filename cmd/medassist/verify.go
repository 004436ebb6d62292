package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"time"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/agentwrit/wire"
)

// verifyCmd verifies an audit log: that its hash chain is intact and that it
// agrees with signed checkpoints.
type verifyCmd struct {
	BrokerURL   string `help:"URL of the broker." env:"AGENTWRIT_BROKER_URL" default:"http://127.0.0.1:8080" placeholder:"URL"`
	AdminSecret string `help:"The broker's admin secret, to read the log. Prefer the environment variable." env:"AGENTWRIT_ADMIN_SECRET" placeholder:"SECRET"`
	brokerTLS   `embed:""`
	Events      string   `help:"Read the log from this file (audit pages, an array of events, or a sequence of events) instead of the broker; - means standard input." placeholder:"FILE"`
	Keys        string   `help:"Trust this key set (a saved response of /v1/keys) instead of the broker's current one." placeholder:"FILE"`
	Checkpoint  []string `help:"A saved checkpoint; may be repeated." placeholder:"FILE"`
	Save        string   `help:"Save the broker's current checkpoint to this file." placeholder:"FILE"`

	first int64 // position of the first event of the file, if the file states it
}

// Run verifies the log and prints the result. It returns errCheckFailed if the log
// was tampered with.
func (c *verifyCmd) Run(ctx context.Context, std stdio) error {
	checkpoints, note, err := c.checkpoints(ctx)
	if err != nil {
		return c.report(std, err, 0)
	}
	var points []agentwrit.Checkpoint
	for _, k := range checkpoints {
		points = append(points, k.Checkpoint)
	}
	size, err := c.verify(ctx, points)
	if err != nil {
		return c.report(std, err, size)
	}
	printf(std.out, "OK      %d events, hash chain intact\n", size)
	for _, k := range checkpoints {
		printf(std.out, "agrees  with %s: %d events, signed %s\n", k.name, k.Size, k.Time.Format(time.RFC3339))
	}
	if note != "" {
		printf(std.out, "note    %s\n", note)
	}
	if c.first > 1 {
		printf(std.out, "note    the log begins with event %d; earlier ones are not in the file\n", c.first)
	}
	if len(checkpoints) == 0 {
		printf(std.out, "note    without a checkpoint, a truncated or completely rewritten log can't be detected\n")
	}
	return nil
}

// verify verifies the log's hash chain and that it agrees with checkpoints. It returns
// how many events are intact. A file without the oldest events, which MedAssist's own
// log drops, is verified from its first event on.
func (c *verifyCmd) verify(ctx context.Context, points []agentwrit.Checkpoint) (size int64, err error) {
	if c.Events == "" || len(points) > 0 {
		size, _, err = agentwrit.VerifyChain(c.events(ctx), points...)
		return size, err
	}
	var chain wire.Chain
	dropped := int64(0)
	for e, err := range c.events(ctx) {
		if err != nil {
			return chain.Size - dropped, err
		}
		if c.first > 1 && dropped == 0 {
			dropped = c.first - 1
			chain = wire.Chain{Size: dropped, Head: e.PrevHash}
		}
		if err := chain.Add(e); err != nil {
			return chain.Size - dropped, err
		}
	}
	return chain.Size - dropped, nil
}

// report prints why the verification failed and returns errCheckFailed. It returns
// err if the log could not be verified at all.
func (c *verifyCmd) report(std stdio, err error, good int64) error {
	var broken *agentwrit.ChainError
	if !errors.As(err, &broken) && !errors.Is(err, agentwrit.ErrCheckpoint) {
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
	agentwrit.Checkpoint
}

// checkpoints returns the saved checkpoints and, if the log is read from the
// broker, its current one, oldest first. The current one is read before the log,
// which only grows. The note says what a broker lacks.
func (c *verifyCmd) checkpoints(ctx context.Context) (points []namedCheckpoint, note string, err error) {
	if c.Events != "" && len(c.Checkpoint) == 0 {
		return nil, "", nil
	}
	keys, err := c.keys(ctx)
	if errors.Is(err, agentwrit.ErrNotFound) && len(c.Checkpoint) == 0 && c.Save == "" {
		return nil, "this broker serves neither its key nor a checkpoint", nil
	}
	if err != nil {
		return nil, "", err
	}
	for _, name := range c.Checkpoint {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, "", fmt.Errorf("checkpoint: %w", err)
		}
		point, err := keys.OpenCheckpoint(text)
		if err != nil {
			return nil, "", fmt.Errorf("%s: %w", name, err)
		}
		points = append(points, namedCheckpoint{name, point})
	}
	if c.Events == "" {
		current, err := c.current(ctx, keys)
		switch {
		case errors.Is(err, agentwrit.ErrNotFound) && c.Save == "":
			note = "this broker serves no checkpoint"
		case err != nil:
			return nil, "", err
		default:
			points = append(points, current)
		}
	}
	slices.SortFunc(points, func(a, b namedCheckpoint) int { return cmp.Compare(a.Size, b.Size) })
	return points, note, nil
}

// keys returns the keys to trust, from a file or from the broker.
func (c *verifyCmd) keys(ctx context.Context) (agentwrit.Keys, error) {
	if c.Keys == "" {
		options, err := c.brokerTLS.options()
		if err != nil {
			return nil, err
		}
		broker, err := agentwrit.NewValidator(c.BrokerURL, options...)
		if err != nil {
			return nil, err
		}
		return broker.Keys(ctx)
	}
	jwks, err := os.ReadFile(c.Keys)
	if err != nil {
		return nil, fmt.Errorf("broker keys: %w", err)
	}
	keys, err := agentwrit.ParseKeys(jwks)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Keys, err)
	}
	return keys, nil
}

// current fetches the broker's current checkpoint, and saves it if that was asked
// for.
func (c *verifyCmd) current(ctx context.Context, keys agentwrit.Keys) (namedCheckpoint, error) {
	options, err := c.brokerTLS.options()
	if err != nil {
		return namedCheckpoint{}, err
	}
	broker, err := agentwrit.NewValidator(c.BrokerURL, append(options, agentwrit.WithKeys(keys))...)
	if err != nil {
		return namedCheckpoint{}, err
	}
	text, point, err := broker.Checkpoint(ctx)
	if err != nil {
		return namedCheckpoint{}, err
	}
	if c.Save != "" {
		if err := os.WriteFile(c.Save, text, 0o644); err != nil {
			return namedCheckpoint{}, fmt.Errorf("save the checkpoint: %w", err)
		}
	}
	return namedCheckpoint{"the current checkpoint", point}, nil
}

// events returns the events of the file or of the broker.
func (c *verifyCmd) events(ctx context.Context) iter.Seq2[agentwrit.AuditEvent, error] {
	if c.Events != "" {
		return c.exported()
	}
	return func(yield func(agentwrit.AuditEvent, error) bool) {
		if c.AdminSecret == "" {
			yield(agentwrit.AuditEvent{}, errors.New("reading the broker's audit log needs its admin secret: set AGENTWRIT_ADMIN_SECRET, or verify an export with --events"))
			return
		}
		options, err := c.brokerTLS.options()
		if err != nil {
			yield(agentwrit.AuditEvent{}, err)
			return
		}
		admin, err := agentwrit.NewAdmin(c.BrokerURL, c.AdminSecret, options...)
		if err != nil {
			yield(agentwrit.AuditEvent{}, err)
			return
		}
		for e, err := range admin.AuditEvents(ctx, agentwrit.AuditFilter{Limit: agentwrit.MaxAuditPage}) {
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// exported reads a sequence of JSON values from the file. Each is an event, an
// array of events, or a page as returned by the broker.
func (c *verifyCmd) exported() iter.Seq2[agentwrit.AuditEvent, error] {
	return func(yield func(agentwrit.AuditEvent, error) bool) {
		in := io.Reader(os.Stdin)
		if c.Events != "-" {
			f, err := os.Open(c.Events)
			if err != nil {
				yield(agentwrit.AuditEvent{}, fmt.Errorf("audit log: %w", err))
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
			var events []agentwrit.AuditEvent
			if err == nil {
				events, err = c.eventsIn(value)
			}
			if err != nil {
				yield(agentwrit.AuditEvent{}, fmt.Errorf("audit log: %w", err))
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
func (c *verifyCmd) eventsIn(value json.RawMessage) (events []agentwrit.AuditEvent, err error) {
	if bytes.HasPrefix(value, []byte("[")) {
		err = json.Unmarshal(value, &events)
		return events, err
	}
	var page struct {
		First  int64                  `json:"first"`
		Events []agentwrit.AuditEvent `json:"events"`
	}
	if err := json.Unmarshal(value, &page); err != nil {
		return nil, err
	}
	if page.Events != nil {
		if c.first == 0 {
			c.first = page.First
		}
		return page.Events, nil
	}
	var one agentwrit.AuditEvent
	if err := json.Unmarshal(value, &one); err != nil {
		return nil, err
	}
	return []agentwrit.AuditEvent{one}, nil
}
