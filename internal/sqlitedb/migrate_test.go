package sqlitedb_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"strings"
	"testing"

	"github.com/devonartis/medassist-go/internal/sqlitedb"
)

func TestMigrate(t *testing.T) {
	ctx := context.Background()
	db, err := sql.Open("sqlite", filepath.Join(t.TempDir(), "test.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	count := func() (n int) {
		t.Helper()
		if err := db.QueryRow("SELECT count(*) FROM a").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}

	steps := []string{"CREATE TABLE a (n INTEGER) STRICT; INSERT INTO a VALUES (1)"}
	for range 2 { // the second time there is nothing to do
		if err := sqlitedb.Migrate(ctx, db, steps); err != nil {
			t.Fatal(err)
		}
	}
	if n := count(); n != 1 {
		t.Errorf("after one step: %d rows, want 1", n)
	}

	broken := append(steps[:1:1], "INSERT INTO a VALUES (2); INSERT INTO missing VALUES (1)")
	if err := sqlitedb.Migrate(ctx, db, broken); err == nil || !strings.Contains(err.Error(), "schema version 2") {
		t.Errorf("a step that fails: err = %v, want one that names schema version 2", err)
	}
	if n := count(); n != 1 {
		t.Errorf("after a step that failed: %d rows, want 1", n)
	}

	if err := sqlitedb.Migrate(ctx, db, append(steps[:1:1], "INSERT INTO a VALUES (2)")); err != nil {
		t.Fatal(err)
	}
	if n := count(); n != 2 {
		t.Errorf("after the second step: %d rows, want 2", n)
	}
	if err := sqlitedb.Migrate(ctx, db, steps); err == nil || !strings.Contains(err.Error(), "use a newer one") {
		t.Errorf("a newer database: err = %v, want one that asks for a newer program", err)
	}
}
