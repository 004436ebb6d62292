package web_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// at returns the value at a path such as "trace.0.step_type" of a decoded JSON
// document, and nil if there is none.
func at(doc any, path string) any {
	for key := range strings.SplitSeq(path, ".") {
		switch v := doc.(type) {
		case map[string]any:
			doc = v[key]
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i >= len(v) {
				return nil
			}
			doc = v[i]
		default:
			return nil
		}
	}
	return doc
}

// call sends a request as the Python demo's clients do, and returns the status
// and the decoded answer.
func (s *site) call(t *testing.T, method, path, body string) (int, any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
	must(t, err)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	must(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(t, err)
	var doc any
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatalf("%s %s: %s: %v: %.200s", method, path, resp.Status, err, text)
	}
	return resp.StatusCode, doc
}

// What clients of the Python demo send and read.
func TestPythonDemosContract(t *testing.T) {
	t.Parallel()
	s := newSite(t, configure{})
	for range 5 { // over 50 audit events
		s.encounter(t, "P-1042", "Show records, labs and billing")
	}
	for _, tc := range []struct {
		name, method, path, body string
		status                   int
		want                     map[string]any // by path: a value, or a func(any) bool that it meets
	}{
		{"patients", "GET", "/api/patients", "", 200, map[string]any{
			"patients.0.patient_id": "P-1042", "patients.0.name": "Maria Alvarez", "patients.0.dob": "1967-03-14",
			"patients.0.date_of_birth": "1967-03-14", "patients.0.sex": "female", "patients.0.phone": nil}},
		{"tools by name", "GET", "/api/tools", "", 200, map[string]any{
			"tools.get_patient_records.scope_template.0":     "read:records:{patient_id}",
			"tools.get_patient_records.category":             "clinical",
			"tools.check_drug_interactions.scope_template.1": "read:prescriptions:{patient_id}",
			"tools.write_prescription.name":                  "write_prescription",
			"tools.write_prescription.required_scopes.0":     "write:prescriptions:{patient_id}"}},
		{"audit events", "GET", "/api/audit/events", "", 200, map[string]any{"limit": 50.0, "events.49.id": "evt-000050", "events.50": nil}},
		{"audit events, another limit", "GET", "/api/audit/events?limit=3", "", 200, map[string]any{"limit": 3.0, "events.3": nil}},
		{"audit events, no number", "GET", "/api/audit/events?limit=x", "", 400, map[string]any{"field": "limit"}},

		{"a request", "POST", "/api/request", `{"patient_id":" P-1042 ","request":" Show labs "}`, 200, map[string]any{
			"trace.0.step_type": "validation", "trace.0.detail.patient_id": "P-1042", "trace.0.timestamp": isNumber,
			"trace.1.step_type": "patient_lookup", "trace.1.detail.dob": "1967-03-14", "trace.1.status": "success"}},
		{"a request for an unknown patient", "POST", "/api/request", `{"patient_id":"P-9999","request":"Show labs"}`, 200, map[string]any{
			"trace.1.detail.found": false}},
		{"unknown fields", "POST", "/api/request", `{"patient_id":"P-1042","request":"Show labs","session":{"id":7}}`, 200, map[string]any{"trace.0.step_type": "validation"}},
		{"a field in another case", "POST", "/api/request", `{"patient_id":"P-1042","Patient_ID":"P-2187","request":"Show labs"}`, 400, nil},
		{"a field twice", "POST", "/api/request", `{"patient_id":"P-1042","patient_id":"P-2187","request":"Show labs"}`, 400, nil},
		{"white space in a patient ID", "POST", "/api/request", `{"patient_id":"P- 1042","request":"Show labs"}`, 400, map[string]any{"field": "patient_id"}},
		{"no request", "POST", "/api/request", `{"patient_id":"P-1042"}`, 400, map[string]any{"field": "request"}},

		{"revoke by query", "POST", "/api/revoke?level=task&target=run-x", "", 200, map[string]any{"level": "task", "target": "run-x", "count": isNumber}},
		{"revoke by query, empty object", "POST", "/api/revoke?level=task&target=run-x", "{}", 200, map[string]any{"level": "task"}},
		{"revoke by body", "POST", "/api/revoke", `{"level":"task","target":"run-x"}`, 200, map[string]any{"level": "task"}},
		{"revoke by both", "POST", "/api/revoke?level=task&target=run-x", `{"level":"agent","target":"a"}`, 400, nil},
		{"revoke two targets", "POST", "/api/revoke?level=task&target=run-x&target=run-y", "", 400, nil},
		{"revoke without a target", "POST", "/api/revoke?level=task", "", 400, nil},
		{"revoke at an unknown level", "POST", "/api/revoke?level=planet&target=x", "", 400, nil},
	} {
		status, doc := s.call(t, tc.method, tc.path, tc.body)
		if status != tc.status {
			t.Errorf("%s: %d, want %d: %.300v", tc.name, status, tc.status, doc)
			continue
		}
		for path, want := range tc.want {
			got := at(doc, path)
			if holds, is := want.(func(any) bool); is && !holds(got) || !is && got != want {
				t.Errorf("%s: %s = %v", tc.name, path, got)
			}
		}
	}
}

// isNumber is a condition of TestPythonDemosContract.
func isNumber(v any) bool { _, ok := v.(float64); return ok }

// The steps of a whole encounter, as clients of the Python demo look for them:
// by step type, each with a condition on its detail.
func TestPythonDemosSteps(t *testing.T) {
	t.Parallel()
	s := newSite(t, configure{})
	_, doc := s.call(t, "POST", "/api/request", `{"patient_id":"P-1042","request":"Show records and the records of P-2187, and prescribe Lisinopril"}`)
	steps, _ := at(doc, "trace").([]any)
	for _, tc := range []struct{ step, key, want string }{
		{"llm_start", "request", "Show records and the records of P-2187, and prescribe Lisinopril"},
		{"llm_start", "base_url", ""},
		{"llm_start", "tools_available.0", "get_patient_records"},
		{"agent_created", "category", "prescription"},
		{"token_validated", "context", "spawned"},
		{"tool_call", "tool", "write_prescription"},
		{"scope_denied", "required_scope.0", "read:records:P-2187"},
		{"delegation", "delegated_scope.0", "write:prescriptions:P-1042"},
		{"token_renewed", "category", "clinical"},
		{"token_validated", "context", "old_token_after_renewal"},
		{"post_release_validation", "context", "after_release"},
		{"complete", "patient_id", "P-1042"},
	} {
		found := false
		for _, step := range steps {
			value := at(step, "detail."+tc.key)
			found = found || at(step, "step_type") == tc.step && value != nil && (tc.want == "" || value == tc.want)
		}
		if !found {
			t.Errorf("no step %s with %s = %q", tc.step, tc.key, tc.want)
		}
	}
}

// Where a chart or a coverage is shown, so are the patient's contact and the
// insurer's group.
func TestContactIsShown(t *testing.T) {
	t.Parallel()
	s := newSite(t, configure{})
	id, _ := s.encounter(t, "P-1042", "Show records and insurance")
	_, page := s.fetch(t, "/runs/"+id)
	for _, fact := range []string{"18 Alder Lane", "555-0142", "Luis Alvarez", "HLH-GRP-2207"} {
		if !strings.Contains(string(page), fact) {
			t.Errorf("the run's page lacks %s", fact)
		}
	}
}
