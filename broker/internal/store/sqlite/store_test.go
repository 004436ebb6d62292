package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/broker/internal/store"
	"github.com/devonartis/medassist-go/broker/internal/store/storetest"
)

var (
	ctx = context.Background()
	now = time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)
)

func open(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func (s *Store) count(t *testing.T, table string) (n int) {
	t.Helper()
	if err := s.read.QueryRow(`SELECT count(*) FROM ` + table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// update is Update for a database that needs nothing after the commit.
func (s *Store) update(fn func(store.Tx) error) error {
	durable, err := s.Update(fn)
	if durable != nil {
		return errors.New("the commit is not on disk")
	}
	return err
}

func agent(id string) store.Agent {
	return store.Agent{ID: id, PublicKey: make([]byte, 32), ExpiresAt: now.Add(time.Hour)}
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return open(t, "") })
}

func TestOneProcessAtATime(t *testing.T) {
	dir := t.TempDir()
	first := open(t, dir)
	if _, err := Open(ctx, dir); !errors.Is(err, store.ErrLocked) {
		t.Fatalf("a second store on the folder: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, dir)
}

func TestAFolderWithAwkwardCharacters(t *testing.T) {
	dir := t.TempDir() + "/a b%20c?d#e&f"
	s := open(t, dir)
	if err := s.update(func(tx store.Tx) error { return tx.InsertAgent(agent("a")) }); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if n := open(t, dir).count(t, "agents"); n != 1 {
		t.Errorf("%d agents after reopening, want 1", n)
	}
}

func TestANewerDatabaseIsRefused(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	if _, err := s.write.Exec(fmt.Sprintf("PRAGMA user_version = %d", len(migrations)+1)); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if _, err := Open(ctx, dir); err == nil || !strings.Contains(err.Error(), "newer") {
		t.Errorf("err = %v", err)
	}
}

func TestDurability(t *testing.T) {
	s := open(t, t.TempDir())
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2"} {
		var got string
		if err := s.write.QueryRow("PRAGMA " + pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s = %s, %v; want %s", pragma, got, err, want)
		}
	}
	if _, err := s.read.Exec(`DELETE FROM agents`); err == nil {
		t.Error("a reader's connection can write")
	}
}

// Update keeps all of a transaction or nothing, whatever fails it, and works
// again when the fault is gone.
func TestAFailedUpdateKeepsNothing(t *testing.T) {
	stop := errors.New("stop")
	for name, fault := range map[string]struct {
		begin, end string
		inTx       error
	}{
		"the caller's error": {inTx: stop},
		"read-only":          {begin: "PRAGMA query_only = 1", end: "PRAGMA query_only = 0"},
		"full":               {begin: "PRAGMA max_page_count = 1", end: "PRAGMA max_page_count = 1000000"},
	} {
		for place, dir := range map[string]string{"on disk": t.TempDir(), "in memory": ""} {
			t.Run(name+" "+place, func(t *testing.T) {
				s := open(t, dir)
				insert := func(prefix string, then error) error {
					return s.update(func(tx store.Tx) error {
						for i := range 500 {
							if err := tx.InsertAgent(agent(fmt.Sprint(prefix, i))); err != nil {
								return err
							}
						}
						return then
					})
				}
				exec := func(pragma string) {
					t.Helper()
					if pragma == "" {
						return
					}
					if _, err := s.write.Exec(pragma); err != nil {
						t.Fatal(err)
					}
				}
				if err := insert("before", nil); err != nil {
					t.Fatal(err)
				}
				exec(fault.begin)
				for range 2 {
					if err := insert("during", fault.inTx); err == nil {
						t.Error("it succeeds")
					} else if fault.inTx != nil && !errors.Is(err, fault.inTx) {
						t.Errorf("err = %v", err)
					}
				}
				exec(fault.end)
				if n := s.count(t, "agents"); n != 500 {
					t.Errorf("%d agents, want the 500 from before", n)
				}
				if err := insert("after", nil); err != nil {
					t.Errorf("after the fault: %v", err)
				}
			})
		}
	}
}

// A reader in the middle of the log delays no write, on disk or in a temporary
// folder.
func TestReadersDoNotDelayTheWriter(t *testing.T) {
	for name, dir := range map[string]string{"folder": t.TempDir(), "temporary": ""} {
		t.Run(name, func(t *testing.T) {
			s := open(t, dir)
			for i := range int64(10) {
				err := s.update(func(tx store.Tx) error { return tx.AppendEvent(i+1, wire.AuditEvent{Hash: "00", PrevHash: "00"}) })
				if err != nil {
					t.Fatal(err)
				}
			}
			seen := 0
			_, err := s.Log(ctx, func(seq int64, _ wire.AuditEvent) error {
				seen++
				return s.update(func(tx store.Tx) error { return tx.AppendEvent(seq+10, wire.AuditEvent{Hash: "00", PrevHash: "00"}) })
			})
			if err != nil || seen != 10 {
				t.Errorf("%d events read while the log grew, %v; want the 10 that were there", seen, err)
			}
			if n := s.count(t, "audit_events"); n != 20 {
				t.Errorf("%d events, want 20", n)
			}
		})
	}
}

// Without a folder the data is private while it is used, and removed at Close, or
// at the next start if the process ended without it.
func TestTemporaryFolder(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	s := open(t, "")
	info, err := os.Stat(s.temporary)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Fatalf("temporary folder: %v, %v", info, err)
	}
	abandoned, fresh, used := os.TempDir()+"/"+temporaryPrefix+"1", os.TempDir()+"/"+temporaryPrefix+"2", open(t, "")
	for _, dir := range []string{abandoned, fresh} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	old := time.Now().Add(-time.Hour)
	for _, dir := range []string{abandoned, used.temporary} {
		if err := os.Chtimes(dir, old, old); err != nil {
			t.Fatal(err)
		}
	}
	open(t, "")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]bool{s.temporary: false, abandoned: false, fresh: true, used.temporary: true} {
		if _, err := os.Stat(dir); (err == nil) != want {
			t.Errorf("%s exists: %t, want %t", dir, err == nil, want)
		}
	}
}
