package records

import (
	"context"
	"encoding/json"

	"github.com/devonartis/medassist-go/patient"
)

// maxVisits is the largest number of visits of a patient, notes included.
const maxVisits = 300

func (t txn) chart(ctx context.Context, p Patient, pg page) (c chart, err error) {
	c.Patient = p
	if err := t.QueryRowContext(ctx, "SELECT address, phone, emergency_contact FROM patients WHERE id = $1", p.ID.String()).
		Scan(&c.Address, &c.Phone, &c.EmergencyContact); err != nil {
		return c, err
	}
	if c.Allergies, err = collect(ctx, t, func(a *allergy) []any { return []any{&a.Substance, &a.Reaction, &a.Severity} },
		"SELECT substance, reaction, severity FROM allergies WHERE patient_id = $1 ORDER BY id", p.ID.String()); err != nil {
		return c, err
	}
	if c.Problems, err = collect(ctx, t, func(x *problem) []any { return []any{&x.ICD10, &x.Description, &x.Since, &x.Status} },
		"SELECT icd10, description, since, status FROM problems WHERE patient_id = $1 ORDER BY since, id", p.ID.String()); err != nil {
		return c, err
	}
	c.Visits, c.VisitsNext, err = collectPage(ctx, t, p.ID, pg,
		func(v *visit) []any { return []any{&v.Date, &v.Clinician, &v.Reason, &v.Note, &v.Diagnoses} },
		// Earlier versions stored longer notes; clipped, any page can be returned.
		`SELECT date, id, date, clinician, reason, substr(note, 1, 4000), diagnoses FROM visits
		WHERE patient_id = $1 AND (date, id) < ($2, $3) ORDER BY date DESC, id DESC`)
	return c, err
}

func (t txn) addNote(ctx context.Context, id patient.ID, note string, diagnoses []string) (written, error) {
	w := written{PatientID: id, Status: "saved", Date: t.today, Note: note, Diagnoses: diagnoses}
	if err := t.room(ctx, "visits", "visits and notes", id, maxVisits); err != nil {
		return w, err
	}
	list, err := json.Marshal(append([]string{}, diagnoses...))
	if err != nil {
		return w, err
	}
	_, err = t.insert(ctx, "visits", map[string]any{"patient_id": id.String(), "date": w.Date, "clinician": "MedAssist clinical agent",
		"reason": "Note", "note": note, "diagnoses": string(list)})
	return w, err
}

func (t txn) labs(ctx context.Context, id patient.ID, pg page) (l labs, err error) {
	l.PatientID = id
	l.Results, l.ResultsNext, err = collectPage(ctx, t, id, pg, func(r *labResult) []any {
		return []any{&r.Date, &r.LOINC, &r.Test, &r.Value, &r.Unit, &r.ReferenceRange, &r.Flag}
	}, `SELECT date, id, date, loinc, test, value, unit, reference_range, flag FROM labs
		WHERE patient_id = $1 AND (date < $2 OR date = $2 AND id > $3) ORDER BY date DESC, id`)
	return l, err
}
