package boundedlog

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestHandler(t *testing.T) {
	var out bytes.Buffer
	h := New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelInfo})).WithAttrs([]slog.Attr{slog.String("part", "x")})
	now := time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)
	write := func(level slog.Level, message string) {
		t.Helper()
		if !h.Enabled(context.Background(), level) {
			return
		}
		if err := h.Handle(context.Background(), slog.NewRecord(now, level, message, 0)); err != nil {
			t.Fatal(err)
		}
	}
	// lines returns the lines since the last call.
	lines := func() []string {
		defer out.Reset()
		return strings.Split(strings.TrimSpace(out.String()), "\n")
	}
	for i := range 1000 {
		write(slog.LevelError, fmt.Sprintf("client %d is gone", i))
		write(slog.LevelDebug, "not enabled")
	}
	if got := lines(); len(got) != burst || !strings.Contains(got[0], "part=x") {
		t.Errorf("%d lines of 1,000 similar records", len(got))
	}
	write(slog.LevelError, "something else")
	write(slog.LevelWarn, "client 1 is gone")
	if got := lines(); len(got) != 2 {
		t.Errorf("other records: %q", got)
	}
	now = now.Add(period)
	write(slog.LevelError, "client 1001 is gone")
	write(slog.LevelError, "client 1002 is gone")
	if got := lines(); len(got) != 2 || !strings.Contains(got[0], "similar_left_out=980") || strings.Contains(got[1], "left_out") {
		t.Errorf("after the period: %q", got)
	}
	for i := range 10 * maxKeys {
		write(slog.LevelError, strings.Repeat("x", i))
	}
	if n := len(h.(*Handler).kinds.byKey); n > maxKeys+1 {
		t.Errorf("%d kinds of messages are remembered", n)
	}
}
