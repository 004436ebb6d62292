package view

import (
	"strings"
	"testing"
	"time"
)

func TestIdentifiersAreToldFromWords(t *testing.T) {
	for line, want := range map[string]string{
		"Gate refused get_patient_records for P-2187: read:records:P-2187 is not held.": "Gate refused [get_patient_records] for [P-2187]: [read:records:P-2187] is not held.",
		"The billing token holds read:billing:*":                                        "The billing token holds [read:billing:*]",
		"spiffe://agentwrit.local/agent/x/1, it says":                                   "[spiffe://agentwrit.local/agent/x/1], it says",
		"Turn 1: OFFLINE PLANNER is asked":                                              "Turn 1: OFFLINE PLANNER is asked",
		"":                                                                              "",
	} {
		var b strings.Builder
		for _, w := range Words(line) {
			if w.Mono {
				w.Text = "[" + w.Text + "]"
			}
			b.WriteString(w.Text)
		}
		if got := b.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// Cutting a line into words loses nothing of it.
func FuzzWords(f *testing.F) {
	f.Add("a read:records:P-1042.b_c spiffe://x")
	f.Add("_a_b:c:d:*")
	f.Fuzz(func(t *testing.T, line string) {
		var b strings.Builder
		for _, w := range Words(line) {
			b.WriteString(w.Text)
		}
		if b.String() != line {
			t.Errorf("%q became %q", line, b.String())
		}
	})
}

func TestTimes(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "", 40 * time.Microsecond: "<0.1 ms", 140 * time.Microsecond: "0.1 ms", 4*time.Millisecond + 600*time.Microsecond: "4 ms",
		1234 * time.Millisecond: "1.2 s", 95 * time.Second: "1:35 min",
	} {
		if got := Duration(d); got != want {
			t.Errorf("%s is written %q, want %q", d, got, want)
		}
	}
	for d, want := range map[time.Duration]string{-time.Second: "0:00", 0: "0:00", time.Millisecond: "0:01", 5 * time.Minute: "5:00", 61*time.Minute + 1: "61:01"} {
		if got := Clock(d); got != want {
			t.Errorf("%s is left as %q, want %q", d, got, want)
		}
	}
}

func TestEnds(t *testing.T) {
	for id, want := range map[string]string{
		"spiffe://agentwrit.local/agent/medassist/run-1/ab": "spiffe://agentwrit.local/…/ab",
		"spiffe://agentwrit.local/x":                        "spiffe://agentwrit.local/x",
		"app:clinic":                                        "app:clinic",
		"":                                                  "",
	} {
		if got := Ends(id); got != want {
			t.Errorf("%q: %q, want %q", id, got, want)
		}
	}
}
