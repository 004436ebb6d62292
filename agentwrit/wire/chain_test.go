package wire_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/agentwrit/wire"
)

func trail(n int) []wire.AuditEvent {
	events := make([]wire.AuditEvent, n)
	prev := wire.GenesisHash
	for i := range events {
		e := wire.AuditEvent{
			ID:        fmt.Sprintf("evt-%06d", i+1),
			Timestamp: time.Date(2026, 1, 1, 0, 0, i, 0, time.UTC),
			EventType: wire.EventTokenIssued,
			Detail:    fmt.Sprintf("number %d", i),
			Outcome:   wire.OutcomeSuccess,
			PrevHash:  prev,
		}
		e.Hash = e.ComputeHash()
		prev = e.Hash
		events[i] = e
	}
	return events
}

func TestChainFindsWhereATrailWasChanged(t *testing.T) {
	tests := []struct {
		name   string
		change func([]wire.AuditEvent) []wire.AuditEvent
		at     int64 // 0: nothing to find
	}{
		{"as written", func(e []wire.AuditEvent) []wire.AuditEvent { return e }, 0},
		{"detail edited", func(e []wire.AuditEvent) []wire.AuditEvent { e[3].Detail = "x"; return e }, 4},
		{"outcome edited, hash recomputed", func(e []wire.AuditEvent) []wire.AuditEvent {
			e[3].Outcome = wire.OutcomeDenied
			e[3].Hash = e[3].ComputeHash()
			return e
		}, 5},
		{"two swapped", func(e []wire.AuditEvent) []wire.AuditEvent { e[2], e[3] = e[3], e[2]; return e }, 3},
		{"one removed", func(e []wire.AuditEvent) []wire.AuditEvent { return slices.Delete(e, 4, 5) }, 5},
		{"the first removed", func(e []wire.AuditEvent) []wire.AuditEvent { return e[1:] }, 1},
		{"one doubled", func(e []wire.AuditEvent) []wire.AuditEvent { return slices.Insert(e, 2, e[1]) }, 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var c wire.Chain
			var err error
			for _, e := range tt.change(trail(8)) {
				if err = c.Add(e); err != nil {
					break
				}
			}
			var bad *wire.ChainError
			switch {
			case tt.at == 0 && err != nil:
				t.Errorf("err = %v", err)
			case tt.at != 0 && (!errors.As(err, &bad) || bad.Position != tt.at):
				t.Errorf("err = %v, want one at event %d", err, tt.at)
			}
		})
	}
}

func TestChainGoesOnFromACheckpoint(t *testing.T) {
	events := trail(6)
	c := wire.Chain{Size: 4, Head: events[3].Hash}
	for _, e := range events[4:] {
		if err := c.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	if c.Size != 6 || c.Head != events[5].Hash {
		t.Errorf("chain = %+v", c)
	}
}
