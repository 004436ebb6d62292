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

// Limits of an audit event's texts in bytes, before escaping.
const (
	maxAuditField  = 1024 // a field, or a quoted text in the detail
	maxAuditDetail = 8192 // the detail, which is composed of such texts
	maxScopesText  = 700  // the scopes in one event; further ones follow in another
	maxBrief       = 400  // scopes in the detail of a refusal
)

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
	var chain wire.Chain
	var last wire.AuditEvent
	var lastSeq int64
	var broken *wire.ChainError
	head, err := b.store.Log(ctx, func(seq int64, e wire.AuditEvent) error {
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
// that separates the hashed fields, or a line break. In a detail, text that a
// caller chose has been quoted before.
func auditSafe(e wire.AuditEvent) wire.AuditEvent {
	for _, field := range []*string{&e.AgentID, &e.TaskID, &e.OrchID, &e.Resource, &e.DelegChainHash} {
		*field = escape(*field)
	}
	e.Detail = escapeRunes(text.Clip(e.Detail, maxAuditDetail), func(r rune) bool { return r != '\\' && mustEscape(r) })
	return e
}

// quote returns text that a caller chose for use in a detail: escaped and in double
// quotes, so that it can't be mistaken for another part of the detail.
func quote(s string) string {
	return `"` + escapeRunes(text.Clip(s, maxAuditField), func(r rune) bool { return r == '"' || mustEscape(r) }) + `"`
}

// brief formats scopes for the detail of a refusal, clipped.
func brief(scopes []string) string { return text.Clip(list(scopes), maxBrief) }

// recordScopes records a granted set of scopes between two parts of the detail.
// Scopes that are too long for one event follow in further events of the same kind,
// which are numbered: every granted scope is in the log.
func (c *change) recordScopes(e wire.AuditEvent, before string, scopes []string, after string) {
	var parts [][]string
	length := maxScopesText
	for _, s := range scopes {
		if length+len(s) > maxScopesText {
			parts, length = append(parts, nil), 0
		}
		parts[len(parts)-1] = append(parts[len(parts)-1], s)
		length += len(s) + 1
	}
	for i, part := range parts {
		e.Detail = before + list(part) + after
		if len(parts) > 1 {
			e.Detail += fmt.Sprintf(" part=%d/%d", i+1, len(parts))
		}
		c.record(e)
	}
}

// escape clips a field and escapes it.
func escape(s string) string { return escapeRunes(text.Clip(s, maxAuditField), mustEscape) }

// escapeRunes writes the characters of valid UTF-8 that must be escaped as \u{…}.
func escapeRunes(s string, must func(rune) bool) string {
	if strings.IndexFunc(s, must) < 0 {
		return s
	}
	var out strings.Builder
	for _, r := range s {
		if must(r) {
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
