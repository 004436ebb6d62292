package main

import (
	"database/sql"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/agents"
	"github.com/devonartis/medassist-go/trace"
)

// A readOnly is a database of the running demo whose tables can be made read-only:
// every change fails, while what is stored can be read.
type readOnly struct {
	t      *testing.T
	db     *sql.DB
	tables []string
}

func openReadOnly(t *testing.T, path string) *readOnly {
	t.Helper()
	db, err := sql.Open("sqlite", path+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	r := &readOnly{t: t, db: db}
	rows, err := db.Query("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		r.tables = append(r.tables, name)
	}
	if err := rows.Err(); err != nil || len(r.tables) == 0 {
		t.Fatalf("%d tables in %s, %v", len(r.tables), path, err)
	}
	return r
}

// set makes the database read-only, or writable again.
func (r *readOnly) set(on bool) {
	r.t.Helper()
	statements := []string{"BEGIN IMMEDIATE"}
	for _, table := range r.tables {
		for _, change := range []string{"INSERT", "UPDATE", "DELETE"} {
			name := "readonly_" + table + "_" + change
			if on {
				statements = append(statements, "CREATE TRIGGER "+name+" BEFORE "+change+" ON "+table+
					" BEGIN SELECT RAISE(ABORT, 'attempt to write a readonly database'); END")
			} else {
				statements = append(statements, "DROP TRIGGER "+name)
			}
		}
	}
	if _, err := r.db.Exec(strings.Join(append(statements, "COMMIT"), ";")); err != nil {
		r.t.Fatal(err)
	}
}

// The databases turn read-only in the middle of a run, one after another, and
// writable again, during the run or after it. Each run ends with all its steps, none
// lost or doubled. Its tokens are revoked, or its last step says until when they may
// be valid. Health is not ready until writing works again, and then so do runs.
func TestReadOnlyInTheMiddleOfRuns(t *testing.T) {
	t.Parallel()
	const request = "Show records, write a note that the patient is well, and prescribe Lisinopril"
	for _, file := range []string{"broker/broker.db", "runs.db", "records.db", "decisions.db"} {
		for _, mends := range []string{"during the run", "after the run"} {
			if testing.Short() && mends != "during the run" {
				continue
			}
			t.Run(file+" mends "+mends, func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				a := startApp(t, func(c *Config) {
					c.Ephemeral, c.Data = false, dir
					c.limits = agents.Limits{ToolCall: 2 * time.Second, BrokerCall: 2 * time.Second}
				})
				db := openReadOnly(t, filepath.Join(dir, filepath.FromSlash(file)))
				admin := a.admin()
				id := a.begin(`{"patient_id":"P-1042","request":"` + request + `","pace":"step"}`)
				// until takes steps until a condition is met.
				until := func(what string, is func(events []trace.Event) bool) {
					t.Helper()
					a.eventually(what, func() bool {
						if is(a.export(id).Events) {
							return true
						}
						a.post("/api/runs/"+id+"/next", "")
						return false
					})
				}
				ended := func(events []trace.Event) bool {
					if len(events) == 0 {
						return false
					}
					_, is := events[len(events)-1].Step.(trace.Complete)
					return is
				}

				until("the first agent", func([]trace.Event) bool { return countEvents(t, admin, id, "agent_registered") > 0 })
				db.set(true)
				if mends == "during the run" {
					seen := len(a.export(id).Events)
					until("four more steps", func(events []trace.Event) bool { return len(events) >= seen+4 || ended(events) })
					db.set(false)
				}
				until("the run's end", ended)
				run := a.export(id)
				if mends == "after the run" {
					if status, problems := a.healthOf(); status != http.StatusServiceUnavailable {
						t.Errorf("health while %s is read-only: %d, %s", file, status, problems)
					}
					db.set(false)
				}
				a.eventually("health", func() bool { status, _ := a.healthOf(); return status == http.StatusOK })

				for i, e := range run.Events {
					if e.Seq != int64(i+1) {
						t.Fatalf("step %d has the number %d", i+1, e.Seq)
					}
				}
				summary := run.Run.Summary
				registered, released := countEvents(t, admin, id, "agent_registered"), countEvents(t, admin, id, "token_released")
				switch {
				case file == "broker/broker.db":
					if released < registered && summary.ValidUntil == 0 {
						t.Errorf("%d agents, %d tokens released, and the trace does not say until when the others are valid", registered, released)
					}
				case !summary.AllRevoked || released < registered:
					t.Errorf("%d agents, %d tokens released: %+v", registered, released, summary)
				}
				again := a.run("P-1042", request)
				if c := again.complete(t); c.Errors > 0 || !c.AllRevoked {
					t.Errorf("a run after the fault: %+v", c)
				}
				var stored int
				kept := openReadOnly(t, filepath.Join(dir, "runs.db"))
				if err := kept.db.QueryRow("SELECT count(*) FROM event WHERE run_id = ?", id).Scan(&stored); err != nil || stored != len(run.Events) {
					t.Errorf("%d of %d steps are stored, %v", stored, len(run.Events), err)
				}
			})
		}
	}
}
