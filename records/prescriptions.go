package records

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"

	"github.com/devonartis/medassist-go/patient"
)

// maxMedications is the largest number of active medications of a patient.
const maxMedications = 100

// severities of interactions, the worst first.
var severities = []string{"major", "moderate", "minor", "none"}

// checkInteractions checks a drug against all active medications, of which it
// returns a page.
func (t txn) checkInteractions(ctx context.Context, id patient.ID, drug string, pg page) (c interactionCheck, err error) {
	c.PatientID, c.Drug, c.HighestSeverity = id, drug, severities[len(severities)-1]
	err = t.QueryRowContext(ctx, "SELECT drug, class, usual_dose, usual_frequency FROM formulary WHERE lower(drug) = lower($1)", drug).
		Scan(&c.Drug, &c.DrugClass, &c.UsualDose, &c.UsualFrequency)
	switch {
	case err == nil:
		c.InFormulary = true
	case !errors.Is(err, sql.ErrNoRows):
		return c, err
	}
	if c.Medications, c.MedicationsNext, err = collectPage(ctx, t, id, pg, func(m *medication) []any {
		return []any{&m.Drug, &m.Dose, &m.Frequency, &m.Indication, &m.Prescriber, &m.Started}
	}, `SELECT started, id, drug, dose, frequency, indication, prescriber, started FROM medications
		WHERE patient_id = $1 AND id > $3 AND $2 <> '' ORDER BY id`); err != nil {
		return c, err
	}
	c.Interactions, err = collect(ctx, t, func(x *interaction) []any {
		return []any{&x.With, &x.Severity, &x.Mechanism, &x.Advice}
	}, `SELECT DISTINCT m.drug, i.severity, i.mechanism, i.advice FROM medications m JOIN interactions i
		ON lower(i.drug) = lower($2) AND lower(i.with_drug) = lower(m.drug) OR lower(i.with_drug) = lower($2) AND lower(i.drug) = lower(m.drug)
		WHERE m.patient_id = $1 ORDER BY m.drug`, id.String(), drug)
	if err != nil {
		return c, err
	}
	slices.SortStableFunc(c.Interactions, func(a, b interaction) int {
		return cmp.Compare(slices.Index(severities, a.Severity), slices.Index(severities, b.Severity))
	})
	if len(c.Interactions) > 0 {
		c.HighestSeverity = c.Interactions[0].Severity
	}
	return c, nil
}

// prescribe writes a prescription of a drug in the formulary.
func (t txn) prescribe(ctx context.Context, id patient.ID, m medication) (p prescription, err error) {
	var indication string
	err = t.QueryRowContext(ctx, "SELECT drug, indication FROM formulary WHERE lower(drug) = lower($1)", m.Drug).Scan(&m.Drug, &indication)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return p, invalid("%q is not in the formulary", m.Drug)
	case err != nil:
		return p, err
	}
	if err := t.room(ctx, "medications", "active medications", id, maxMedications); err != nil {
		return p, err
	}
	m.Indication, m.Prescriber, m.Started = cmp.Or(m.Indication, indication), "MedAssist prescription agent", t.today
	number, err := t.insert(ctx, "medications", map[string]any{"patient_id": id.String(), "drug": m.Drug, "dose": m.Dose, "frequency": m.Frequency,
		"indication": m.Indication, "prescriber": m.Prescriber, "started": m.Started})
	return prescription{PatientID: id, PrescriptionID: number, Status: "written", medication: m}, err
}
