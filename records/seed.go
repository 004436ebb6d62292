package records

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

//go:embed seed.json
var seedJSON []byte

// readSeed returns the seed: rows by table, each with its columns.
func readSeed() (rows map[string][]map[string]any, err error) {
	err = json.Unmarshal(seedJSON, &rows)
	return rows, err
}

// reseed replaces all rows by the seed's.
func reseed(t txn) error {
	rows, err := readSeed()
	if err != nil {
		return err
	}
	for _, table := range tables {
		if _, err := t.Exec("DELETE FROM " + table); err != nil {
			return fmt.Errorf("%s: %w", table, err)
		}
	}
	for _, table := range slices.Backward(tables) { // patients first
		for _, row := range rows[table] {
			if err := insert(t, table, row); err != nil {
				return fmt.Errorf("%s: %w", table, err)
			}
		}
	}
	return nil
}

// fillSeed seeds an empty store. In a store of an earlier version it fills the
// columns that were added since.
func fillSeed(t txn) error {
	var patients, incomplete int
	if err := t.QueryRow("SELECT count(*), count(*) FILTER (WHERE address = '') FROM patients").Scan(&patients, &incomplete); err != nil {
		return err
	}
	switch {
	case patients == 0:
		return reseed(t)
	case incomplete == 0:
		return nil
	}
	rows, err := readSeed()
	if err != nil {
		return err
	}
	for _, p := range rows["patients"] {
		if _, err := t.Exec("UPDATE patients SET address = ?, phone = ?, emergency_contact = ? WHERE id = ?",
			p["address"], p["phone"], p["emergency_contact"], p["id"]); err != nil {
			return err
		}
	}
	for _, i := range rows["insurance"] {
		if _, err := t.Exec("UPDATE insurance SET group_number = ? WHERE patient_id = ?", i["group_number"], i["patient_id"]); err != nil {
			return err
		}
	}
	return nil
}

// insert adds a row of the seed; its keys are columns.
func insert(t txn, table string, row map[string]any) error {
	columns := make([]string, 0, len(row))
	values := make([]any, 0, len(row))
	for column, value := range row {
		columns = append(columns, column)
		values = append(values, value)
	}
	_, err := t.Exec(fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s)", table,
		strings.Join(columns, ", "), strings.TrimSuffix(strings.Repeat("?, ", len(values)), ", ")), values...)
	return err
}
