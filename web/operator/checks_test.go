package operator

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/internal/values"
	"github.com/devonartis/medassist-go/llm"
	"github.com/devonartis/medassist-go/preflight"
	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/web/internal/sse"
)

// away is a store that can't be reached.
type away struct{ values.Store }

func (away) Load(context.Context, string) ([]byte, int64, error) { return nil, 0, errors.New("away") }
func (away) Subscribe(string, func(string))                      {}

// newTestChecks returns the checks of a replica. They panic at the first one.
func newTestChecks(t *testing.T, shared values.Store) *checks {
	t.Helper()
	streams := sse.New()
	c := newChecks(Config{Preflight: preflight.Config{Model: llm.NewPlanner()}, Values: shared, Streams: streams, Logger: slog.New(slog.DiscardHandler)})
	t.Cleanup(func() {
		streams.Close()
		c.work.Wait()
	})
	return c
}

// read reads the results of a preflight to their end.
func read(t *testing.T, results *trace.Feed[preflight.Result]) (names []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for cursor := results.From(0); ; {
		some, err := cursor.Next(ctx)
		if errors.Is(err, io.EOF) {
			return names
		}
		if err != nil {
			t.Fatalf("after %v: %v", names, err)
		}
		for _, r := range some {
			names = append(names, r.Name)
		}
	}
}

// A preflight that one replica runs is shown by the others, from its start.
func TestReplicasShowAPreflight(t *testing.T) {
	var shared values.Memory
	a, b := newTestChecks(t, &shared), newTestChecks(t, &shared)
	if b.sync(t.Context()); b.latest() != nil {
		t.Error("there is a preflight before the first")
	}
	for range 2 {
		own := a.start()
		b.sync(t.Context())
		others := b.latest()
		if others == nil {
			t.Fatal("the other replica does not know of the preflight")
		}
		if x, y := read(t, own), read(t, others); len(x) != 1 || len(y) != 1 || x[0] != y[0] {
			t.Errorf("here %v, there %v", x, y)
		}
		a, b = b, a
	}
}

// A preflight can be made while the database is away, and is shown by its replica.
func TestPreflightWithoutDatabase(t *testing.T) {
	c := newTestChecks(t, away{})
	if got := read(t, c.start()); len(got) != 1 {
		t.Errorf("results %v", got)
	}
	if c.sync(t.Context()); len(read(t, c.latest())) != 1 {
		t.Error("the results are gone")
	}
}
