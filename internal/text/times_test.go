package text

import (
	"testing"
	"time"
)

func TestDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "", 40 * time.Microsecond: "<0.1 ms", 140 * time.Microsecond: "0.1 ms", 4*time.Millisecond + 600*time.Microsecond: "4 ms",
		1234 * time.Millisecond: "1.2 s", 95 * time.Second: "1:35 min",
	} {
		if got := Duration(d); got != want {
			t.Errorf("Duration(%s) = %q, want %q", d, got, want)
		}
	}
}

func TestClock(t *testing.T) {
	for d, want := range map[time.Duration]string{-time.Second: "0:00", 0: "0:00", time.Millisecond: "0:01", 5 * time.Minute: "5:00", 61*time.Minute + 1: "61:01"} {
		if got := Clock(d); got != want {
			t.Errorf("Clock(%s) = %q, want %q", d, got, want)
		}
	}
}
