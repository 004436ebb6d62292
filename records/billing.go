package records

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/devonartis/medassist-go/patient"
)

// Statuses of a charge that this API sets.
const (
	statusCoded     = "coded"
	statusSubmitted = "claim submitted"
)

func (s *Store) billing(ctx context.Context, id patient.ID) (b billing, err error) {
	b.PatientID = id
	if b.Charges, err = s.charges(ctx, id); err != nil {
		return b, err
	}
	for _, c := range b.Charges {
		b.BalanceUSD += c.AmountUSD - c.PaidUSD
	}
	b.Claims, err = collect(ctx, s.db, func(c *claim) []any { return []any{&c.ClaimID, &c.Date, &c.Codes, &c.AmountUSD, &c.Status} },
		"SELECT id, date, codes, amount, status FROM claims WHERE patient_id = ? ORDER BY id", id.String())
	return b, err
}

func (s *Store) charges(ctx context.Context, id patient.ID) ([]charge, error) {
	return collect(ctx, s.db, func(c *charge) []any {
		return []any{&c.Date, &c.CPT, &c.Description, &c.ICD10, &c.AmountUSD, &c.PaidUSD, &c.Status}
	}, "SELECT date, code, description, icd10, amount, paid, status FROM charges WHERE patient_id = ? ORDER BY date, id", id.String())
}

func (s *Store) insurance(ctx context.Context, id patient.ID) (i insurance, err error) {
	i.PatientID = id
	err = s.db.QueryRowContext(ctx, `SELECT payer, plan, member_id, effective, copay, deductible, deductible_met, out_of_pocket_max
		FROM insurance WHERE patient_id = ?`, id.String()).
		Scan(&i.Payer, &i.Plan, &i.MemberID, &i.Effective, &i.CopayUSD, &i.DeductibleUSD, &i.DeductibleMetUSD, &i.OutOfPocketMaxUSD)
	if err != nil {
		return i, err
	}
	i.Coverage, err = collect(ctx, s.db, func(c *covered) []any { return []any{&c.Service, &c.PatientShare, &c.PriorAuthorization} },
		"SELECT service, patient_share, prior_authorization FROM coverage WHERE patient_id = ? ORDER BY id", id.String())
	return i, err
}

// code finds the services that a description names, an office visit if it
// names none, and enters them as charges that are coded and not yet billed.
func (s *Store) code(ctx context.Context, id patient.ID, service string) (coded, error) {
	type entry struct {
		code, description, keywords string
		amount                      money
	}
	catalogue, err := collect(ctx, s.db, func(e *entry) []any { return []any{&e.code, &e.description, &e.keywords, &e.amount} },
		"SELECT code, description, keywords, amount FROM services ORDER BY rowid")
	if err != nil {
		return coded{}, err
	}
	words := strings.Fields(strings.ToLower(service))
	chosen := slices.DeleteFunc(slices.Clone(catalogue), func(e entry) bool {
		return !slices.ContainsFunc(strings.Fields(e.keywords), func(k string) bool { return slices.Contains(words, k) })
	})
	if len(chosen) == 0 {
		chosen = catalogue[:1]
	}
	var diagnosis string
	err = s.db.QueryRowContext(ctx, "SELECT icd10 FROM problems WHERE patient_id = ? ORDER BY id LIMIT 1", id.String()).Scan(&diagnosis)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return coded{}, err
	}
	out := coded{PatientID: id}
	for _, e := range chosen {
		c := charge{Date: s.today(), CPT: e.code, Description: e.description, ICD10: diagnosis, AmountUSD: e.amount, Status: statusCoded}
		if _, err := s.db.ExecContext(ctx, "INSERT INTO charges (patient_id, date, code, description, icd10, amount, paid, status) VALUES (?, ?, ?, ?, ?, ?, 0, ?)",
			id.String(), c.Date, c.CPT, c.Description, c.ICD10, c.AmountUSD, c.Status); err != nil {
			return coded{}, err
		}
		out.Codes = append(out.Codes, c)
	}
	return out, nil
}

// fileClaim claims what is coded and not yet billed: all of it, or the codes
// named.
func (s *Store) fileClaim(ctx context.Context, id patient.ID, codes []string) (f filed, err error) {
	charges, err := s.charges(ctx, id)
	if err != nil {
		return f, err
	}
	f.PatientID, f.Date, f.Status = id, s.today(), "submitted"
	var claimed []string
	for _, c := range charges {
		if c.Status == statusCoded && (len(codes) == 0 || slices.Contains(codes, c.CPT)) {
			claimed = append(claimed, c.CPT)
			f.AmountUSD += c.AmountUSD
		}
	}
	if len(claimed) == 0 {
		return f, &invalidError{"there is nothing to claim: no charge of this patient is coded and not yet billed; generate billing codes first"}
	}
	f.Codes = strings.Join(claimed, ", ")
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return f, err
	}
	defer tx.Rollback() // does nothing after a commit
	if err := tx.QueryRowContext(ctx, "SELECT payer FROM insurance WHERE patient_id = ?", id.String()).Scan(&f.Payer); err != nil {
		return f, err
	}
	for _, code := range claimed {
		if _, err := tx.ExecContext(ctx, "UPDATE charges SET status = ? WHERE patient_id = ? AND code = ? AND status = ?",
			statusSubmitted, id.String(), code, statusCoded); err != nil {
			return f, err
		}
	}
	res, err := tx.ExecContext(ctx, "INSERT INTO claims (patient_id, date, codes, amount, status) VALUES (?, ?, ?, ?, ?)",
		id.String(), f.Date, f.Codes, f.AmountUSD, f.Status)
	if err != nil {
		return f, err
	}
	if f.ClaimID, err = res.LastInsertId(); err != nil {
		return f, err
	}
	return f, tx.Commit()
}

// invalidError is a request that can't be carried out; its text is for the caller.
type invalidError struct{ reason string }

func (e *invalidError) Error() string { return e.reason }

func notInFormulary(err error, drug string) error {
	if errors.Is(err, sql.ErrNoRows) {
		return &invalidError{fmt.Sprintf("%q is not in the formulary", drug)}
	}
	return err
}
