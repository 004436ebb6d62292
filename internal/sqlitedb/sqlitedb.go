// Package sqlitedb opens the small databases of the app, those of the records and
// of the runs: without cgo, with a single connection, so that writers never get
// SQLITE_BUSY, and with a schema that grows by numbered steps.
//
// A database belongs to one process at a time, because two that served the same
// runs or records would each take the other's for leftovers. Other programs can
// still read the file, which is how backups are made. The broker has its own
// store, which must promise more.
package sqlitedb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/devonartis/medassist-go/internal/privatefile"
)

// lockSuffix is appended to a database's path for the path of its lock file.
const lockSuffix = "-lock"

// ErrInUse is what [Open] returns for a file that is open already.
var ErrInUse = errors.New("another process is using the database")

// Open opens or creates the database at path, or one in memory when path is
// empty, and brings its schema up to date. Each step of migrations is run
// once, in order; PRAGMA user_version counts those that were. It fails with
// ErrInUse when another process has the file.
func Open(ctx context.Context, path string, migrations []string) (*sql.DB, error) {
	dsn := ":memory:"
	if path != "" {
		for _, file := range []string{path, path + lockSuffix} {
			if err := privatefile.Create(file); err != nil {
				return nil, fmt.Errorf("open database: %w", err)
			}
		}
		dsn = "file:" + (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath()
	}
	// NORMAL: a power cut may take the last moments of a demo's history with
	// it, never the database.
	params := url.Values{"_txlock": {"immediate"}, "_pragma": {
		"busy_timeout(1000)", "journal_mode(WAL)", "synchronous(NORMAL)", "foreign_keys(1)"}}
	c := connector{dsn: dsn + "?" + params.Encode()}
	if path != "" {
		c.lock = path + lockSuffix
	}
	db := sql.OpenDB(c)
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
