package records

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/devonartis/medassist-go/internal/sqlitedb"
)

// embedded is a SQLite database, which begins transactions that write as
// "immediate".
type embedded struct{ *sql.DB }

var _ database = embedded{}

// OpenStore opens or creates the records at path, or in memory when path is
// empty. A new store is seeded.
func OpenStore(ctx context.Context, path string, now func() time.Time) (*Store, error) {
	db, err := sqlitedb.Open(ctx, path, migrations)
	if err != nil {
		return nil, fmt.Errorf("records: %w", err)
	}
	return open(ctx, embedded{db}, now)
}

// write implements [database].
func (e embedded) write(ctx context.Context, do func(*sql.Tx) error) error {
	return transact(ctx, e.DB, nil, do)
}

// read implements [database].
func (e embedded) read(ctx context.Context, do func(*sql.Tx) error) error {
	return transact(ctx, e.DB, &sql.TxOptions{ReadOnly: true}, do)
}
