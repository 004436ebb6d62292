package sqlitedb

import (
	"context"
	"database/sql/driver"

	"modernc.org/sqlite"
)

// connector opens connections that hold a lock for as long as they are open: an
// exclusive lock on an otherwise empty database next to the real one. It ends
// with the process, however that ends, and works wherever SQLite does.
type connector struct {
	dsn  string
	lock string // path of the lock file; "" for none
}

func (c connector) Driver() driver.Driver { return &sqlite.Driver{} }

// Connect opens a connection. It fails with SQLITE_BUSY if another connection
// holds the lock.
func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Driver().Open(c.dsn)
	if err != nil || c.lock == "" {
		return conn, err
	}
	exec := conn.(driver.ExecerContext)
	for _, step := range []struct {
		query string
		args  []driver.NamedValue
	}{
		{"ATTACH DATABASE ? AS held", []driver.NamedValue{{Ordinal: 1, Value: c.lock}}},
		{"PRAGMA held.locking_mode = EXCLUSIVE", nil},
		{"PRAGMA held.user_version = 1", nil}, // a write takes the lock, and the mode keeps it
	} {
		if _, err := exec.ExecContext(ctx, step.query, step.args); err != nil {
			_ = conn.Close() // the first error counts
			return nil, err
		}
	}
	return conn, nil
}
