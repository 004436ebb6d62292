package sqlitedb

import (
	"errors"
	"path/filepath"
	"testing"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// A connection takes the lock when it is made, before anything is written to the
// database itself, and gives it up when it is closed.
func TestConnectTakesTheLock(t *testing.T) {
	dir := t.TempDir()
	c := connector{dsn: "file:" + filepath.Join(dir, "test.db"), lock: filepath.Join(dir, "test.db-lock")}
	for range 2 {
		first, err := c.Connect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		second, err := c.Connect(t.Context())
		var failure *sqlite.Error
		if !errors.As(err, &failure) || failure.Code()&0xff != sqlite3.SQLITE_BUSY {
			t.Errorf("beside another connection: %v, want SQLITE_BUSY", err)
		}
		if err == nil {
			second.Close()
		}
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
