package records

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/devonartis/medassist-go/patient"
)

// A Store keeps the records. It is safe for concurrent use.
type Store struct {
	db    database
	now   func() time.Time
	fault atomic.Pointer[error] // of the last write; nil if it was stored
}

// A database runs transactions, in SQLite or in PostgreSQL. Both understand the queries
// of this package.
type database interface {
	// write runs do in a transaction, one at a time, and commits it unless do fails.
	write(ctx context.Context, do func(*sql.Tx) error) error

	// read runs do in a transaction that only reads and sees a single moment. It
	// works while another one writes, or while nothing can be written.
	read(ctx context.Context, do func(*sql.Tx) error) error

	Close() error
}

// open returns a store on a database whose schema is up to date.
func open(ctx context.Context, db database, now func() time.Time) (*Store, error) {
	s := &Store{db: db, now: now}
	if err := s.transact(ctx, func(t txn) error { return fillSeed(ctx, t) }); err != nil {
		_ = db.Close() // the first error counts
		return nil, fmt.Errorf("records: seed: %w", err)
	}
	return s, nil
}

// Close closes the store.
func (s *Store) Close() error { return s.db.Close() }

// Reset restores the seed and discards everything that was written.
func (s *Store) Reset(ctx context.Context) error {
	if err := s.transact(ctx, func(t txn) error { return reseed(ctx, t) }); err != nil {
		return fmt.Errorf("records: reset: %w", err)
	}
	return nil
}

// A txn is a transaction. All queries are its methods, so none can read outside
// the transaction in which it writes.
type txn struct {
	*sql.Tx
	today string
}

// transact runs do in a transaction and commits it unless do fails.
func (s *Store) transact(ctx context.Context, do func(txn) error) error {
	err := s.db.write(ctx, s.txn(do))
	var refused *requestError
	switch {
	case err == nil:
		s.fault.Store(nil)
	case !errors.As(err, &refused) && !errors.Is(ctx.Err(), context.Canceled):
		s.fault.Store(&err)
	}
	return err
}

// probeBytes is more than any request writes.
const probeBytes = 256 << 10

// Check reports whether records can be written. If the last write failed it tries
// another one, which is large, because a full disk may have room for a small one.
func (s *Store) Check(ctx context.Context) error {
	if s.fault.Load() == nil {
		return nil
	}
	for _, size := range []int{probeBytes, 0} {
		err := s.transact(ctx, func(t txn) error {
			_, err := t.ExecContext(ctx, "INSERT INTO probe (id, filler) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET filler = excluded.filler", strings.Repeat("x", size))
			return err
		})
		if err != nil {
			return fmt.Errorf("records: %w", err)
		}
	}
	return nil
}

// read runs do in a transaction that only reads.
func (s *Store) read(ctx context.Context, do func(txn) error) error {
	return s.db.read(ctx, s.txn(do))
}

func (s *Store) txn(do func(txn) error) func(*sql.Tx) error {
	return func(tx *sql.Tx) error { return do(txn{tx, s.now().UTC().Format(time.DateOnly)}) }
}

// transact runs do in a transaction of db and commits it unless do fails.
func transact(ctx context.Context, db *sql.DB, options *sql.TxOptions, do func(*sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, options)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // a no-op after Commit
	if err := do(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// A Patient is an entry of the patient list.
type Patient struct {
	ID          patient.ID `json:"patient_id"`
	Name        string     `json:"name"`
	DateOfBirth string     `json:"date_of_birth"`
	Sex         string     `json:"sex"`
}

// Patients returns all patients. Their number is that of the seed: no request
// adds one.
func (s *Store) Patients(ctx context.Context) (all []Patient, err error) {
	err = s.read(ctx, func(t txn) error {
		all, err = collect(ctx, t, func(p *Patient) []any { return []any{text{&p.ID}, &p.Name, &p.DateOfBirth, &p.Sex} },
			"SELECT id, name, date_of_birth, sex FROM patients ORDER BY id")
		return err
	})
	return all, err
}

// Find returns the patient with that ID; found is false if there is none.
func (s *Store) Find(ctx context.Context, id patient.ID) (p Patient, found bool, err error) {
	err = s.read(ctx, func(t txn) error {
		p, found, err = t.find(ctx, id)
		return err
	})
	return p, found, err
}

func (t txn) find(ctx context.Context, id patient.ID) (Patient, bool, error) {
	p := Patient{ID: id}
	err := t.QueryRowContext(ctx, "SELECT name, date_of_birth, sex FROM patients WHERE id = $1", id.String()).
		Scan(&p.Name, &p.DateOfBirth, &p.Sex)
	if errors.Is(err, sql.ErrNoRows) {
		return Patient{}, false, nil
	}
	return p, err == nil, err
}

// text scans a column into a patient ID.
type text struct{ id *patient.ID }

func (t text) Scan(v any) error {
	s, ok := v.(string)
	if !ok {
		return fmt.Errorf("a patient ID of type %T", v)
	}
	return t.id.UnmarshalText([]byte(s))
}

// collect reads all rows of a query whose number is bounded; fields returns the
// destinations of a row's columns.
func collect[T any](ctx context.Context, t txn, fields func(*T) []any, query string, args ...any) ([]T, error) {
	rows, err := t.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := []T{}
	for rows.Next() {
		var row T
		if err := rows.Scan(fields(&row)...); err != nil {
			return nil, err
		}
		out = append(out, row)
	}
	return out, rows.Err()
}

// room fails if the patient has as many rows of a table as requests may write.
// The seed's rows count too; they are few.
func (t txn) room(ctx context.Context, table, what string, id patient.ID, limit int) error {
	var n int
	if err := t.QueryRowContext(ctx, "SELECT count(*) FROM "+table+" WHERE patient_id = $1", id.String()).Scan(&n); err != nil {
		return err
	}
	if n >= limit {
		return invalid("this patient has %d %s, the most that the demo keeps; reset the demo to write more", n, what)
	}
	return nil
}

// insert adds a row, whose keys are columns. In a table of numbered rows it returns
// the row's number.
func (t txn) insert(ctx context.Context, table string, row map[string]any) (number int64, err error) {
	columns := slices.Sorted(maps.Keys(row))
	places, values := make([]string, len(row)), make([]any, len(row))
	for i, column := range columns {
		places[i], values[i] = fmt.Sprintf("$%d", i+1), row[column]
	}
	names, list := strings.Join(columns, ", "), strings.Join(places, ", ")
	if !numbered(table) {
		_, err = t.ExecContext(ctx, "INSERT INTO "+table+" ("+names+") VALUES ("+list+")", values...)
		return 0, err
	}
	err = t.QueryRowContext(ctx, "INSERT INTO "+table+" (id, "+names+") VALUES ((SELECT coalesce(max(id), 0) + 1 FROM "+table+"), "+list+
		") RETURNING id", values...).Scan(&number)
	return number, err
}
