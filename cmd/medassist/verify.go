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
)

// verifyCmd checks a trail: that each event follows from the one before it, and
// that it still holds what signed checkpoints said it held.
type verifyCmd struct {
	BrokerURL   string   `help:"The broker." env:"AGENTWRIT_BROKER_URL" default:"http://127.0.0.1:8080" placeholder:"URL"`
	AdminSecret string   `help:"Its admin secret, to read the trail; better set in the environment." env:"AGENTWRIT_ADMIN_SECRET" placeholder:"SECRET"`
	Events      string   `help:"Read the trail from this file instead: audit pages, an array of events, or events one after the other; - for standard input." placeholder:"FILE"`
	Keys        string   `help:"Trust this key set (an answer of /v1/keys kept from before) and not the one the broker shows now." placeholder:"FILE"`
	Checkpoint  []string `help:"A checkpoint kept from before; may be given again." placeholder:"FILE"`
	Save        string   `help:"Keep the broker's checkpoint of now in this file, for later." placeholder:"FILE"`
}

// Run reads, checks and reports. It returns errUnexpected when the trail is not
// what it should be.
func (c *verifyCmd) Run(ctx context.Context, io stdio) error {
	keys, err := c.keys(ctx)
	if err != nil {
		return err
	}
	kept, err := c.checkpoints(ctx, keys)
	if err != nil {
		return c.verdict(io, err, 0)
	}
	var points []agentwrit.Checkpoint
	for _, k := range kept {
		points = append(points, k.Checkpoint)
	}
	size, _, err := agentwrit.VerifyChain(c.trail(ctx), points...)
	if err != nil {
		return c.verdict(io, err, size)
	}
	fmt.Fprintf(io.out, "trail   %d events, each follows from the one before it\n", size)
	for _, k := range kept {
		fmt.Fprintf(io.out, "holds   %s: %d events, signed %s\n", k.name, k.Size, k.Time.Format(time.RFC3339))
	}
	if len(kept) == 0 {
		fmt.Fprintln(io.out, "note    without a checkpoint a trail that was cut, or written anew as a whole, looks the same")
	}
	return nil
}

// verdict tells a trail that is not what it should be, which is reported here,
// from a check that could not be made.
func (c *verifyCmd) verdict(io stdio, err error, good int64) error {
	var broken *agentwrit.ChainError
	if !errors.As(err, &broken) && !errors.Is(err, agentwrit.ErrCheckpoint) {
		return err
	}
	fmt.Fprintf(io.out, "FAILED  %v\n", err)
	if broken != nil && good > 0 {
		fmt.Fprintf(io.out, "        the %d before it are as they were written\n", good)
	}
	return errUnexpected
}

// heldTo is a checkpoint that the trail must agree with.
type heldTo struct {
	name string
	agentwrit.Checkpoint
}

// keys returns the keys of the file that pins them, or else the broker's.
func (c *verifyCmd) keys(ctx context.Context) (agentwrit.Keys, error) {
	if c.Keys == "" {
		broker, err := agentwrit.NewValidator(c.BrokerURL)
		if err != nil {
			return nil, err
		}
		return broker.Keys(ctx)
	}
	jwks, err := os.ReadFile(c.Keys)
	if err != nil {
		return nil, fmt.Errorf("the broker's keys: %w", err)
	}
	keys, err := agentwrit.ParseKeys(jwks)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Keys, err)
	}
	return keys, nil
}

// checkpoints are those kept in files and, when the trail comes from the broker,
// the one it signs now: read before the trail, which only grows. Oldest first.
func (c *verifyCmd) checkpoints(ctx context.Context, keys agentwrit.Keys) ([]heldTo, error) {
	var kept []heldTo
	for _, name := range c.Checkpoint {
		note, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("checkpoint: %w", err)
		}
		point, err := keys.OpenCheckpoint(note)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		kept = append(kept, heldTo{name, point})
	}
	bySize := func(a, b heldTo) int { return cmp.Compare(a.Size, b.Size) }
	if c.Events != "" {
		slices.SortFunc(kept, bySize)
		return kept, nil
	}
	broker, err := agentwrit.NewValidator(c.BrokerURL, agentwrit.WithKeys(keys))
	if err != nil {
		return nil, err
	}
	note, point, err := broker.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	if c.Save != "" {
		if err := os.WriteFile(c.Save, note, 0o644); err != nil {
			return nil, fmt.Errorf("keep the checkpoint: %w", err)
		}
	}
	kept = append(kept, heldTo{"the broker's checkpoint", point})
	slices.SortFunc(kept, bySize)
	return kept, nil
}

// trail is the events of the file, or of the broker.
func (c *verifyCmd) trail(ctx context.Context) iter.Seq2[agentwrit.AuditEvent, error] {
	if c.Events != "" {
		return c.exported()
	}
	return func(yield func(agentwrit.AuditEvent, error) bool) {
		if c.AdminSecret == "" {
			yield(agentwrit.AuditEvent{}, errors.New("the broker's admin secret is needed to read its trail: set AGENTWRIT_ADMIN_SECRET, or give an export with --events"))
			return
		}
		admin, err := agentwrit.NewAdmin(c.BrokerURL, c.AdminSecret)
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

// exported reads the file's JSON values one after the other: an event each, an
// array of events, or a page as the broker answers it.
func (c *verifyCmd) exported() iter.Seq2[agentwrit.AuditEvent, error] {
	return func(yield func(agentwrit.AuditEvent, error) bool) {
		in := io.Reader(os.Stdin)
		if c.Events != "-" {
			f, err := os.Open(c.Events)
			if err != nil {
				yield(agentwrit.AuditEvent{}, fmt.Errorf("trail: %w", err))
				return
			}
			defer f.Close()
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
				events, err = eventsIn(value)
			}
			if err != nil {
				yield(agentwrit.AuditEvent{}, fmt.Errorf("trail: %w", err))
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

func eventsIn(value json.RawMessage) (events []agentwrit.AuditEvent, err error) {
	if bytes.HasPrefix(value, []byte("[")) {
		err = json.Unmarshal(value, &events)
		return events, err
	}
	var page struct {
		Events []agentwrit.AuditEvent `json:"events"`
	}
	if err := json.Unmarshal(value, &page); err != nil {
		return nil, err
	}
	if page.Events != nil {
		return page.Events, nil
	}
	var one agentwrit.AuditEvent
	if err := json.Unmarshal(value, &one); err != nil {
		return nil, err
	}
	return []agentwrit.AuditEvent{one}, nil
}
