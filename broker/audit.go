package broker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/internal/text"
)

// maxAuditField is the maximum length of each text in an audit event, in bytes
// before escaping.
const maxAuditField = 1024

// auditLog is the head of the audit log. The events are in the store.
type auditLog struct {
	mu     sync.RWMutex
	chain  wire.Chain
	lastAt time.Time

	broken string // how the stored log failed its check at start; "" if it passed
}

func (l *auditLog) head() wire.Chain {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.chain
}

func (l *auditLog) advance(c wire.Chain, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.chain, l.lastAt = c, at
}

// loadAuditLog reads the stored audit log and checks every link. A log that fails
// the check is reported, not repaired: the broker continues after its last event,
// and health reports the failure until the broker stops.
func (b *Broker) loadAuditLog(ctx context.Context) error {
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
				err = &wire.ChainError{Position: lastSeq + 1, ID: e.ID, Reason: "events are missing before it"}
			}
			errors.As(err, &broken)
		}
		last, lastSeq = e, seq
		return nil
	})
	if err != nil {
		return fmt.Errorf("read audit log: %w", err)
	}
	switch {
	case broken != nil:
		b.audit.broken = broken.Error()
	case chain.Size < head.Size:
		b.audit.broken = fmt.Sprintf("audit log was truncated: %d events stored, %d were written", chain.Size, head.Size)
	case chain.Size > 0 && (chain.Size != head.Size || chain.Head != head.Head):
		b.audit.broken = "audit log does not end at the stored head"
	}
	if b.audit.broken != "" {
		b.log.Error("the stored audit log was modified", "problem", b.audit.broken)
	}
	// Number new events after both the stored and the formerly stored ones, so
	// that no number is used twice.
	b.audit.chain = wire.Chain{Size: max(lastSeq, head.Size), Head: head.Head}
	if lastSeq > 0 {
		b.audit.chain.Head, b.audit.lastAt = last.Hash, last.Timestamp
	}
	return nil
}

// auditSafe clips and escapes an event's texts, so that no text contains the "|"
// that separates the hashed fields, or a line break.
func auditSafe(e wire.AuditEvent) wire.AuditEvent {
	for _, field := range []*string{&e.AgentID, &e.TaskID, &e.OrchID, &e.Detail, &e.Resource, &e.DelegChainHash} {
		*field = escape(*field)
	}
	return e
}

func escape(s string) string {
	s = text.Clip(s, maxAuditField)
	if strings.IndexFunc(s, mustEscape) < 0 {
		return s
	}
	var out strings.Builder
	for _, r := range s {
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
