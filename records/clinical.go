package records

import (
	"cmp"
	"context"
	"slices"

	"github.com/devonartis/medassist-go/patient"
)

func (s *Store) chart(ctx context.Context, p Patient) (c chart, err error) {
	c.Patient = p
	if c.Allergies, err = collect(ctx, s.db, func(a *allergy) []any { return []any{&a.Substance, &a.Reaction, &a.Severity} },
		"SELECT substance, reaction, severity FROM allergies WHERE patient_id = ? ORDER BY id", p.ID.String()); err != nil {
		return c, err
	}
	if c.Problems, err = collect(ctx, s.db, func(x *problem) []any { return []any{&x.ICD10, &x.Description, &x.Since, &x.Status} },
		"SELECT icd10, description, since, status FROM problems WHERE patient_id = ? ORDER BY since, id", p.ID.String()); err != nil {
		return c, err
	}
	c.Visits, err = collect(ctx, s.db, func(v *visit) []any { return []any{&v.Date, &v.Clinician, &v.Reason, &v.Note} },
		"SELECT date, clinician, reason, note FROM visits WHERE patient_id = ? ORDER BY date DESC, id DESC LIMIT 20", p.ID.String())
	return c, err
}

func (s *Store) addNote(ctx context.Context, id patient.ID, note string) (written, error) {
	w := written{PatientID: id, Status: "saved", Date: s.today(), Note: note}
	_, err := s.db.ExecContext(ctx, "INSERT INTO visits (patient_id, date, clinician, reason, note) VALUES (?, ?, ?, ?, ?)",
		id.String(), w.Date, "MedAssist clinical agent", "Note", note)
	return w, err
}

func (s *Store) labs(ctx context.Context, id patient.ID) (l labs, err error) {
	l.PatientID = id
	l.Results, err = collect(ctx, s.db, func(r *labResult) []any {
		return []any{&r.Date, &r.LOINC, &r.Test, &r.Value, &r.Unit, &r.ReferenceRange, &r.Flag}
	}, "SELECT date, loinc, test, value, unit, reference_range, flag FROM labs WHERE patient_id = ? ORDER BY date DESC, id", id.String())
	return l, err
}

// severities from worst to none.
var severities = []string{"major", "moderate", "minor", "none"}

func (s *Store) checkInteractions(ctx context.Context, id patient.ID, drug string) (c interactionCheck, err error) {
	c.PatientID, c.Drug, c.HighestSeverity = id, drug, "none"
	type entry struct{ drug, class, dose, frequency string }
	found, err := collect(ctx, s.db, func(e *entry) []any { return []any{&e.drug, &e.class, &e.dose, &e.frequency} },
		"SELECT drug, class, usual_dose, usual_frequency FROM formulary WHERE drug = ?", drug)
	if err != nil {
		return c, err
	}
	if len(found) == 1 {
		c.InFormulary, c.Drug = true, found[0].drug
		c.DrugClass, c.UsualDose, c.UsualFrequency = found[0].class, found[0].dose, found[0].frequency
	}
	if c.Medications, err = s.medications(ctx, id); err != nil {
		return c, err
	}
	c.Interactions, err = collect(ctx, s.db, func(x *interaction) []any {
		return []any{&x.With, &x.Severity, &x.Mechanism, &x.Advice}
	}, `SELECT DISTINCT m.drug, i.severity, i.mechanism, i.advice FROM medications m JOIN interactions i
		ON (i.drug = ?2 AND i.with_drug = m.drug) OR (i.with_drug = ?2 AND i.drug = m.drug)
		WHERE m.patient_id = ?1 ORDER BY m.drug`, id.String(), drug)
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

func (s *Store) medications(ctx context.Context, id patient.ID) ([]medication, error) {
	return collect(ctx, s.db, func(m *medication) []any {
		return []any{&m.Drug, &m.Dose, &m.Frequency, &m.Indication, &m.Prescriber, &m.Started}
	}, "SELECT drug, dose, frequency, indication, prescriber, started FROM medications WHERE patient_id = ? ORDER BY id", id.String())
}

// prescribe writes a prescription; what is left out is the formulary's usual.
func (s *Store) prescribe(ctx context.Context, id patient.ID, m medication) (prescription, error) {
	var name, dose, frequency, indication string
	err := s.db.QueryRowContext(ctx, "SELECT drug, usual_dose, usual_frequency, indication FROM formulary WHERE drug = ?", m.Drug).
		Scan(&name, &dose, &frequency, &indication)
	if err != nil {
		return prescription{}, notInFormulary(err, m.Drug)
	}
	m.Drug, m.Prescriber, m.Started = name, "MedAssist prescription agent", s.today()
	m.Dose, m.Frequency, m.Indication = cmp.Or(m.Dose, dose), cmp.Or(m.Frequency, frequency), cmp.Or(m.Indication, indication)
	res, err := s.db.ExecContext(ctx, "INSERT INTO medications (patient_id, drug, dose, frequency, indication, prescriber, started) VALUES (?, ?, ?, ?, ?, ?, ?)",
		id.String(), m.Drug, m.Dose, m.Frequency, m.Indication, m.Prescriber, m.Started)
	if err != nil {
		return prescription{}, err
	}
	number, err := res.LastInsertId()
	return prescription{PatientID: id, PrescriptionID: number, Status: "written", medication: m}, err
}
