package agents_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/agents"
	"github.com/devonartis/medassist-go/agentwrit/brokertest"
)

func TestParseRequest(t *testing.T) {
	for _, tt := range []struct{ id, text, pace string }{
		{"P-1042", "Show records", ""},
		{"a", "Zeig die Akte, s'il vous plaît 🙂", "step"},
		{"P_1.0-42", "two\nlines\tand a tab", "talk:1s"},
		{"P-1042", strings.Repeat("ä", agents.MaxText), "instant"},
	} {
		r, err := agents.ParseRequest(tt.id, " "+tt.text+"\n", tt.pace)
		if err != nil || r.Patient.String() != tt.id || r.Text != tt.text {
			t.Errorf("%q, %q: %+v, %v", tt.id, tt.text, r, err)
		}
	}
	for _, tt := range []struct{ field, id, text, pace string }{
		{"patient_id", "", "Show records", ""},
		{"patient_id", "*", "Show records", ""},
		{"patient_id", "../x", "Show records", ""},
		{"patient_id", "..", "Show records", ""},
		{"patient_id", "P-1042:x", "Show records", ""},
		{"patient_id", "P-1042 ", "Show records", ""},
		{"patient_id", "P-1042\n", "Show records", ""},
		{"patient_id", "P-1042/records", "Show records", ""},
		{"patient_id", "Ρ-1042", "Show records", ""}, // a Greek rho
		{"patient_id", strings.Repeat("P", 10_000), "Show records", ""},
		{"request", "P-1042", "", ""},
		{"request", "P-1042", " \n\t", ""},
		{"request", "P-1042", strings.Repeat("ä", agents.MaxText+1), ""},
		{"request", "P-1042", "a\x00b", ""},
		{"request", "P-1042", "a\x1b[31mb", ""},
		{"request", "P-1042", "a\xffb", ""},
		{"pace", "P-1042", "Show records", "fast"},
	} {
		_, err := agents.ParseRequest(tt.id, tt.text, tt.pace)
		var in *agents.InputError
		if !errors.As(err, &in) || in.Field != tt.field || in.Message == "" {
			t.Errorf("%.20q, %.20q, %q: %v, want an error of %s", tt.id, tt.text, tt.pace, err, tt.field)
		}
	}
}

// A refused request starts no run: nothing is logged and no agent is created.
func TestRefusedRequestIsNotLogged(t *testing.T) {
	t.Parallel()
	w := newWorld(t, brokertest.Start, worldConfig{})
	for _, r := range []agents.Request{{}, {Text: "Show records"}} {
		var in *agents.InputError
		if _, err := w.Start(t.Context(), r); !errors.As(err, &in) {
			t.Errorf("%+v: %v", r, err)
		}
	}
	runs, err := w.log.Runs(t.Context(), time.Time{}, 10)
	if err != nil || len(runs) != 0 || len(w.Live()) != 0 {
		t.Errorf("%d runs, %d live, %v", len(runs), len(w.Live()), err)
	}
}

func FuzzParseRequest(f *testing.F) {
	f.Add("P-1042", "Show records", "talk:800ms")
	f.Add("*", "", "step")
	f.Add("../x", "a\x00", "")
	f.Fuzz(func(t *testing.T, id, text, pace string) {
		r, err := agents.ParseRequest(id, text, pace)
		if err != nil {
			return
		}
		if r.Patient.String() != id || strings.ContainsAny(id, "*:/ ") || len(id) > 32 || r.Text == "" || len(r.Text) > 4*agents.MaxText {
			t.Errorf("%q, %q was accepted as %+v", id, text, r)
		}
	})
}
