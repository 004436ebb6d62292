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
	for _, args := range []string{
		`{"patient_id":"P-1042"}`,
		` {"patient_id" : "x"} `,
	} {
		if _, err := Parse("get_lab_results", args); err != nil {
			t.Errorf("Parse(%s) = %v", args, err)
		}
	}
	for _, tc := range []struct{ name, tool, args, want string }{
		{"unknown tool", "drop_tables", `{"patient_id":"P-1042"}`, "no tool of that name"},
		{"no JSON", "get_lab_results", `patient P-1042`, "one JSON object"},
		{"empty", "get_lab_results", ``, "one JSON object"},
		{"null", "get_lab_results", `null`, "one JSON object"},
		{"an array", "get_lab_results", `["P-1042"]`, "one JSON object"},
		{"two objects", "get_lab_results", `{"patient_id":"P-1042"}{"patient_id":"P-2187"}`, "one JSON object"},
		{"no patient", "get_lab_results", `{}`, "patient_id is missing"},
		{"patient in another case", "get_lab_results", `{"Patient_ID":"P-1042"}`, "patient_id is missing"},
		{"two patients", "get_lab_results", `{"patient_id":["P-1042","P-2187"]}`, "one string"},
		{"a number", "get_lab_results", `{"patient_id":1042}`, "one string"},
		{"a wildcard", "get_lab_results", `{"patient_id":"*"}`, "can't be used"},
		{"a path", "get_lab_results", `{"patient_id":"../x"}`, "can't be used"},
		{"a scope", "get_lab_results", `{"patient_id":"P-1042:x"}`, "can't be used"},
		{"an empty ID", "get_lab_results", `{"patient_id":""}`, "can't be used"},
		{"an unknown argument", "get_lab_results", `{"patient_id":"P-1042","as":"admin"}`, "schema"},
		{"a missing argument", "write_prescription", `{"patient_id":"P-1042"}`, "schema"},
		{"a wrong type", "write_prescription", `{"patient_id":"P-1042","drug":7}`, "schema"},
		{"too much", "write_clinical_notes", `{"patient_id":"P-1042","note":"` + strings.Repeat("x", maxArguments) + `"}`, "longer than"},
	} {
		_, err := Parse(tc.tool, tc.args)
		var pe *ParseError
		if !errors.As(err, &pe) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: error %v, want one with %q", tc.name, err, tc.want)
		}
	}
}

// Whatever a model writes: if it is understood, the patient that is checked is
// the patient that is asked for.
func FuzzParse(f *testing.F) {
	f.Add("get_patient_records", `{"patient_id":"P-1042"}`)
	f.Add("write_prescription", `{"patient_id":"P-1042","drug":"Lisinopril","patient_id":"P-2187"}`)
	f.Add("check_drug_interactions", `{"patient_id":"P-1042","drug":"a&patient_id=P-2187#"}`)
	f.Add("get_lab_results", `{"patient_id":["P-1042","P-2187"]}`)
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
