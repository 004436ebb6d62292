package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/devonartis/medassist-go/llm"
	"github.com/devonartis/medassist-go/trace"
)

// A recorded model plays back the same calls and the same answer without the
// server. A request that was not recorded is answered by the planner, and each of
// its turns is marked.
func TestRecordedModel(t *testing.T) {
	const key, request = "sk-a-key-that-must-not-leak", "Show records, check billing, and prescribe Lisinopril"
	file := filepath.Join(t.TempDir(), "model.jsonl")
	server := httptest.NewServer(llm.PlannerHandler())
	real := startApp(t, func(c *Config) {
		c.LLMBaseURL, c.LLMAPIKey, c.LLMModel, c.LLMRecord = server.URL+"/v1", key, "gpt-4o-mini", file
	})
	recorded := real.run("P-1042", request)
	if err := real.stop(); err != nil {
		t.Fatal(err)
	}
	server.Close()
	if b, err := os.ReadFile(file); err != nil || strings.Contains(string(b), key) {
		t.Fatalf("the recording: %v, or it contains the key", err)
	}

	a := startApp(t, func(c *Config) { c.LLMRecording = file })
	replies := func(r result) []trace.LLMResponse { return steps[trace.LLMResponse](r) }
	played := a.run("P-1042", request)
	was, is := replies(recorded), replies(played)
	if len(was) != len(is) || is[len(is)-1].Content != was[len(was)-1].Content {
		t.Errorf("recorded %d turns, played %d, the last one %q", len(was), len(is), is[len(is)-1].Content)
	}
	for _, r := range is {
		if r.StandIn != "" {
			t.Errorf("turn %d was recorded, but %s answered", r.Turn, r.StandIn)
		}
	}
	for _, start := range steps[trace.LLMStart](played) {
		if start.Model != "RECORDED gpt-4o-mini" || start.Mode != string(llm.ModeRecorded) {
			t.Errorf("model %s, mode %s", start.Model, start.Mode)
		}
	}

	other := a.run("P-1042", "Show labs")
	for _, r := range replies(other) {
		if r.StandIn != llm.PlannerName {
			t.Errorf("turn %d was not recorded, but names %q", r.Turn, r.StandIn)
		}
	}
	if page := a.page("/runs/" + other.RunID); !strings.Contains(page, "not in the recording: "+llm.PlannerName) {
		t.Error("the page does not name the planner")
	}
	if page := a.page("/runs/" + played.RunID); strings.Contains(page, "not in the recording") || !strings.Contains(page, "RECORDED gpt-4o-mini") {
		t.Error("the page does not label the run as recorded, or blames the planner")
	}
}

// page returns the HTML of a page.
func (a *app) page(path string) string {
	a.Helper()
	resp := a.do(http.MethodGet, path, map[string]string{"Accept": "text/html"}, "")
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		a.Fatal(err)
	}
	return string(b)
}
