package broker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/devonartis/medassist-go/agentwrit/wire"
)

// maxAuditField bounds each text of an audit event, in bytes before escaping.
const maxAuditField = 1024

// trail is the head of the audit chain. The chain itself is in the store.
type trail struct {
	mu     sync.RWMutex
	chain  wire.Chain
	lastAt time.Time

	broken string // what was wrong with the stored trail at start; "" if nothing
}

func (t *trail) head() wire.Chain {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.chain
}

func (t *trail) advance(c wire.Chain, at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.chain, t.lastAt = c, at
}

// loadTrail reads the whole stored trail and checks every link. A trail that is
// not as it was written is reported, not repaired: the broker goes on from its
// last event, and health says what is wrong for as long as it runs.
func (b *Broker) loadTrail(ctx context.Context) error {
	head, err := b.store.Head(ctx)
	if err != nil {
		return fmt.Errorf("read audit head: %w", err)
	}
	var chain wire.Chain
	var last wire.AuditEvent
	var lastSeq int64
	var broken *wire.ChainError
	err = b.store.EachEvent(ctx, func(seq int64, e wire.AuditEvent) error {
		if broken == nil {
			err := chain.Add(e)
			if seq != lastSeq+1 && err == nil {
				err = &wire.ChainError{Position: lastSeq + 1, ID: e.ID, Reason: "numbers are missing before it"}
			}
			errors.As(err, &broken)
		}
		last, lastSeq = e, seq
		return nil
	})
	if err != nil {
		return fmt.Errorf("read audit trail: %w", err)
	}
	switch {
	case broken != nil:
		b.trail.broken = broken.Error()
	case chain.Size < head.Size:
		b.trail.broken = fmt.Sprintf("audit trail was cut: %d events, %d were written", chain.Size, head.Size)
	case chain.Size > 0 && (chain.Size != head.Size || chain.Head != head.Head):
		b.trail.broken = "audit trail does not end where it was left"
	}
	if b.trail.broken != "" {
		b.log.Error("the stored audit trail is not the one that was written", "problem", b.trail.broken)
	}
	// New events go after both what is there and what was once there, so that a
	// number is never given twice.
	b.trail.chain = wire.Chain{Size: max(lastSeq, head.Size), Head: head.Head}
	if lastSeq > 0 {
		b.trail.chain.Head, b.trail.lastAt = last.Hash, last.Timestamp
	}
	return nil
}

// auditSafe bounds and escapes an event's texts, so that the "|" between the
// hashed fields is unambiguous and a line stays a line.
func auditSafe(e wire.AuditEvent) wire.AuditEvent {
	for _, field := range []*string{&e.AgentID, &e.TaskID, &e.OrchID, &e.Detail, &e.Resource, &e.DelegChainHash} {
		*field = escape(*field)
	}
	return e
}

func escape(s string) string {
	if len(s) > maxAuditField {
		cut := maxAuditField
		for cut > 0 && !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = s[:cut] + "…"
	}
	if strings.IndexFunc(s, mustEscape) < 0 && utf8.ValidString(s) {
		return s
	}
	var out strings.Builder
	for _, r := range s { // invalid UTF-8 comes as U+FFFD
		if mustEscape(r) {
			fmt.Fprintf(&out, `\u{%x}`, r)
		} else {
			out.WriteRune(r)
		}
	}
	return out.String()
}

func mustEscape(r rune) bool {
	return r == '|' || r == '\\' || !unicode.IsPrint(r)
}
