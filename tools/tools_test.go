package tools

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/patient"
)

func TestScopes(t *testing.T) {
	p := patient.MustParseID("P-1042")
	for _, tc := range []struct {
		category Category
		want     []string
	}{
		{Clinical, []string{"read:records:P-1042", "write:records:P-1042", "read:labs:P-1042", "write:prescriptions:P-1042"}},
		{Prescription, []string{"read:formulary:*", "read:prescriptions:P-1042"}},
		{Billing, []string{"read:billing:P-1042", "read:insurance:P-1042", "write:billing:P-1042"}},
	} {
		got := AgentScopes(tc.category, p)
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s agent holds %v, want %v", tc.category, got, tc.want)
		}
		if missing := agentwrit.MissingScopes(got, Ceiling()); len(missing) > 0 {
			t.Errorf("%s agent is above the ceiling by %v", tc.category, missing)
		}
	}
	if n := len(Ceiling()); n != 9 {
		t.Errorf("the ceiling has %d scopes, want 9", n)
	}
}

// Each agent's own scopes allow its tools for its patient and nothing for
// another; only prescribing needs more than the agent holds.
func TestAgentScopesAllowTheirToolsAlone(t *testing.T) {
	own, other := patient.MustParseID("P-1042"), patient.MustParseID("P-2187")
	for _, tool := range All() {
		for _, category := range Categories() {
			held := AgentScopes(category, own)
			allowed := agentwrit.ScopeIsSubset(tool.RequiredScopes(own), held)
			want := category == tool.Category && !tool.Delegated() || category == Clinical && tool.Delegated()
			if allowed != want {
				t.Errorf("%s agent, %s of its own patient: allowed %t, want %t", category, tool.Name, allowed, want)
			}
			if agentwrit.ScopeIsSubset(tool.RequiredScopes(other), held) {
				t.Errorf("%s agent may %s of another patient", category, tool.Name)
			}
		}
	}
}

func TestParse(t *testing.T) {
	for _, tc := range []struct{ name, tool, args, shown, ignored string }{
		{"as the schema has it", "get_lab_results", `{"patient_id":"P-1042"}`, `{"patient_id":"P-1042"}`, ""},
		{"spaces", "get_lab_results", ` {"patient_id" : " x\n"} `, `{"patient_id":"x"}`, ""},
		{"the letter case of an ID", "get_lab_results", `{"patient_id":"p-1042"}`, `{"patient_id":"p-1042"}`, ""},
		{"optional arguments that are null", "write_clinical_notes", `{"patient_id":"P-1042","notes":" Well. ","diagnoses":null}`,
			`{"notes":"Well.","patient_id":"P-1042"}`, ""},
		{"a number for a text", "write_prescription", `{"patient_id":"P-1042","drug":"X","dose":10,"frequency":1.50}`,
			`{"dose":"10","drug":"X","frequency":"1.50","patient_id":"P-1042"}`, ""},
		{"a list of one for a text", "check_drug_interactions", `{"patient_id":"P-1042","proposed_drug":["X"]}`,
			`{"patient_id":"P-1042","proposed_drug":"X"}`, ""},
		{"a text for a list", "write_clinical_notes", `{"patient_id":"P-1042","notes":"x","diagnoses":"I10"}`,
			`{"diagnoses":["I10"],"notes":"x","patient_id":"P-1042"}`, ""},
		{"a text for a number", "file_insurance_claim", `{"patient_id":"P-1042","billing_codes":[99213],"total_charges":"$132.00"}`,
			`{"billing_codes":["99213"],"patient_id":"P-1042","total_charges":132}`, ""},
		{"older names", "write_clinical_notes", `{"patient_id":"P-1042","note":"x"}`, `{"notes":"x","patient_id":"P-1042"}`, ""},
		{"older names of lists", "generate_billing_codes", `{"patient_id":"P-1042","service":"ECG"}`,
			`{"patient_id":"P-1042","procedures":["ECG"]}`, ""},
		{"both names", "check_drug_interactions", `{"patient_id":"P-1042","drug":"Y","proposed_drug":"X"}`,
			`{"drug":"Y","patient_id":"P-1042","proposed_drug":"X"}`, "drug"},
		{"unknown arguments", "get_lab_results", `{"patient_id":"P-1042","as":{"role":"<admin>"},"Reason":1}`,
			`{"Reason":1,"as":{"role":"<admin>"},"patient_id":"P-1042"}`, "Reason as"},
		{"an argument in another case", "check_drug_interactions", `{"patient_id":"P-1042","Proposed_Drug":"X"}`,
			`{"Proposed_Drug":"X","patient_id":"P-1042"}`, "Proposed_Drug"},
		{"missing arguments are the API's to refuse", "write_prescription", `{"patient_id":"P-2187"}`, `{"patient_id":"P-2187"}`, ""},
	} {
		call, err := Parse(tc.tool, tc.args)
		if err != nil || string(call.Args) != tc.shown || strings.Join(call.Ignored, " ") != tc.ignored {
			t.Errorf("%s: %s, ignored %q, %v, want %s, %q", tc.name, call.Args, call.Ignored, err, tc.shown, tc.ignored)
		}
		for _, name := range call.Ignored {
			if _, sent := call.request[name]; sent {
				t.Errorf("%s: %s is sent", tc.name, name)
			}
		}
	}
	for _, tc := range []struct{ name, tool, args, want string }{
		{"unknown tool", "drop_tables", `{"patient_id":"P-1042"}`, "no tool of that name"},
		{"no JSON", "get_lab_results", `patient P-1042`, "one JSON object"},
		{"empty", "get_lab_results", ``, "one JSON object"},
		{"null", "get_lab_results", `null`, "one JSON object"},
		{"an array", "get_lab_results", `["P-1042"]`, "one JSON object"},
		{"two objects", "get_lab_results", `{"patient_id":"P-1042"}{"patient_id":"P-2187"}`, "one JSON object"},
		{"two IDs", "get_lab_results", `{"patient_id":"P-1042","patient_id":"P-2187"}`, "repeated keys"},
		{"two IDs in two cases", "get_lab_results", `{"patient_id":"P-1042","Patient_ID":"P-2187"}`, "repeated keys"},
		{"no patient", "get_lab_results", `{}`, "patient_id is missing"},
		{"patient in another case", "get_lab_results", `{"Patient_ID":"P-1042"}`, "patient_id is missing"},
		{"a list of patients", "get_lab_results", `{"patient_id":["P-1042","P-2187"]}`, "one string"},
		{"a list of one patient", "get_lab_results", `{"patient_id":["P-1042"]}`, "one string"},
		{"a number", "get_lab_results", `{"patient_id":1042}`, "one string"},
		{"null as a patient", "get_lab_results", `{"patient_id":null}`, "one string"},
		{"a wildcard", "get_lab_results", `{"patient_id":"*"}`, "not valid"},
		{"a path", "get_lab_results", `{"patient_id":"../x"}`, "not valid"},
		{"a scope", "get_lab_results", `{"patient_id":"P-1042:x"}`, "not valid"},
		{"a space within", "get_lab_results", `{"patient_id":"P- 1042"}`, "not valid"},
		{"too long an ID", "get_lab_results", `{"patient_id":"` + strings.Repeat("x", 33) + `"}`, "not valid"},
		{"an empty ID", "get_lab_results", `{"patient_id":""}`, "not valid"},
		{"an object for a text", "write_prescription", `{"patient_id":"P-1042","drug":{"name":"X"}}`, "drug of write_prescription must be a text"},
		{"two texts for one", "write_prescription", `{"patient_id":"P-1042","drug":["X","Y"]}`, "must be a text"},
		{"a list of objects", "write_clinical_notes", `{"patient_id":"P-1042","notes":"x","diagnoses":[{}]}`, "must be a list of texts"},
		{"no number", "file_insurance_claim", `{"patient_id":"P-1042","total_charges":"much"}`, "must be a number"},
		{"not a number", "file_insurance_claim", `{"patient_id":"P-1042","total_charges":"NaN"}`, "must be a number"},
		{"too much", "write_clinical_notes", `{"patient_id":"P-1042","notes":"` + strings.Repeat("x", maxArguments) + `"}`, "longer than"},
	} {
		_, err := Parse(tc.tool, tc.args)
		var pe *ParseError
		if !errors.As(err, &pe) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: error %v, want one with %q", tc.name, err, tc.want)
		}
	}
}

// Vendors refuse union types, references and unbounded schemas, and every byte
// of a schema is part of every prompt.
func TestSchemas(t *testing.T) {
	size := 0
	for _, tool := range All() {
		size += len(tool.Description) + len(tool.Schema())
		var schema struct {
			Type       string
			Properties map[string]struct {
				Type      string // fails for a union
				Pattern   string
				MaxLength int
				MaxItems  int
				Items     *struct {
					Type      string
					MaxLength int
				}
			}
			Required []string
		}
		if err := json.Unmarshal(tool.Schema(), &schema); err != nil || schema.Type != "object" {
			t.Fatalf("%s: %s, %v", tool.Name, tool.Schema(), err)
		}
		if id := schema.Properties["patient_id"]; id.MaxLength != 32 || id.Pattern == "" || schema.Required[0] != "patient_id" {
			t.Errorf("%s: patient_id is %+v, required are %q", tool.Name, id, schema.Required)
		}
		for name, p := range schema.Properties {
			switch p.Type {
			case "string":
				if p.MaxLength < 1 || p.MaxLength > 1500 { // llama.cpp and LM Studio refuse a grammar of 2,000
					t.Errorf("%s: %s has a maxLength of %d", tool.Name, name, p.MaxLength)
				}
			case "array":
				if p.MaxItems < 1 || p.Items == nil || p.Items.Type != "string" || p.Items.MaxLength < 1 {
					t.Errorf("%s: %s is %+v", tool.Name, name, p)
				}
			case "number":
			default:
				t.Errorf("%s: %s has type %q", tool.Name, name, p.Type)
			}
		}
	}
	if size > 3000 {
		t.Errorf("descriptions and schemas have %d bytes", size)
	}
}

// For any call that parses, the patient that is checked is the patient that is
// requested and shown.
func FuzzParse(f *testing.F) {
	f.Add("get_patient_records", `{"patient_id":"P-1042"}`)
	f.Add("write_prescription", `{"patient_id":"P-1042","drug":"Lisinopril","patient_id":"P-2187"}`)
	f.Add("check_drug_interactions", `{"patient_id":"P-1042","drug":"a&patient_id=P-2187#"}`)
	f.Add("get_lab_results", `{"patient_id":["P-1042","P-2187"]}`)
	f.Add("generate_billing_codes", `{"patient_id":" P-1042 ","service":7,"after":"x","Patient":"P-2187"}`)
	f.Fuzz(func(t *testing.T, name, args string) {
		call, err := Parse(name, args)
		if err != nil {
			return
		}
		req, err := NewClient("http://127.0.0.1", nil).request(t.Context(), call)
		if err != nil {
			t.Fatal(err)
		}
		if got, _, _ := strings.Cut(strings.TrimPrefix(req.URL.Path, "/records/"), "/"); got != call.Patient.String() {
			t.Errorf("asks for %q, checked for %q", got, call.Patient)
		}
		if req.URL.Query().Has("patient_id") {
			t.Error("a second patient in the query")
		}
		var shown struct {
			PatientID string `json:"patient_id"`
		}
		if json.Unmarshal(call.Args, &shown) != nil || shown.PatientID != call.Patient.String() {
			t.Errorf("shows %q, checked for %q", shown.PatientID, call.Patient)
		}
		for _, s := range call.RequiredScopes() {
			if !strings.HasSuffix(s, ":"+call.Patient.String()) && s != "read:formulary:*" {
				t.Errorf("requires %q for %q", s, call.Patient)
			}
		}
	})
}
