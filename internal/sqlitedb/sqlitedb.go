// Package sqlitedb opens the small databases of the app, the records' and the
// runs', the one way that was found to hold: no cgo, a single connection, so
// that writers never meet SQLITE_BUSY, and a schema that grows by numbered
// steps. A file belongs to one process at a time: two that serve the same
// runs or records would each believe the other's to be left over. The broker
// has its own store, which must promise more.
package sqlitedb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// ErrInUse is what [Open] returns for a file that is open already.
var ErrInUse = errors.New("another process is using the database")

// Open opens or creates the database at path, or one in memory when path is
// empty, and brings its schema up to date. Each step of migrations is run
// once, in order; PRAGMA user_version counts those that were. It fails with
// ErrInUse when another process has the file.
func Open(ctx context.Context, path string, migrations []string) (*sql.DB, error) {
	dsn := ":memory:"
	if path != "" {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return nil, fmt.Errorf("data folder: %w", err)
		}
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return nil, fmt.Errorf("open database: %w", err)
		}
		if err := f.Close(); err != nil {
			return nil, fmt.Errorf("open database: %w", err)
		}
		dsn = "file:" + (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath()
	}
	// NORMAL: a power cut may take the last moments of a demo's history with
	// it, never the database.
	params := url.Values{"_txlock": {"immediate"}, "_pragma": {
		"busy_timeout(1000)", "locking_mode(EXCLUSIVE)", "journal_mode(WAL)", "synchronous(NORMAL)", "foreign_keys(1)"}}
	db, err := sql.Open("sqlite", dsn+"?"+params.Encode())
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	db.SetMaxOpenConns(1)
	if err := Migrate(ctx, db, migrations); err != nil {
		_ = db.Close() // the first error counts
		var failure *sqlite.Error
		if errors.As(err, &failure) && failure.Code()&0xff == sqlite3.SQLITE_BUSY {
			return nil, fmt.Errorf("%w: %s", ErrInUse, path)
		}
		return nil, err
	}
	return db, nil
}
