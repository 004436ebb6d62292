package run

import (
	"strings"
	"testing"
)

func TestWords(t *testing.T) {
	for line, want := range map[string]string{
		"Denied get_patient_records for P-2187: the token lacks read:records:P-2187.": "Denied [get_patient_records] for [P-2187]: the token lacks [read:records:P-2187].",
		"The billing token holds read:billing:*":                                      "The billing token holds [read:billing:*]",
		"spiffe://agentwrit.local/agent/x/1, it says":                                 "[spiffe://agentwrit.local/agent/x/1], it says",
		"Prompt sent to the offline planner (turn 1)":                                 "Prompt sent to the offline planner (turn 1)",
		"": "",
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

// Splitting a line into words loses nothing.
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
