package tools

import (
	"net/http"
	"slices"
	"strings"

	"github.com/devonartis/medassist-go/patient"
)

// A Category groups tools; each category has an agent of its own.
type Category string

// The categories.
const (
	Clinical     Category = "clinical"
	Prescription Category = "prescription"
	Billing      Category = "billing"
)

// Categories returns the categories in the order in which pages show them.
func Categories() []Category { return []Category{Clinical, Prescription, Billing} }

// A Tool is a function that a model may call.
type Tool struct {
	Name        string
	Description string
	Category    Category

	scopes []string // templates: {patient_id} is the patient
	method string   // of the request to the records API
	path   string   // below /records/{patient_id}
	params []param  // beside patient_id
}

const patientTemplate = "{patient_id}"

// delegated is the scope that the clinical agent holds in order to delegate it.
const delegated = "write:prescriptions:" + patientTemplate

// catalogue holds every tool: its entry here and its route in the records API
// are all that a tool consists of. Descriptions are part of every prompt, hence
// short. The limits on texts are those of the records API, or below: servers
// that turn a schema into a grammar refuse texts of 2,000 characters.
var catalogue = []Tool{{
	Name: "get_patient_records", Category: Clinical, Description: "Read the chart: contact, allergies, problems, visits.",
	method: http.MethodGet, path: "/chart", scopes: []string{"read:records:" + patientTemplate},
	params: []param{after},
}, {
	Name: "write_clinical_notes", Category: Clinical, Description: "Add a clinical note to the chart.",
	method: http.MethodPost, path: "/notes", scopes: []string{"write:records:" + patientTemplate},
	params: []param{
		{name: "notes", kind: kindText, required: true, max: 1500, older: "note"},
		{name: "diagnoses", kind: kindTexts},
	},
}, {
	Name: "get_lab_results", Category: Clinical, Description: "Read laboratory results.",
	method: http.MethodGet, path: "/labs", scopes: []string{"read:labs:" + patientTemplate},
	params: []param{after},
}, {
	Name: "check_drug_interactions", Category: Prescription, Description: "Check a drug against active medications. Do this before prescribing.",
	method: http.MethodGet, path: "/interactions", scopes: []string{"read:formulary:*", "read:prescriptions:" + patientTemplate},
	params: []param{{name: "proposed_drug", kind: kindText, required: true, max: 200, older: "drug"}},
}, {
	Name: "write_prescription", Category: Prescription, Description: "Prescribe a drug. Never against a major interaction.",
	method: http.MethodPost, path: "/prescriptions", scopes: []string{delegated},
	params: []param{
		{name: "drug", kind: kindText, required: true, max: 200},
		{name: "dose", kind: kindText, required: true, max: 200, hint: "such as 10 mg"},
		{name: "frequency", kind: kindText, required: true, max: 200, hint: "such as once daily"},
		{name: "indication", kind: kindText, max: 200},
	},
}, {
	Name: "get_billing_history", Category: Billing, Description: "Read charges and claims.",
	method: http.MethodGet, path: "/billing", scopes: []string{"read:billing:" + patientTemplate},
	params: []param{after},
}, {
	Name: "get_insurance_coverage", Category: Billing, Description: "Read the insurance plan and its coverage.",
	method: http.MethodGet, path: "/insurance", scopes: []string{"read:insurance:" + patientTemplate},
}, {
	Name: "generate_billing_codes", Category: Billing, Description: "Code services for billing (CPT, ICD-10).",
	method: http.MethodPost, path: "/codes", scopes: []string{"write:billing:" + patientTemplate},
	params: []param{
		{name: "diagnoses", kind: kindTexts},
		{name: "procedures", kind: kindTexts, older: "service", hint: "such as office visit"},
	},
}, {
	Name: "file_insurance_claim", Category: Billing, Description: "File a claim for coded services.",
	method: http.MethodPost, path: "/claims", scopes: []string{"write:billing:" + patientTemplate},
	params: []param{
		{name: "billing_codes", kind: kindTexts, older: "codes", hint: "CPT; all unbilled ones if omitted"},
		{name: "total_charges", kind: kindNumber},
	},
}}

// after continues a list that an earlier answer did not return whole.
var after = param{name: "after", kind: kindText, max: 40}

// All returns the tools.
func All() []Tool { return slices.Clone(catalogue) }

// ByName returns the tool of that name.
func ByName(name string) (Tool, bool) {
	i := slices.IndexFunc(catalogue, func(t Tool) bool { return t.Name == name })
	if i < 0 {
		return Tool{}, false
	}
	return catalogue[i], true
}

// Names returns the names of the category's tools.
func (c Category) Names() []string {
	var names []string
	for _, t := range catalogue {
		if t.Category == c {
			names = append(names, t.Name)
		}
	}
	return names
}

// RequiredScopes returns the scopes that a call about this patient requires.
func (t Tool) RequiredScopes(p patient.ID) []string { return fill(t.scopes, p.String()) }

// ScopeTemplates returns the scopes that a call requires, with {patient_id} in
// place of the patient.
func (t Tool) ScopeTemplates() []string { return slices.Clone(t.scopes) }

// Delegated reports whether the clinical agent must delegate the scope that a
// call of the tool requires.
func (t Tool) Delegated() bool { return slices.Contains(t.scopes, delegated) }

// Writes reports whether a call of the tool changes records.
func (t Tool) Writes() bool { return t.method == http.MethodPost }

// AgentScopes returns the scopes that an agent of this category registers with:
// those that its tools require, for one patient. The scope to prescribe goes to
// the clinical agent, which delegates it, and not to the prescription agent.
func AgentScopes(c Category, p patient.ID) []string {
	var templates []string
	for _, t := range catalogue {
		if t.Category == c && !t.Delegated() {
			templates = append(templates, t.scopes...)
		}
	}
	if c == Clinical {
		templates = append(templates, delegated)
	}
	return fill(unique(templates), p.String())
}

// DelegatedScope returns the scope that the clinical agent delegates to the
// prescription agent.
func DelegatedScope(p patient.ID) string { return fill([]string{delegated}, p.String())[0] }

// Ceiling returns the scope ceiling that the app registers with: every scope of
// every tool, for any patient.
func Ceiling() []string {
	var templates []string
	for _, t := range catalogue {
		templates = append(templates, t.scopes...)
	}
	return fill(unique(templates), "*")
}

func fill(templates []string, id string) []string {
	out := make([]string, len(templates))
	for i, t := range templates {
		out[i] = strings.Replace(t, patientTemplate, id, 1)
	}
	return out
}

func unique(s []string) []string {
	var out []string
	for _, x := range s {
		if !slices.Contains(out, x) {
			out = append(out, x)
		}
	}
	return out
}
