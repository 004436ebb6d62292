package records

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/devonartis/medassist-go/patient"
)

// A Field is a free-text field of a patient's record in which a text of somebody
// else's can arrive.
type Field string

// The fields that [Store.Plant] can write.
const (
	FieldNote       Field = "note"
	FieldLabComment Field = "lab comment"
	FieldDrug       Field = "drug name"
	FieldCharge     Field = "charge"
)

// Plant adds an entry with this text to a patient's record, bypassing the API. It
// exists to put hostile texts and canaries into a throwaway store.
func (s *Store) Plant(ctx context.Context, id patient.ID, field Field, text string) error {
	err := s.transact(ctx, func(t txn) error {
		row := map[string]any{"patient_id": id.String(), "date": t.today}
		table := ""
		switch field {
		case FieldNote:
			table, row["clinician"], row["reason"], row["note"] = "visits", "External clinic", "Transferred note", text
		case FieldLabComment:
			table, row["loinc"], row["test"], row["value"] = "labs", "8251-1", "Comment", 0
			row["unit"], row["reference_range"], row["flag"] = "", text, ""
		case FieldDrug:
			delete(row, "date")
			table, row["drug"], row["dose"], row["frequency"] = "medications", text, "1 tablet", "as needed"
			row["indication"], row["prescriber"], row["started"] = "As reported", "External pharmacy", t.today
		case FieldCharge:
			table, row["code"], row["description"], row["icd10"] = "charges", "99213", text, "Z00.0"
			row["amount"], row["paid"], row["status"] = 100, 0, statusCoded
		default:
			return fmt.Errorf("unknown field %q", field)
		}
		_, err := t.insert(ctx, table, row)
		return err
	})
	if err != nil {
		return fmt.Errorf("records: plant a text: %w", err)
	}
	return nil
}

// Digest returns a hash of everything that is stored about a patient. It changes
// whenever the record does.
func (s *Store) Digest(ctx context.Context, id patient.ID) (string, error) {
	h := sha256.New()
	err := s.read(ctx, func(t txn) error {
		for _, table := range tables {
			key := "patient_id"
			switch table {
			case "patients":
				key = "id"
			case "formulary", "interactions", "services":
				continue // not about a patient
			}
			if err := hashRows(ctx, t, h.Write, "SELECT * FROM "+table+" WHERE "+key+" = $1 ORDER BY 1", id.String()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("records: digest of %s: %w", id, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func hashRows(ctx context.Context, t txn, write func([]byte) (int, error), query, id string) error {
	rows, err := t.QueryContext(ctx, query, id)
	if err != nil {
		return err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	for rows.Next() {
		values, targets := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			targets[i] = &values[i]
		}
		if err := rows.Scan(targets...); err != nil {
			return err
		}
		if _, err := write(fmt.Appendf(nil, "%#v\n", values)); err != nil {
			return err
		}
	}
	return rows.Err()
}
