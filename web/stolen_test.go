package web_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/web"
)

// The command with the stolen token is the presenter's alone, is available only
// while the theft waits, and contains nothing that a shell would interpret.
func TestStolenCommand(t *testing.T) {
	t.Parallel()
	const key = "a-key-for-the-presenter"
	s := newSite(t, configure{web: func(c *web.Config) { c.PresenterKey = key }})
	ask := func(method, path, host, key string, form url.Values) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, "http://stage.example"+path, strings.NewReader(form.Encode()))
		r.Host = host
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if key != "" {
			r.Header.Set("X-Presenter-Key", key)
		}
		w := httptest.NewRecorder()
		s.web.Handler().ServeHTTP(w, r)
		return w
	}
	started := ask("POST", "/runs", "stage.example", key, url.Values{"scenario": {"stolen-token"}})
	path := started.Header().Get("Location") + "/stolen"
	for deadline := time.Now().Add(10 * time.Second); ask("POST", path, "stage.example", key, nil).Code != http.StatusOK; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no token was stolen")
		}
	}
	for name, tc := range map[string]struct {
		host, key string
		want      int
	}{
		"the presenter":            {"stage.example:5000", key, 200},
		"the presenter, by IPv6":   {"[::1]:5000", key, 200},
		"a viewer":                 {"stage.example", "", 403},
		"a wrong key":              {"stage.example", "another-key-altogether", 403},
		"a host that is a command": {"x';rm -rf ~;'", key, 400},
	} {
		got := ask("POST", path, tc.host, tc.key, nil)
		if got.Code != tc.want || strings.Contains(got.Body.String(), "Bearer eyJ") != (tc.want == 200) {
			t.Errorf("%s: %d, want %d", name, got.Code, tc.want)
		}
	}
	if got := ask("GET", path, "stage.example", key, nil); got.Code != http.StatusMethodNotAllowed {
		t.Errorf("a link gets it: %d", got.Code)
	}
}

// A run that is started on the encounter's page is shown on the stage too.
func TestStageShowsTheEncounter(t *testing.T) {
	t.Parallel()
	s := newSite(t, configure{})
	if status, _ := s.form(t, "/runs", url.Values{"scenario": {"billing"}}); status != 200 {
		t.Fatal(status)
	}
	for _, path := range []string{"/stage", "/follow", "/present"} {
		if _, body := s.fetch(t, path); !strings.Contains(string(body), "Show billing history and insurance coverage") {
			t.Errorf("%s does not show it", path)
		}
	}
	if _, body := s.fetch(t, "/present"); strings.Contains(string(body), "data-running") {
		t.Error("the timer runs, though no act was started")
	}
}
