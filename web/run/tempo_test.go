package run_test

import (
	"testing"

	"github.com/devonartis/medassist-go/web/run"
)

func TestTempo(t *testing.T) {
	for _, tc := range []struct{ pace, name, faster, slower string }{
		{"talk:800ms", "talk", "talk:500ms", "talk:1.2s"},
		{"talk", "talk", "talk:500ms", "talk:1.2s"},
		{"talk:1s", "talk", "talk:800ms", "talk:1.2s"},
		{"talk:500ms", "talk", "talk:500ms", "talk:800ms"},
		{"talk:5s", "talk", "talk:3s", "talk:5s"},
		{"talk:30s", "talk", "talk:5s", "talk:30s"},
	} {
		got := run.ReadTempo(tc.pace)
		if got.Name != tc.name || got.Faster() != tc.faster || got.Slower() != tc.slower {
			t.Errorf("%s: %s, faster %s, slower %s; want %s, %s, %s", tc.pace, got.Name, got.Faster(), got.Slower(), tc.name, tc.faster, tc.slower)
		}
	}
}
