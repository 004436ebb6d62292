package records

import (
	"encoding/json"
	"fmt"

	"github.com/devonartis/medassist-go/patient"
)

// The answers of the API are flat objects with lists of flat objects. A list
// that may grow is a page; the field beside it, such as VisitsNext, is the cursor
// of the next one and absent on the last.

type chart struct {
	Patient
	Address          string    `json:"address"`
	Phone            string    `json:"phone"`
	EmergencyContact string    `json:"emergency_contact"`
	Allergies        []allergy `json:"allergies"`
	Problems         []problem `json:"problems"`
	Visits           []visit   `json:"visits"` // newest first
	VisitsNext       string    `json:"visits_next,omitempty"`
}

type allergy struct {
	Substance string `json:"substance"`
	Reaction  string `json:"reaction"`
	Severity  string `json:"severity"`
}

type problem struct {
	ICD10       string `json:"icd10"`
	Description string `json:"description"`
	Since       string `json:"since"`
	Status      string `json:"status"`
}

type visit struct {
	Date      string `json:"date"`
	Clinician string `json:"clinician"`
	Reason    string `json:"reason"`
	Note      string `json:"note"`
	Diagnoses texts  `json:"diagnoses,omitempty"`
}

type labs struct {
	PatientID   patient.ID  `json:"patient_id"`
	Results     []labResult `json:"results"` // newest first
	ResultsNext string      `json:"results_next,omitempty"`
}

type labResult struct {
	Date           string  `json:"date"`
	LOINC          string  `json:"loinc"`
	Test           string  `json:"test"`
	Value          float64 `json:"value"`
	Unit           string  `json:"unit"`
	ReferenceRange string  `json:"reference_range"`
	Flag           string  `json:"flag"` // "H", "L" or ""
}

type interactionCheck struct {
	PatientID       patient.ID    `json:"patient_id"`
	Drug            string        `json:"drug"`
	InFormulary     bool          `json:"in_formulary"`
	DrugClass       string        `json:"drug_class,omitempty"`
	UsualDose       string        `json:"usual_dose,omitempty"`
	UsualFrequency  string        `json:"usual_frequency,omitempty"`
	HighestSeverity string        `json:"highest_severity"` // "major", "moderate" or "none"
	Interactions    []interaction `json:"interactions"`     // with any active medication
	Medications     []medication  `json:"active_medications"`
	MedicationsNext string        `json:"active_medications_next,omitempty"`
}

type interaction struct {
	With      string `json:"with"`
	Severity  string `json:"severity"`
	Mechanism string `json:"mechanism"`
	Advice    string `json:"advice"`
}

type medication struct {
	Drug       string `json:"drug"`
	Dose       string `json:"dose"`
	Frequency  string `json:"frequency"`
	Indication string `json:"indication"`
	Prescriber string `json:"prescriber"`
	Started    string `json:"started"`
}

type prescription struct {
	PatientID      patient.ID `json:"patient_id"`
	PrescriptionID int64      `json:"prescription_id"`
	Status         string     `json:"status"`
	medication
}

type written struct {
	PatientID patient.ID `json:"patient_id"`
	Status    string     `json:"status"`
	Date      string     `json:"date"`
	Note      string     `json:"note"`
	Diagnoses texts      `json:"diagnoses,omitempty"`
}

type billing struct {
	PatientID   patient.ID `json:"patient_id"`
	BalanceUSD  money      `json:"balance_usd"` // of all charges
	Charges     []charge   `json:"charges"`     // newest first
	ChargesNext string     `json:"charges_next,omitempty"`
	Claims      []claim    `json:"claims"` // newest first
	ClaimsNext  string     `json:"claims_next,omitempty"`
}

type charge struct {
	Date        string `json:"date"`
	CPT         string `json:"cpt"`
	Description string `json:"description"`
	ICD10       string `json:"icd10"`
	AmountUSD   money  `json:"amount_usd"`
	PaidUSD     money  `json:"paid_usd"`
	Status      string `json:"status"`
}

type claim struct {
	ClaimID   int64  `json:"claim_id"`
	Date      string `json:"date"`
	Codes     string `json:"codes"`
	AmountUSD money  `json:"amount_usd"`
	Status    string `json:"status"`
}

type filed struct {
	PatientID patient.ID `json:"patient_id"`
	Payer     string     `json:"payer"`
	claim
	Remark string `json:"remark,omitempty"`
}

type coded struct {
	PatientID patient.ID `json:"patient_id"`
	Codes     []charge   `json:"codes"`
}

type insurance struct {
	PatientID         patient.ID `json:"patient_id"`
	Payer             string     `json:"payer"`
	Plan              string     `json:"plan"`
	MemberID          string     `json:"member_id"`
	GroupNumber       string     `json:"group_number"`
	Effective         string     `json:"effective"`
	CopayUSD          money      `json:"copay_usd"`
	DeductibleUSD     money      `json:"deductible_usd"`
	DeductibleMetUSD  money      `json:"deductible_met_usd"`
	OutOfPocketMaxUSD money      `json:"out_of_pocket_max_usd"`
	Coverage          []covered  `json:"coverage"`
}

type covered struct {
	Service            string `json:"service"`
	PatientShare       string `json:"patient_share"`
	PriorAuthorization string `json:"prior_authorization"`
}

// texts is stored as a JSON array.
type texts []string

// Scan implements sql.Scanner.
func (t *texts) Scan(v any) error {
	s, ok := v.(string)
	if !ok {
		return fmt.Errorf("a list of texts of type %T", v)
	}
	return json.Unmarshal([]byte(s), (*[]string)(t))
}
