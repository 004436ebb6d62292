package tools

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/devonartis/medassist-go/patient"
)

// Category is a kind of tool; each has an agent of its own.
type Category string

// The categories.
const (
	Clinical     Category = "clinical"
	Prescription Category = "prescription"
	Billing      Category = "billing"
)

// Categories lists them in the order in which pages show them.
func Categories() []Category { return []Category{Clinical, Prescription, Billing} }

// Tool is one function that a model may ask for.
type Tool struct {
	Name        string
	Description string
	Category    Category

	scopes []string // templates: {patient_id} stands for the patient
	method string   // of the request to the records API
	path   string   // below /records/{patient_id}
	schema json.RawMessage
	check  *jsonschema.Resolved
}

// The arguments of the tools. Their JSON schemas, which the model sees and the
// parser holds it to, are inferred from these.
type (
	patientArgs struct {
		PatientID string `json:"patient_id" jsonschema:"The one patient this call is about, such as P-1042"`
	}
	noteArgs struct {
		patientArgs
		Note string `json:"note" jsonschema:"The text of the note"`
	}
	interactionArgs struct {
		patientArgs
		Drug string `json:"drug" jsonschema:"The drug to check against what the patient takes, such as Lisinopril"`
	}
	prescriptionArgs struct {
		patientArgs
		Drug       string `json:"drug" jsonschema:"The drug to prescribe"`
		Dose       string `json:"dose,omitempty" jsonschema:"The dose, such as 10 mg"`
		Frequency  string `json:"frequency,omitempty" jsonschema:"How often, such as once daily"`
		Indication string `json:"indication,omitempty" jsonschema:"What it is for"`
	}
	codeArgs struct {
		patientArgs
		Service string `json:"service,omitempty" jsonschema:"What was done, such as office visit or lab panel"`
	}
	claimArgs struct {
		patientArgs
		Codes []string `json:"codes,omitempty" jsonschema:"CPT codes to claim; all that are coded and not yet billed if left out"`
	}
)

const patientTemplate = "{patient_id}"

// delegated is the one scope that the clinical agent holds to hand on.
const delegated = "write:prescriptions:" + patientTemplate

var catalogue = []Tool{
	define[patientArgs]("get_patient_records", Clinical, "Read the patient's chart: allergies, problems, visits and notes.",
		http.MethodGet, "/chart", "read:records:"+patientTemplate),
	define[noteArgs]("write_clinical_notes", Clinical, "Add a clinical note to the patient's chart.",
		http.MethodPost, "/notes", "write:records:"+patientTemplate),
	define[patientArgs]("get_lab_results", Clinical, "Read the patient's laboratory results.",
		http.MethodGet, "/labs", "read:labs:"+patientTemplate),
	define[interactionArgs]("check_drug_interactions", Prescription, "Check a drug against what the patient takes. Do this before prescribing.",
		http.MethodGet, "/interactions", "read:formulary:*", "read:prescriptions:"+patientTemplate),
	define[prescriptionArgs]("write_prescription", Prescription, "Write a prescription. Check interactions first; do not prescribe against a major one.",
		http.MethodPost, "/prescriptions", delegated),
	define[patientArgs]("get_billing_history", Billing, "Read the patient's charges and claims.",
		http.MethodGet, "/billing", "read:billing:"+patientTemplate),
	define[patientArgs]("get_insurance_coverage", Billing, "Read the patient's insurance plan and what it covers.",
		http.MethodGet, "/insurance", "read:insurance:"+patientTemplate),
	define[codeArgs]("generate_billing_codes", Billing, "Code a service for billing (CPT and ICD-10).",
		http.MethodPost, "/codes", "write:billing:"+patientTemplate),
	define[claimArgs]("file_insurance_claim", Billing, "File an insurance claim for coded services.",
		http.MethodPost, "/claims", "write:billing:"+patientTemplate),
}

func define[Args any](name string, c Category, description, method, path string, scopes ...string) Tool {
	schema, err := jsonschema.For[Args](nil)
	if err != nil {
		panic("tools: schema of " + name + ": " + err.Error())
	}
	for _, p := range schema.Properties {
		if p.Type == "string" {
			p.MinLength, p.MaxLength = new(1), new(maxText)
		}
	}
	check, err := schema.Resolve(nil)
	if err != nil {
		panic("tools: schema of " + name + ": " + err.Error())
	}
	raw, err := json.Marshal(schema)
	if err != nil {
		panic("tools: schema of " + name + ": " + err.Error())
	}
	return Tool{Name: name, Category: c, Description: description,
		scopes: scopes, method: method, path: path, schema: raw, check: check}
}

// All lists the tools.
func All() []Tool { return slices.Clone(catalogue) }

// ByName finds a tool.
func ByName(name string) (Tool, bool) {
	i := slices.IndexFunc(catalogue, func(t Tool) bool { return t.Name == name })
	if i < 0 {
		return Tool{}, false
	}
	return catalogue[i], true
}

// Names lists the names of a category's tools.
func (c Category) Names() []string {
	var names []string
	for _, t := range catalogue {
		if t.Category == c {
			names = append(names, t.Name)
		}
	}
	return names
}

// Schema is the JSON schema of the tool's arguments.
func (t Tool) Schema() json.RawMessage { return t.schema }

// RequiredScopes is what a token must hold for a call about this patient.
func (t Tool) RequiredScopes(p patient.ID) []string { return fill(t.scopes, p.String()) }

// Delegated reports whether a call of the tool is made with authority that the
// clinical agent delegates.
func (t Tool) Delegated() bool { return slices.Contains(t.scopes, delegated) }

// Writes reports whether a call of the tool changes records.
func (t Tool) Writes() bool { return t.method == http.MethodPost }

// AgentScopes is what an agent of this category is spawned with: what its
// tools require, for one patient. Authority to prescribe is the clinical
// agent's, to delegate, and not the prescription agent's own.
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

// DelegatedScope is what the clinical agent hands to the prescription agent.
func DelegatedScope(p patient.ID) string { return fill([]string{delegated}, p.String())[0] }

// Ceiling is what the app asks the broker's operator for: each scope of each
// tool, for any patient.
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

// ScopeTemplates is what a call requires, {patient_id} standing for the patient.
func (t Tool) ScopeTemplates() []string { return slices.Clone(t.scopes) }
