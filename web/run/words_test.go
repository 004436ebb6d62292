package run

import (
	"slices"
	"strings"
	"testing"

	"github.com/devonartis/medassist-go/trace"
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

// Beside the uses of a stolen token, the counts of the agents' own calls say where they
// were decided, and no zero contradicts what was denied.
func TestTotalsOfStolenToken(t *testing.T) {
	r := NewRun(trace.Run{})
	r.Complete = &trace.Complete{AgentsCount: 1, Allowed: 1, Tokens: 1, AllRevoked: true}
	for _, s := range []trace.StolenTokenUsed{{Authorized: true}, {RefusedBy: trace.RefusedByRecords}, {RefusedBy: trace.RefusedByRecords}} {
		r.events = append(r.events, trace.Event{Step: s})
	}
	var got []string
	for _, n := range r.totals() {
		got = append(got, n.Words)
	}
	if want := []string{"1 agent", "1 allowed at the gate", "1 token confirmed revoked", "stolen token: 1 accepted, 2 denied"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
