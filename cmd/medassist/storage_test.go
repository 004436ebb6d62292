package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/agents"
	"github.com/devonartis/medassist-go/trace"
)

// healthOf returns the app's status and problems.
func (a *app) healthOf() (status int, problems string) {
	a.Helper()
	resp := a.do("GET", "/healthz", nil, "")
	var h struct{ Problems []string }
	if err := json.NewDecoder(resp.Body).Decode(&h); err != nil {
		a.Fatal(err)
	}
	return resp.StatusCode, strings.Join(h.Problems, "; ")
}

// eventually waits for a condition.
func (a *app) eventually(what string, is func() bool) {
	a.Helper()
	for deadline := time.Now().Add(15 * time.Second); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			a.Fatalf("%s: not within 15 s", what)
		}
	}
}

// A database of the running demo fails in each way, and mends. Meanwhile runs end,
// their tokens are released, pages are served, the run's page says that it is not
// stored, and health is not ready until storing works again.
func TestStorageFaults(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := startApp(t, func(c *Config) {
		c.Ephemeral, c.Data = false, dir
		c.limits = agents.Limits{ToolCall: 3 * time.Second}
	})
	a.run("P-1042", "Show labs")
	for _, fault := range []struct {
		name, file  string
		break_, fix string
		problem     string
		unsaved     bool
	}{
		{"runs, locked by another process", "runs.db", "BEGIN IMMEDIATE", "ROLLBACK", "runs can't be stored", true},
		{"runs, every insertion fails", "runs.db", "CREATE TRIGGER fault BEFORE INSERT ON event BEGIN SELECT RAISE(ABORT, 'disk full'); END", "DROP TRIGGER fault", "runs can't be stored", true},
		{"decisions, every insertion fails", "decisions.db", "CREATE TRIGGER fault BEFORE INSERT ON decision BEGIN SELECT RAISE(ABORT, 'disk full'); END", "DROP TRIGGER fault", "decisions can't be stored", false},
		{"records, locked by another process", "records.db", "BEGIN IMMEDIATE", "ROLLBACK", "records can't be written", false},
		{"records, every insertion fails", "records.db", "CREATE TRIGGER fault BEFORE INSERT ON probe BEGIN SELECT RAISE(ABORT, 'disk full'); END; " +
			"CREATE TRIGGER fault2 BEFORE INSERT ON visits BEGIN SELECT RAISE(ABORT, 'disk full'); END", "DROP TRIGGER fault; DROP TRIGGER fault2", "records can't be written", false},
	} {
		if testing.Short() && fault.break_ == "BEGIN IMMEDIATE" {
			continue // it waits until the database gives up
		}
		t.Run(fault.name, func(t *testing.T) {
			a := &app{T: t, Addresses: a.Addresses}
			other, err := sql.Open("sqlite", filepath.Join(dir, fault.file))
			if err != nil {
				t.Fatal(err)
			}
			defer other.Close()
			conn, err := other.Conn(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			exec := func(query string) {
				t.Helper()
				if _, err := conn.ExecContext(context.Background(), query); err != nil {
					t.Fatal(err)
				}
			}
			exec("PRAGMA busy_timeout = 5000")

			exec(fault.break_)
			r := a.run("P-1042", "Show labs and write a note that the patient is well")
			c, ended := r.Trace[len(r.Trace)-1].Step.(trace.Complete)
			if !ended || !c.AllRevoked || c.Tokens == 0 {
				t.Errorf("the run: %+v", c)
			}
			if status, problems := a.healthOf(); status != http.StatusServiceUnavailable || !strings.Contains(problems, fault.problem) {
				t.Errorf("health during the fault: %d, %s", status, problems)
			}
			for path, says := range map[string]string{"/": "request-form", "/runs": "", "/runs/" + r.RunID: map[bool]string{true: "not stored"}[fault.unsaved]} {
				resp := a.do("GET", path, nil, "")
				page, err := io.ReadAll(resp.Body)
				if err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(string(page), says) {
					t.Errorf("GET %s during the fault: %d, without %q", path, resp.StatusCode, says)
				}
			}

			exec(fault.fix)
			a.eventually("health after the fault", func() bool { status, _ := a.healthOf(); return status == http.StatusOK })
			page, err := io.ReadAll(a.do("GET", "/runs/"+r.RunID, nil, "").Body)
			if err != nil || strings.Contains(string(page), "not stored") {
				t.Errorf("the page after the fault says that the run is not stored (%v)", err)
			}
			if fault.unsaved {
				var stored int
				if err := conn.QueryRowContext(context.Background(), "SELECT count(*) FROM event WHERE run_id = ?", r.RunID).Scan(&stored); err != nil || stored != len(r.Trace) {
					t.Errorf("%d of %d steps are stored, %v", stored, len(r.Trace), err)
				}
			}
			again := a.run("P-1042", "Show labs and write a note that the patient is well")
			if c, _ := again.Trace[len(again.Trace)-1].Step.(trace.Complete); c.Errors > 0 || !c.AllRevoked {
				t.Errorf("a run after the fault: %+v", c)
			}
		})
	}
}
