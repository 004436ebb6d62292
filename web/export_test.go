package web_test

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/web"
	"github.com/devonartis/medassist-go/web/browsertest"
)

func (s *site) fetch(t *testing.T, path string) (*http.Response, []byte) {
	t.Helper()
	resp, err := http.Get(s.URL + path)
	must(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	return resp, body
}

// A run as JSON contains its whole trace and its events of both audit logs.
func TestExportJSON(t *testing.T) {
	t.Parallel()
	s := newSite(t, configure{})
	id, _ := s.encounter(t, "P-1042", "Show records, check billing, and prescribe Lisinopril")
	resp, body := s.fetch(t, "/runs/"+id+"/export.json")
	var x struct {
		trace.Export
		Audit     []agentwrit.AuditEvent `json:"audit"`
		Decisions []agentwrit.AuditEvent `json:"decisions"`
	}
	must(t, json.Unmarshal(body, &x))
	if x.Run.ID != id || x.Run.Summary == nil || len(x.Events) < 30 || x.Events[len(x.Events)-1].Step.Type() != trace.TypeComplete {
		t.Errorf("run %s with %d events", x.Run.ID, len(x.Events))
	}
	registered := 0
	for _, e := range x.Audit {
		if e.TaskID != id {
			t.Errorf("an audit event of another task: %+v", e)
		}
		if e.EventType == "agent_registered" {
			registered++
		}
	}
	for _, e := range x.Decisions {
		if e.TaskID != id || e.Hash != e.ComputeHash() {
			t.Errorf("a decision of another run: %+v", e)
		}
	}
	if len(x.Decisions) != x.Run.Summary.Allowed {
		t.Errorf("%d decisions, and %d calls allowed", len(x.Decisions), x.Run.Summary.Allowed)
	}
	if registered != 3 {
		t.Errorf("%d agents registered in the audit log, want 3", registered)
	}
	if got := resp.Header.Get("Content-Disposition"); got != `attachment; filename="`+id+`.json"` {
		t.Errorf("Content-Disposition: %s", got)
	}
}

// Without the admin secret there are no audit events, and an unknown run has no
// export.
func TestExportWithout(t *testing.T) {
	t.Parallel()
	s := newSite(t, configure{web: func(c *web.Config) { c.Admin = nil }})
	id, _ := s.encounter(t, "P-1042", "Show records")
	if resp, body := s.fetch(t, "/runs/"+id+"/export.json"); resp.StatusCode != 200 || strings.Contains(string(body), `"audit"`) {
		t.Errorf("%s %s", resp.Status, body)
	}
	for _, path := range []string{"/runs/run-0/export.json", "/runs/run-0/export.html"} {
		if resp, _ := s.fetch(t, path); resp.StatusCode != 404 {
			t.Errorf("%s: %s", path, resp.Status)
		}
	}
}

// An exported file opens from disk: it requests nothing, runs no script, shows what
// the page shows, and contains no token.
func TestBrowserExportedFile(t *testing.T) {
	t.Parallel()
	s := newSite(t, configure{})
	id, _ := s.encounter(t, "P-1042", "Show me records for this patient and also get records for P-2187")
	_, body := s.fetch(t, "/runs/"+id+"/export.html")
	if page := string(body); strings.Contains(page, "<script") || strings.Contains(page, "eyJhbGciOiJ") || strings.Contains(page, "<link") {
		t.Error("the file contains a script, a link or a token")
	}
	file := filepath.Join(t.TempDir(), "run.html")
	must(t, os.WriteFile(file, body, 0o600))
	p := browsertest.Start(t).Open(t, browsertest.Laptop)
	p.Go("file://" + file)
	if got, want := browsertest.Eval[[]int](p, steps), s.finish(t, id); len(got) != len(want) {
		t.Errorf("%d steps, want %d", len(got), len(want))
	}
	if p.Count(".m-denied") != 1 || p.Count("svg.hero") == 0 || p.Count(".answer p") == 0 || p.Count("button") > 0 {
		t.Error("not shown in full, or with controls")
	}
	onEachScreen(p, func(name string) {
		p.Fits("an exported run, " + name)
		p.Screenshot("exported-" + name)
		if name == "laptop" || name == "light" {
			p.Accessible("an exported run, " + name)
		}
	})
}
