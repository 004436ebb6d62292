package web_test

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/devonartis/medassist-go/internal/text"
)

// Characters that reorder or hide text are shown as escapes in pages, streams and
// files, and never sent as they are.
func TestHiddenCharactersAreShown(t *testing.T) {
	t.Parallel()
	s := newSite(t, configure{})
	const request = "Show labs of P-\u202e2401\u200b now\U000e0049"
	runID, _ := s.encounter(t, "P-1042", request)
	for _, tc := range []struct{ path, want string }{
		{"/runs/" + runID, `P-\u202e2401\u200b now\U000e0049`},
		{"/runs", `P-\u202e2401\u200b now\U000e0049`},
		{"/runs/" + runID + "/export.html", `P-\u202e2401\u200b now\U000e0049`},
		{"/runs/" + runID + "/export.json", `P-\u202e2401\u200b now\udb40\udc49`},
		{"/api/runs/" + runID, `P-\u202e2401\u200b now\udb40\udc49`},
		{"/api/runs/" + runID + "/events", `P-\u202e2401\u200b now\udb40\udc49`},
		{"/audit/decisions", ""},
		{"/audit/decisions/export", ""},
		{"/?request=" + url.QueryEscape(request), ""},
	} {
		resp, body := s.fetch(t, tc.path)
		if resp.StatusCode != http.StatusOK || !strings.Contains(string(body), tc.want) {
			t.Errorf("%s: %s, without %s", tc.path, resp.Status, tc.want)
		}
		if i := bytes.IndexFunc(body, text.Hidden); i >= 0 {
			t.Errorf("%s sends %q", tc.path, body[i:min(i+40, len(body))])
		}
	}
	resp, err := http.PostForm(s.URL+"/runs", url.Values{"patient_id": {"P-\u202e1042"}, "request": {"x"}})
	must(t, err)
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusBadRequest {
		t.Errorf("a patient ID with an override: %s", resp.Status)
	}
}
