package records

import (
	"context"
	"database/sql"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/devonartis/medassist-go/internal/sqlitedb"
	"github.com/devonartis/medassist-go/patient"
)

//go:embed seed.json
var seed []byte

// Store keeps the records. It is safe for concurrent use.
type Store struct {
	db  *sql.DB
	now func() time.Time
}

// OpenStore opens or creates the records at path, or in memory when path is
// empty. A new store is seeded.
func OpenStore(ctx context.Context, path string, now func() time.Time) (*Store, error) {
	db, err := sqlitedb.Open(ctx, path, migrations)
	if err != nil {
		return nil, fmt.Errorf("records: %w", err)
	}
	s := &Store{db, now}
	var patients int
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM patients").Scan(&patients); err != nil {
		_ = db.Close() // the first error counts
		return nil, fmt.Errorf("records: %w", err)
	}
	if patients == 0 {
		if err := s.Reset(ctx); err != nil {
			_ = db.Close() // the first error counts
			return nil, err
		}
	}
	return s, nil
}

// Close closes the store.
func (s *Store) Close() error { return s.db.Close() }

// Reset restores the seed: whatever was written is gone.
func (s *Store) Reset(ctx context.Context) error {
	var rows map[string][]map[string]any
	if err := json.Unmarshal(seed, &rows); err != nil {
		return fmt.Errorf("records: seed: %w", err)
	}
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("records: reset: %w", err)
	}
	defer tx.Rollback() // does nothing after a commit
	for _, table := range tables {
		if _, err := tx.ExecContext(ctx, "DELETE FROM "+table); err != nil {
			return fmt.Errorf("records: reset %s: %w", table, err)
		}
	}
	for _, table := range slices.Backward(tables) { // patients first
		for _, row := range rows[table] {
			if err := insert(ctx, tx, table, row); err != nil {
				return fmt.Errorf("records: seed %s: %w", table, err)
			}
		}
	}
	return tx.Commit()
}

// insert adds a row of the seed; its keys are columns.
func insert(ctx context.Context, tx *sql.Tx, table string, row map[string]any) error {
	columns := make([]string, 0, len(row))
	values := make([]any, 0, len(row))
	for column, value := range row {
		columns = append(columns, column)
		values = append(values, value)
	}
	_, err := tx.ExecContext(ctx, fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s)", table,
		strings.Join(columns, ", "), strings.TrimSuffix(strings.Repeat("?, ", len(values)), ", ")), values...)
	return err
}

// Patient is a line of the front desk's list.
type Patient struct {
	ID          patient.ID `json:"patient_id"`
	Name        string     `json:"name"`
	DateOfBirth string     `json:"date_of_birth"`
	Sex         string     `json:"sex"`
}

// Patients lists all patients.
func (s *Store) Patients(ctx context.Context) ([]Patient, error) {
	return collect(ctx, s.db, func(p *Patient) []any { return []any{text{&p.ID}, &p.Name, &p.DateOfBirth, &p.Sex} },
		"SELECT id, name, date_of_birth, sex FROM patients ORDER BY id")
}

// Find looks a patient up; false means that there is none of that ID.
func (s *Store) Find(ctx context.Context, id patient.ID) (Patient, bool, error) {
	p := Patient{ID: id}
	err := s.db.QueryRowContext(ctx, "SELECT name, date_of_birth, sex FROM patients WHERE id = ?", id.String()).
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

// collect reads all rows of a query; fields says where a row's columns go.
func collect[T any](ctx context.Context, db *sql.DB, fields func(*T) []any, query string, args ...any) ([]T, error) {
	rows, err := db.QueryContext(ctx, query, args...)
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

func (s *Store) today() string { return s.now().UTC().Format(time.DateOnly) }
