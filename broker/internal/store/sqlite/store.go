package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the "sqlite" driver

	"github.com/devonartis/medassist-go/broker/internal/store"
	"github.com/devonartis/medassist-go/internal/privatefile"
	"github.com/devonartis/medassist-go/internal/sqlitedb"
)

// Files in the data folder.
const (
	databaseFile = "broker.db"
	lockFile     = "broker.lock"
)

// busyTimeout is how long a commit waits for another program's lock on the file
// (a backup, a shell) before it fails.
const busyTimeout = 2 * time.Second

const readers = 4

// A Store is an open database file. It implements [store.Store].
type Store struct {
	write *sql.DB // one connection
	read  *sql.DB // a pool
	lock  *sql.DB // holds the lock file

	temporary string // the folder to remove at Close; "" if it is kept

	// Prepared statements on write by SQL text, nil until prepared. Used only by
	// Update.
	prepared map[string]*sql.Stmt
}

// Open opens or creates the database in dir. It fails with [store.ErrLocked] if another
// process is using it. If dir is empty the database is in a private temporary
// folder that Close removes: SQLite's databases in memory have one connection, or
// locks between them, so readers would delay the writer.
func Open(ctx context.Context, dir string) (_ *Store, err error) {
	s := &Store{prepared: make(map[string]*sql.Stmt)}
	defer func() {
		if err != nil {
			_ = s.Close() // the first error counts
		}
	}()
	synchronous := "synchronous(FULL)"
	if dir == "" {
		removeAbandoned(ctx)
		if s.temporary, err = os.MkdirTemp("", temporaryPrefix+"*"); err != nil { // mode 0700
			return nil, fmt.Errorf("temporary data folder: %w", err)
		}
		dir, synchronous = s.temporary, "synchronous(OFF)"
	}
	if s.lock, err = lockFolder(ctx, dir); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, databaseFile)
	if err := privatefile.Create(path); err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}

	params := url.Values{"_pragma": {"journal_mode(WAL)", synchronous}, "_txlock": {"immediate"}}
	if s.write, err = openDB(path, params); err != nil {
		return nil, err
	}
	s.write.SetMaxOpenConns(1)
	if err := sqlitedb.Migrate(ctx, s.write, migrations); err != nil {
		return nil, err
	}
	if s.read, err = openDB(path, url.Values{"_pragma": {"query_only(1)"}}); err != nil {
		return nil, err
	}
	s.read.SetMaxOpenConns(readers)
	s.read.SetMaxIdleConns(readers)
	return s, nil
}

func openDB(path string, params url.Values) (*sql.DB, error) {
	params.Add("_pragma", fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()))
	dsn := (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath()}).String()
	db, err := sql.Open("sqlite", dsn+"?"+params.Encode())
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	return db, nil
}

// lockFolder takes a lock that is released when the process ends, for any reason:
// an exclusive transaction on an empty SQLite file. This works the same on every
// system that SQLite supports.
func lockFolder(ctx context.Context, dir string) (*sql.DB, error) {
	path := filepath.Join(dir, lockFile)
	if err := privatefile.Create(path); err != nil {
		return nil, fmt.Errorf("lock data folder: %w", err)
	}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath()}).String())
	if err != nil {
		return nil, fmt.Errorf("lock data folder: %w", err)
	}
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(ctx, "BEGIN EXCLUSIVE"); err != nil {
		_ = db.Close() // the first error counts
		return nil, fmt.Errorf("%w: %s", store.ErrLocked, dir)
	}
	return db, nil
}

// temporaryPrefix begins the names of temporary data folders.
const temporaryPrefix = "medassist-broker-"

// removeAbandoned removes temporary folders of processes that ended without
// closing them. A folder in use is locked; one that is new may not be locked yet.
func removeAbandoned(ctx context.Context) {
	folders, _ := filepath.Glob(filepath.Join(os.TempDir(), temporaryPrefix+"*")) // the pattern is valid
	for _, dir := range folders {
		info, err := os.Lstat(dir)
		if err != nil || !info.IsDir() || time.Since(info.ModTime()) < time.Minute {
			continue
		}
		lock, err := lockFolder(ctx, dir)
		if err != nil {
			continue // in use, or another user's
		}
		_ = lock.Close()
		_ = os.RemoveAll(dir) // the next start tries again
	}
}

// probeBytes is more than a batch writes.
const probeBytes = 1 << 20

// Probe reports whether the database can take a large write: one that extends the
// write-ahead log and, by a checkpoint, the database file. Rewriting a row could
// succeed on a full disk. The space stays allocated for the next writes.
func (s *Store) Probe() error {
	if _, err := s.Update(func(tx store.Tx) error { return tx.SetMeta("probe", strings.Repeat("x", probeBytes)) }); err != nil {
		return err
	}
	if _, err := s.write.Exec("PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	_, err := s.Update(func(tx store.Tx) error { return tx.SetMeta("probe", "") })
	return err
}

// Close closes the database and releases the folder.
func (s *Store) Close() error {
	var errs []error
	if s.read != nil {
		errs = append(errs, s.read.Close())
	}
	if s.write != nil {
		errs = append(errs, s.write.Close())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	if s.temporary != "" {
		errs = append(errs, os.RemoveAll(s.temporary))
	}
	return errors.Join(errs...)
}

// transaction is a write transaction. Its methods are described in [store.Tx].
type transaction struct {
	s  *Store
	tx *sql.Tx
}

// Update implements [store.Store]. The commit is on disk when it returns.
func (s *Store) Update(fn func(store.Tx) error) (durable func() error, err error) {
	if err := s.prepareWanted(); err != nil {
		return nil, err
	}
	tx, err := s.write.Begin()
	if err != nil {
		return nil, fmt.Errorf("begin: %w", err)
	}
	if err := fn(&transaction{s, tx}); err != nil {
		return nil, errors.Join(err, tx.Rollback())
	}
	if err := tx.Commit(); err != nil {
		return nil, fmt.Errorf("commit: %w", err)
	}
	return nil, nil
}

// The database has one user, so nothing that is in memory can be outdated.

// Shared implements [store.Store].
func (s *Store) Shared() bool { return false }

// Changed implements [store.Store].
func (s *Store) Changed() <-chan struct{} { return nil }

// Changes implements [store.Store].
func (s *Store) Changes(context.Context) (*store.Changes, error) { return nil, nil }

// Applied implements [store.Store].
func (s *Store) Applied(*store.Changes) {}

// Current implements [store.Store].
func (s *Store) Current() bool { return true }

func (t *transaction) Changes() (*store.Changes, error) { return nil, nil }

func (t *transaction) SpendNonce([]byte, time.Time) error { return nil }

// statement returns query as a statement of this transaction. A new query is
// prepared for this transaction only: the transaction holds the only connection,
// so the next [Store.Update] prepares it permanently.
func (t *transaction) statement(query string) (*sql.Stmt, error) {
	if st := t.s.prepared[query]; st != nil {
		return t.tx.Stmt(st), nil
	}
	t.s.prepared[query] = nil
	return t.tx.Prepare(query)
}

func (s *Store) prepareWanted() error {
	for query, st := range s.prepared {
		if st != nil {
			continue
		}
		st, err := s.write.Prepare(query)
		if err != nil {
			return fmt.Errorf("prepare: %w", err)
		}
		s.prepared[query] = st
	}
	return nil
}

func (t *transaction) exec(query string, args ...any) (rows int64, err error) {
	st, err := t.statement(query)
	if err != nil {
		return 0, err
	}
	res, err := st.Exec(args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func (t *transaction) query(query string, args ...any) (*sql.Rows, error) {
	st, err := t.statement(query)
	if err != nil {
		return nil, err
	}
	return st.Query(args...)
}

// get scans the first row into dest, or returns false if there is none.
func (t *transaction) get(query string, args []any, dest ...any) (bool, error) {
	st, err := t.statement(query)
	if err != nil {
		return false, err
	}
	err = st.QueryRow(args...).Scan(dest...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}
