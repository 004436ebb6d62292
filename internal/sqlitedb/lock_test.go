package sqlitedb_test

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/devonartis/medassist-go/internal/sqlitedb"
)

var schema = []string{"CREATE TABLE a (n INTEGER) STRICT"}

// A database belongs to one opener at a time, and others can read it meanwhile.
func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b", "test.db")
	db, err := sqlitedb.Open(t.Context(), path, schema)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("INSERT INTO a VALUES (7)"); err != nil {
		t.Fatal(err)
	}
	if second, err := sqlitedb.Open(t.Context(), path, schema); !errors.Is(err, sqlitedb.ErrInUse) {
		second.Close()
		t.Errorf("opened twice: %v", err)
	}

	reader, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	copied := filepath.Join(t.TempDir(), "copy.db")
	if _, err := reader.Exec("VACUUM INTO ?", copied); err != nil {
		t.Errorf("a copy while the database is open: %v", err)
	}
	if _, err := db.Exec("INSERT INTO a VALUES (8)"); err != nil {
		t.Error(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}

	for _, p := range []string{path, copied} {
		db, err := sqlitedb.Open(t.Context(), p, schema)
		if err != nil {
			t.Fatalf("after it was closed: %v", err)
		}
		var n int
		if err := db.QueryRow("SELECT min(n) FROM a").Scan(&n); err != nil || n != 7 {
			t.Errorf("%s: %d, %v", p, n, err)
		}
		db.Close()
	}
	if info, err := os.Stat(path + "-lock"); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("the lock file: %v, %v", info, err)
	}
}
