package records

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
)

//go:embed seed.json
var seedJSON []byte

// readSeed returns the seed: rows by table, each with its columns.
func readSeed() (rows map[string][]map[string]any, err error) {
	err = json.Unmarshal(seedJSON, &rows)
	return rows, err
}

// reseed replaces all rows by the seed's.
func reseed(ctx context.Context, t txn) error {
	rows, err := readSeed()
	if err != nil {
		return err
	}
	for _, table := range tables {
		if _, err := t.ExecContext(ctx, "DELETE FROM "+table); err != nil {
			return fmt.Errorf("%s: %w", table, err)
		}
	}
	for _, table := range slices.Backward(tables) { // patients first
		for _, row := range rows[table] {
			if _, err := t.insert(ctx, table, row); err != nil {
				return fmt.Errorf("%s: %w", table, err)
			}
		}
	}
	return nil
}

// fillSeed seeds an empty store. In a store of an earlier version it fills the
// columns that were added since.
func fillSeed(ctx context.Context, t txn) error {
	var patients, incomplete int
	if err := t.QueryRowContext(ctx, "SELECT count(*), count(*) FILTER (WHERE address = '') FROM patients").Scan(&patients, &incomplete); err != nil {
		return err
	}
	switch {
	case patients == 0:
		return reseed(ctx, t)
	case incomplete == 0:
		return nil
	}
	rows, err := readSeed()
	if err != nil {
		return err
	}
	for _, p := range rows["patients"] {
		if _, err := t.ExecContext(ctx, "UPDATE patients SET address = $1, phone = $2, emergency_contact = $3 WHERE id = $4",
			p["address"], p["phone"], p["emergency_contact"], p["id"]); err != nil {
			return err
		}
	}
	for _, i := range rows["insurance"] {
		if _, err := t.ExecContext(ctx, "UPDATE insurance SET group_number = $1 WHERE patient_id = $2", i["group_number"], i["patient_id"]); err != nil {
			return err
		}
	}
	return nil
}
