package records

import "github.com/devonartis/medassist-go/patient"

// The answers of the API: one flat object each, with lists of flat objects.

type chart struct {
	Patient
	Allergies []allergy `json:"allergies"`
	Problems  []problem `json:"problems"`
	Visits    []visit   `json:"visits"`
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
}

type labs struct {
	PatientID patient.ID  `json:"patient_id"`
	Results   []labResult `json:"results"`
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
	Interactions    []interaction `json:"interactions"`
	Medications     []medication  `json:"active_medications"`
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
}

type billing struct {
	PatientID  patient.ID `json:"patient_id"`
	BalanceUSD money      `json:"balance_usd"`
	Charges    []charge   `json:"charges"`
	Claims     []claim    `json:"claims"`
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
