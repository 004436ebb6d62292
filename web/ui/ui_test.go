package ui

import (
	"strings"
	"testing"

	"github.com/devonartis/medassist-go/web/static"
)

func TestShortID(t *testing.T) {
	for id, want := range map[string]string{
		"spiffe://agentwrit.local/agent/medassist/run-1/ab": "spiffe://agentwrit.local/…/ab",
		"spiffe://agentwrit.local/x":                        "spiffe://agentwrit.local/x",
		"app:clinic":                                        "app:clinic",
		"":                                                  "",
	} {
		if got := ShortID(id); got != want {
			t.Errorf("ShortID(%q) = %q, want %q", id, got, want)
		}
	}
}

func layout(t *testing.T, p Page) string {
	t.Helper()
	p.Files = static.New()
	var b strings.Builder
	if err := Layout(p).Render(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// The page states which broker and model are behind it.
func TestLayoutNamesBrokerAndModel(t *testing.T) {
	for _, tc := range []struct {
		name   string
		page   Page
		want   []string
		marked bool
	}{
		{"embedded, offline", Page{Embedded: true, Broker: "http://127.0.0.1:8080", Model: "OFFLINE PLANNER", ModelMode: "offline"}, []string{"<b>embedded</b>", "<b>OFFLINE PLANNER</b>"}, true},
		{"recorded", Page{Embedded: true, Model: "RECORDED", ModelMode: "recorded"}, []string{"<b>embedded</b>", "<b>RECORDED</b>"}, true},
		{"remote", Page{Broker: "https://broker.example", Model: "gpt-4o-mini", ModelMode: "remote"}, []string{"<b>https://broker.example</b>", "<b>gpt-4o-mini</b>"}, false},
	} {
		got := layout(t, tc.page)
		for _, want := range tc.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s: the page lacks %s", tc.name, want)
			}
		}
		if marked := strings.Contains(got, "mode-simulated"); marked != tc.marked {
			t.Errorf("%s: marked as simulated: %v", tc.name, marked)
		}
	}
}

// Controls for the presenter are hidden by the body's class, since parts of a
// page are rendered once for everyone.
func TestLayoutMarksTheAudience(t *testing.T) {
	for _, presenter := range []bool{true, false} {
		if audience := strings.Contains(layout(t, Page{Presenter: presenter}), `audience"`); audience == presenter {
			t.Errorf("presenter %v: marked as audience: %v", presenter, audience)
		}
	}
}
