//go:build !race

package conformance

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/tools"
)

// Requests and responses of the app's and the records API match the OpenAPI
// document, including refusals, and every operation is exercised.
func TestOpenAPI(t *testing.T) {
	doc := open(t, "../../docs/openapi/app.yaml")
	a := start(t, program(t))
	client := &http.Client{Transport: doc.transport(http.DefaultTransport)}
	send := func(want int, method, path, bearer, body string) string {
		t.Helper()
		req, err := http.NewRequest(method, a.page+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if body != "" {
			req.Header.Set("Content-Type", "application/json")
		}
		if bearer != "" {
			req.Header.Set("Authorization", "Bearer "+bearer)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		answer, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != want {
			t.Errorf("%s %s: %s, want %d: %s", method, path, resp.Status, want, answer)
		}
		return string(answer)
	}

	send(200, "POST", "/api/request", "", `{"patient_id":"P-1042","request":"Show records, check billing, and prescribe Lisinopril"}`)
	send(200, "POST", "/api/request", "", `{"patient_id":"P-3301","request":"Show medical records","scenario":"injection"}`)
	send(200, "POST", "/api/request", "", `{"patient_id":"P-1042","request":"Show medical records","scenario":"stolen-token"}`)
	send(200, "POST", "/api/request", "", `{"patient_id":"P-1042","request":"Show records and lab results","scenario":"kill-switch"}`)
	send(400, "POST", "/api/request", "", `{"patient_id":"*","request":"x"}`)
	send(400, "POST", "/api/runs", "", `{"patient_id":"P-1042"}`)
	// begin starts a run at pace step and advances it past its first wait.
	begin := func() string {
		var begun struct {
			RunID string `json:"run_id"`
		}
		answer := send(202, "POST", "/api/runs", "", `{"patient_id":"P-1042","request":"Show labs","pace":"step"}`)
		if err := json.Unmarshal([]byte(answer), &begun); err != nil {
			t.Fatal(err)
		}
		for {
			resp, err := client.Post(a.page+"/api/runs/"+begun.RunID+"/next", "", nil)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode == http.StatusNoContent {
				return begun.RunID
			}
		}
	}
	id := begin()
	send(204, "POST", "/api/runs/"+id+"/pace", "", `{"pace":"talk:50ms"}`)
	send(400, "POST", "/api/runs/"+id+"/pace", "", `{"pace":"gallop"}`)
	send(204, "POST", "/api/runs/"+id+"/cancel", "", "")
	send(200, "GET", "/api/runs/"+id+"/events?after=2", "", "")
	send(200, "GET", "/api/runs/"+id, "", "")
	send(404, "GET", "/api/runs/run-0000000000000000", "", "")
	send(409, "POST", "/api/runs/"+id+"/next", "", "")

	stepping := begin()
	send(200, "GET", "/api/patients", "", "")
	send(200, "GET", "/api/tools", "", "")
	send(200, "GET", "/api/audit/events?limit=5&outcome=success", "", "")
	send(400, "GET", "/api/audit/events?limit=x", "", "")
	send(200, "POST", "/api/revoke", "", `{"level":"task","target":"`+stepping+`"}`)
	send(200, "POST", "/api/revoke?level=task&target="+stepping, "", "")
	send(400, "POST", "/api/revoke", "", `{"level":"planet","target":"x"}`)
	send(200, "POST", "/api/reset", "", "")
	send(200, "POST", "/api/preflight", "", "")
	send(200, "GET", "/healthz", "", "")
	send(200, "GET", "/metrics", "", "")

	rec, err := a.admin(t).RegisterApp(t.Context(), agentwrit.CreateAppRequest{Name: "other-app", Scopes: tools.Ceiling()})
	if err != nil {
		t.Fatal(err)
	}
	other, err := agentwrit.NewApp(a.broker, rec.ClientID, rec.ClientSecret)
	if err != nil {
		t.Fatal(err)
	}
	var scope []string
	for _, s := range tools.Ceiling() {
		if s != "read:formulary:*" {
			s = strings.TrimSuffix(s, "*") + "P-1042"
		}
		scope = append(scope, s)
	}
	agent, err := other.CreateAgent(t.Context(), agentwrit.AgentRequest{OrchID: "o", TaskID: "t", Scope: scope})
	if err != nil {
		t.Fatal(err)
	}
	for _, call := range []struct {
		want               int
		method, path, body string
	}{
		{200, "GET", "/chart", ""}, {200, "GET", "/labs", ""}, {200, "GET", "/interactions?proposed_drug=Ibuprofen", ""},
		{200, "GET", "/billing", ""}, {200, "GET", "/insurance", ""}, {200, "POST", "/notes", `{"notes":"Seen today.","diagnoses":["I10"]}`},
		{200, "POST", "/prescriptions", `{"drug":"Lisinopril","dose":"10 mg","frequency":"once daily"}`}, {200, "POST", "/codes", `{"procedures":["office visit"]}`},
		{200, "POST", "/claims", `{"billing_codes":["99213"],"total_charges":132}`},
	} {
		send(call.want, call.method, "/records/P-1042"+call.path, agent.AccessToken(), call.body)
		send(403, call.method, "/records/P-2187"+call.path, agent.AccessToken(), call.body)
		send(401, call.method, "/records/P-1042"+call.path, "", call.body)
	}
	if unseen := doc.unseen(); len(unseen) > 0 {
		t.Errorf("operations without a successful response: %v", unseen)
	}
}
