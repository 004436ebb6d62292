package records

import (
	"context"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/devonartis/medassist-go/patient"
)

// Limits of a patient's billing.
const (
	maxCharges = 300
	maxClaims  = 200
)

// Statuses of a charge that this API sets.
const (
	statusCoded     = "coded"
	statusSubmitted = "claim submitted"
)

// officeVisit is the code of the service that is billed if no other is named.
const officeVisit = "99213"

func (t txn) billing(ctx context.Context, id patient.ID, charges, claims page) (b billing, err error) {
	b.PatientID = id
	if err := t.QueryRowContext(ctx, "SELECT CAST(coalesce(sum(amount - paid), 0) AS BIGINT) FROM charges WHERE patient_id = $1", id.String()).
		Scan(&b.BalanceUSD); err != nil {
		return b, err
	}
	b.Charges, b.ChargesNext, err = collectPage(ctx, t, id, charges, func(c *charge) []any {
		return []any{&c.Date, &c.CPT, &c.Description, &c.ICD10, &c.AmountUSD, &c.PaidUSD, &c.Status}
	}, `SELECT date, id, date, code, description, icd10, amount, paid, status FROM charges
		WHERE patient_id = $1 AND (date, id) < ($2, $3) ORDER BY date DESC, id DESC`)
	if err != nil {
		return b, err
	}
	b.Claims, b.ClaimsNext, err = collectPage(ctx, t, id, claims,
		func(c *claim) []any { return []any{&c.ClaimID, &c.Date, &c.Codes, &c.AmountUSD, &c.Status} },
		`SELECT date, id, id, date, codes, amount, status FROM claims
		WHERE patient_id = $1 AND (date, id) < ($2, $3) ORDER BY date DESC, id DESC`)
	return b, err
}

func (t txn) insurance(ctx context.Context, id patient.ID) (i insurance, err error) {
	i.PatientID = id
	err = t.QueryRowContext(ctx, `SELECT payer, plan, member_id, group_number, effective, copay, deductible, deductible_met, out_of_pocket_max
		FROM insurance WHERE patient_id = $1`, id.String()).
		Scan(&i.Payer, &i.Plan, &i.MemberID, &i.GroupNumber, &i.Effective, &i.CopayUSD, &i.DeductibleUSD, &i.DeductibleMetUSD, &i.OutOfPocketMaxUSD)
	if err != nil {
		return i, err
	}
	i.Coverage, err = collect(ctx, t, func(c *covered) []any { return []any{&c.Service, &c.PatientShare, &c.PriorAuthorization} },
		"SELECT service, patient_share, prior_authorization FROM coverage WHERE patient_id = $1 ORDER BY id", id.String())
	return i, err
}

// A service can be billed.
type service struct {
	code, description, keywords string
	amount                      money
}

// code enters the services that the procedures name, by code or keyword, as
// charges that are not yet billed. If they name none it enters an office visit.
func (t txn) code(ctx context.Context, id patient.ID, procedures, diagnoses []string) (coded, error) {
	out := coded{PatientID: id}
	services, err := collect(ctx, t, func(s *service) []any { return []any{&s.code, &s.description, &s.keywords, &s.amount} },
		"SELECT code, description, keywords, amount FROM services ORDER BY code = $1 DESC, code", officeVisit)
	if err != nil {
		return out, err
	}
	words := strings.FieldsFunc(strings.ToLower(strings.Join(procedures, " ")), func(c rune) bool { return c == ' ' || c == ',' || c == ';' })
	named := slices.DeleteFunc(slices.Clone(services), func(s service) bool {
		return !slices.Contains(words, s.code) &&
			!slices.ContainsFunc(strings.Fields(s.keywords), func(k string) bool { return slices.Contains(words, k) })
	})
	if len(named) == 0 {
		named = services[:1]
	}
	diagnosis, err := t.diagnosis(ctx, id, diagnoses)
	if err != nil {
		return out, err
	}
	for _, s := range named {
		if err := t.room(ctx, "charges", "charges", id, maxCharges); err != nil {
			return out, err
		}
		c := charge{Date: t.today, CPT: s.code, Description: s.description, ICD10: diagnosis, AmountUSD: s.amount, Status: statusCoded}
		if _, err := t.insert(ctx, "charges", map[string]any{"patient_id": id.String(), "date": c.Date, "code": c.CPT,
			"description": c.Description, "icd10": c.ICD10, "amount": c.AmountUSD, "paid": c.PaidUSD, "status": c.Status}); err != nil {
			return out, err
		}
		out.Codes = append(out.Codes, c)
	}
	return out, nil
}

var icd10 = regexp.MustCompile(`^[A-Z][0-9][0-9A-Z](\.[0-9A-Z]{1,4})?$`)

// diagnosis returns the ICD-10 code that a service is billed under: the first
// that is given as a code or is a problem of the patient, else the patient's
// first problem.
func (t txn) diagnosis(ctx context.Context, id patient.ID, given []string) (string, error) {
	problems, err := collect(ctx, t, func(p *problem) []any { return []any{&p.ICD10, &p.Description} },
		"SELECT icd10, description FROM problems WHERE patient_id = $1 ORDER BY id", id.String())
	if err != nil {
		return "", err
	}
	for _, d := range given {
		if icd10.MatchString(d) {
			return d, nil
		}
		for _, p := range problems {
			if strings.Contains(strings.ToLower(p.Description), strings.ToLower(d)) {
				return p.ICD10, nil
			}
		}
	}
	if len(problems) == 0 {
		return "", nil
	}
	return problems[0].ICD10, nil
}

// fileClaim claims the charges that are coded and not yet billed: all of them,
// or those with the given codes. The charges decide the amount; total is what
// the caller believes it to be.
func (t txn) fileClaim(ctx context.Context, id patient.ID, codes []string, total *float64) (f filed, err error) {
	type open struct {
		id     int64
		code   string
		amount money
	}
	unbilled, err := collect(ctx, t, func(o *open) []any { return []any{&o.id, &o.code, &o.amount} },
		"SELECT id, code, amount FROM charges WHERE patient_id = $1 AND status = $2 ORDER BY date, id", id.String(), statusCoded)
	if err != nil {
		return f, err
	}
	if len(codes) > 0 {
		unbilled = slices.DeleteFunc(unbilled, func(o open) bool { return !slices.Contains(codes, o.code) })
	}
	if len(unbilled) == 0 {
		return f, invalid("there is nothing to claim: no charge of this patient is coded and not yet billed; generate billing codes first")
	}
	if err := t.room(ctx, "claims", "claims", id, maxClaims); err != nil {
		return f, err
	}
	f.PatientID, f.Date, f.Status = id, t.today, "submitted"
	if err := t.QueryRowContext(ctx, "SELECT payer FROM insurance WHERE patient_id = $1", id.String()).Scan(&f.Payer); err != nil {
		return f, err
	}
	var claimed []string
	for _, o := range unbilled {
		if _, err := t.ExecContext(ctx, "UPDATE charges SET status = $1 WHERE id = $2", statusSubmitted, o.id); err != nil {
			return f, err
		}
		claimed = append(claimed, o.code)
		f.AmountUSD += o.amount
	}
	f.Codes = strings.Join(claimed, ", ")
	if total != nil && math.Abs(*total*100-float64(f.AmountUSD)) >= 1 {
		f.Remark = fmt.Sprintf("The total_charges given, %.2f, were ignored: the claimed charges add up to %s.", *total, f.AmountUSD)
	}
	f.ClaimID, err = t.insert(ctx, "claims", map[string]any{"patient_id": id.String(), "date": f.Date, "codes": f.Codes,
		"amount": f.AmountUSD, "status": f.Status})
	return f, err
}
