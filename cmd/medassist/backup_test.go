package main

import (
	"database/sql"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A backup is made while the demo runs, without its secrets unless they are asked
// for, and the demo starts with it: runs, audit log and app are the same.
func TestBackup(t *testing.T) {
	data := t.TempDir()
	onDisk := func(dir string) func(*Config) {
		return func(c *Config) { c.Ephemeral, c.Data = false, dir }
	}
	a := startApp(t, onDisk(data))
	r := a.run("P-1042", "Show labs")
	backup := func(args ...string) (string, string) {
		t.Helper()
		to := filepath.Join(t.TempDir(), "copy")
		var out strings.Builder
		if code := execute(t.Context(), append([]string{"backup", to, "--data", data}, args...), stdio{&out, &out}); code != 0 {
			t.Fatalf("exit code %d:\n%s", code, &out)
		}
		return to, out.String()
	}

	plain, out := backup()
	if got := filesIn(t, plain); got != "broker/broker.db decisions.db records.db runs.db" || !strings.Contains(out, "--secrets") {
		t.Errorf("copied %s:\n%s", got, out)
	}
	whole, _ := backup("--secrets")
	if got := filesIn(t, whole); !strings.Contains(got, "app.json") || !strings.Contains(got, "broker/signing-key.pem") {
		t.Errorf("copied %s", got)
	}
	a.run("P-1042", "Show labs") // the demo goes on
	if code := execute(t.Context(), []string{"backup", whole, "--data", data}, stdio{new(strings.Builder), new(strings.Builder)}); code != exitError {
		t.Errorf("a backup over another: exit code %d", code)
	}
	if err := a.stop(); err != nil {
		t.Fatal(err)
	}

	restored := startApp(t, onDisk(whole))
	if got := restored.export(r.RunID); len(got.Events) != len(r.Trace) {
		t.Errorf("the restored run has %d steps, want %d", len(got.Events), len(r.Trace))
	}
	assertAuditLogOf(t, restored, r.RunID)
	restored.run("P-1042", "Show labs")
}

// assertAuditLogOf checks that the audit log is intact and knows the run's agent.
func assertAuditLogOf(t *testing.T, a *app, runID string) {
	t.Helper()
	var out strings.Builder
	if err := (&verifyCmd{BrokerURL: a.Broker, AdminSecret: adminSecret}).Run(t.Context(), stdio{&out, &out}); err != nil {
		t.Errorf("%v\n%s", err, &out)
	}
	if n := countEvents(t, a.admin(), runID, "agent_registered"); n != 1 {
		t.Errorf("%d agents registered, want 1", n)
	}
}

// filesIn lists the files below a folder. All of them must be private.
func filesIn(t *testing.T, dir string) string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		name, err := filepath.Rel(dir, path)
		all = append(all, filepath.ToSlash(name))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(all, " ")
}

// The documented command of the sqlite3 shell works while the demo runs.
func TestSQLiteShellBackup(t *testing.T) {
	shell, err := exec.LookPath("sqlite3")
	if err != nil {
		t.Skip("sqlite3 is not installed")
	}
	data := t.TempDir()
	a := startApp(t, func(c *Config) { c.Ephemeral, c.Data = false, data })
	a.run("P-1042", "Show labs")
	for _, name := range []string{filepath.Join("broker", "broker.db"), "runs.db", "records.db"} {
		to := filepath.Join(t.TempDir(), "copy.db")
		if out, err := exec.CommandContext(t.Context(), shell, filepath.Join(data, name), ".backup '"+to+"'").CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", name, err, out)
			continue
		}
		db, err := sql.Open("sqlite", to)
		if err != nil {
			t.Fatal(err)
		}
		var result string
		if err := db.QueryRow("PRAGMA integrity_check").Scan(&result); err != nil || result != "ok" {
			t.Errorf("%s: %q, %v", name, result, err)
		}
		db.Close()
	}
	if _, err := os.Stat(filepath.Join(data, "runs.db")); err != nil {
		t.Error(err)
	}
}
