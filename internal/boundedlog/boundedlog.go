// Package boundedlog limits similar log messages, so that a client or a broken
// disk that causes the same message again and again can't fill the disk with it or
// hide other messages.
package boundedlog

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// Bounds of similar messages.
const (
	burst   = 20
	period  = 10 * time.Second
	maxKeys = 256 // kinds of messages that are counted apart
)

// A Handler passes on at most 20 similar records in ten seconds. The next one
// after that states how many were left out. Records are similar if they have the
// same level and their messages are the same up to the first digit.
type Handler struct {
	next  slog.Handler
	kinds *kinds
}

var _ slog.Handler = (*Handler)(nil)

// New returns a Handler in front of another one.
func New(next slog.Handler) *Handler {
	return &Handler{next, &kinds{byKey: make(map[string]*kind)}}
}

// kinds counts records. Safe for concurrent use.
type kinds struct {
	mu    sync.Mutex
	byKey map[string]*kind
}

// kind counts similar records of one period.
type kind struct {
	began   time.Time
	passed  int
	leftOut int
}

// pass reports whether a record may pass, and how many were left out before it.
func (k *kinds) pass(r slog.Record) (ok bool, leftOut int) {
	message := r.Message
	if i := strings.IndexAny(message, "0123456789"); i >= 0 {
		message = message[:i]
	}
	key := r.Level.String() + message
	k.mu.Lock()
	defer k.mu.Unlock()
	this := k.byKey[key]
	if this == nil && len(k.byKey) >= maxKeys {
		key = "" // all others together
		this = k.byKey[key]
	}
	if this == nil {
		this = &kind{began: r.Time}
		k.byKey[key] = this
	}
	if since := r.Time.Sub(this.began); since >= period || since < 0 {
		leftOut = this.leftOut
		*this = kind{began: r.Time}
	}
	if this.passed == burst {
		this.leftOut++
		return false, 0
	}
	this.passed++
	return true, leftOut
}

// Enabled implements [slog.Handler].
func (h *Handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// Handle implements [slog.Handler].
func (h *Handler) Handle(ctx context.Context, r slog.Record) error {
	ok, leftOut := h.kinds.pass(r)
	if !ok {
		return nil
	}
	if leftOut > 0 {
		r = r.Clone()
		r.AddAttrs(slog.Int("similar_left_out", leftOut))
	}
	return h.next.Handle(ctx, r)
}

// WithAttrs implements [slog.Handler].
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &Handler{h.next.WithAttrs(attrs), h.kinds}
}

// WithGroup implements [slog.Handler].
func (h *Handler) WithGroup(name string) slog.Handler {
	return &Handler{h.next.WithGroup(name), h.kinds}
}
