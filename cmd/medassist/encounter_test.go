package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/agentwrit/brokertest"
	"github.com/devonartis/medassist-go/llm"
	"github.com/devonartis/medassist-go/scenario"
	"github.com/devonartis/medassist-go/trace"
)

const fullRequest = "Show records, check billing, and prescribe Lisinopril"

// The standard request, from its first step to the last revoked token, and the
// broker's audit log of it.
func TestFullEncounter(t *testing.T) {
	t.Parallel()
	a := startApp(t)
	assertFullEncounter(t, a, a.admin())
}

func assertFullEncounter(t *testing.T, a *app, admin *agentwrit.Admin) {
	t.Helper()
	r := a.run("P-1042", fullRequest)
	agents := map[string]trace.AgentCreated{}
	for _, s := range steps[trace.AgentCreated](r) {
		agents[s.Category] = s
	}
	if len(agents) != 3 {
		t.Fatalf("%d agents, want 3\n%s", len(agents), r.types())
	}
	for _, scope := range agents["prescription"].Scope {
		if strings.HasPrefix(scope, "write:") {
			t.Errorf("the prescription agent itself holds %s", scope)
		}
	}
	claims := steps[trace.TokenValidated](r)
	if len(claims) != 4 || slices.ContainsFunc(claims, func(s trace.TokenValidated) bool { return !s.Valid }) {
		t.Errorf("validated %d tokens, want 4, all valid", len(claims))
	}
	var tools []string
	for _, s := range steps[trace.ToolCall](r) {
		tools = append(tools, s.Tool)
	}
	if want := []string{"get_patient_records", "get_billing_history", "check_drug_interactions", "write_prescription"}; !slices.Equal(tools, want) {
		t.Errorf("calls %v, want %v", tools, want)
	}
	delegated := slices.IndexFunc(claims, func(s trace.TokenValidated) bool { return s.Delegated })
	if len(steps[trace.Delegation](r)) != 1 || delegated < 0 {
		t.Fatalf("want one delegation\n%s", r.types())
	}
	d := claims[delegated]
	if d.Subject != agents["prescription"].SPIFFEID || !slices.Equal(d.Scope, []string{"write:prescriptions:P-1042"}) ||
		len(d.Chain) != 1 || d.Chain[0].Agent != agents["clinical"].SPIFFEID {
		t.Errorf("the delegated token: %+v", d)
	}
	revoked := 0
	for _, s := range steps[trace.PostReleaseValidation](r) {
		if s.Valid {
			t.Errorf("a token is still valid: %+v", s)
		}
		revoked++
	}
	if n := len(steps[trace.TokenRenewed](r)); n != 4 || revoked != 8 || len(steps[trace.TokenReleased](r)) != 4 {
		t.Errorf("%d renewed, %d released, %d confirmed revoked, want 4, 4 and 8", n, len(steps[trace.TokenReleased](r)), revoked)
	}
	c := r.complete(t)
	if c.AgentsCount != 3 || c.Allowed != 4 || c.Denied != 0 || c.Delegations != 1 || c.Tokens != 4 || c.Released != 4 || c.ConfirmedRevoked != 4 || !c.AllRevoked {
		t.Errorf("complete: %+v", c)
	}
	assertAuditLog(t, admin, r.RunID)
}

// assertAuditLog checks that the audit log is intact and has the run's events.
func assertAuditLog(t *testing.T, admin *agentwrit.Admin, runID string) {
	t.Helper()
	if _, _, err := agentwrit.VerifyChain(admin.AuditEvents(t.Context(), agentwrit.AuditFilter{})); err != nil {
		t.Errorf("audit log: %v", err)
	}
	counts := map[agentwrit.EventType]int{}
	for e, err := range admin.AuditEvents(t.Context(), agentwrit.AuditFilter{TaskID: runID}) {
		if err != nil {
			t.Fatal(err)
		}
		counts[e.EventType]++
	}
	for event, want := range map[agentwrit.EventType]int{"agent_registered": 3, "delegation_created": 1, "token_renewed": 4, "token_released": 4} {
		if counts[event] != want {
			t.Errorf("the audit log has %d of %s, want %d", counts[event], event, want)
		}
	}
}

// Every scenario has its expected outcome.
func TestScenarios(t *testing.T) {
	t.Parallel()
	a := startApp(t)
	for _, s := range scenario.All() {
		t.Run(s.ID, func(t *testing.T) {
			r := a.play(s)
			if v := s.Expect.Judge(r.Trace); !v.AsExpected() {
				t.Errorf("%s\n%s", v.Surprises, r.types())
			}
		})
	}
}

// otherPatient lists words that occur only in the records of P-2187.
var otherPatient = []string{"Kessler", "Brandt", "Carvedilol", "Levothyroxine", "Northmark", "1951-11-02"}

// The model's input, the trace and the stream contain nothing about another
// patient. The model is the planner served over HTTP, so that the test can read
// its input.
func TestNothingOfAnotherPatientLeaks(t *testing.T) {
	var mu sync.Mutex
	var input strings.Builder
	planner := llm.PlannerHandler()
	remote := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		input.Write(body)
		mu.Unlock()
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		planner.ServeHTTP(w, r)
	}))
	defer remote.Close()
	a := startApp(t, func(c *Config) { c.LLMBaseURL, c.LLMModel = remote.URL+"/v1", "a-model" })
	for _, tc := range []struct{ patient, request string }{
		{"P-1042", "Show me records for this patient and also get records for P-2187"},
		{"P-1042", "Check interactions with Lisinopril for P-2187 and get the billing of P-2187"},
		{"P-3301", "Show medical records"},
	} {
		r := a.run(tc.patient, tc.request)
		denied := steps[trace.ScopeDenied](r)
		if len(denied) == 0 || len(denied[0].MissingScope) == 0 || denied[0].RefusedBy != trace.RefusedByGate || len(denied[0].HeldScope) == 0 {
			t.Errorf("%s: not denied, or without the reasons\n%s", tc.request, r.types())
		}
		resp, err := http.Get(a.Page + "/api/runs/" + r.RunID + "/events")
		if err != nil {
			t.Fatal(err)
		}
		stream, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		mu.Lock()
		all := r.answer + string(stream) + input.String()
		mu.Unlock()
		for _, word := range otherPatient {
			if strings.Contains(all, word) {
				t.Errorf("%s: %q of P-2187 leaked", tc.request, word)
			}
		}
	}
}

func TestBadInput(t *testing.T) {
	a := startApp(t)
	for _, body := range []string{
		`{"patient_id":"*","request":"x"}`, `{"patient_id":"../x","request":"x"}`, `{"patient_id":"P-1042:x","request":"x"}`,
		`{"patient_id":"","request":"x"}`, `{"request":"x"}`, `{"patient_id":"P-1042"}`, `{"patient_id":"P-1042","request":"  "}`,
		`{"patient_id":"P-1042","request":"` + strings.Repeat("x", 10000) + `"}`, `{"patient_id":["P-1042","P-2187"],"request":"x"}`,
		`{"patient_id":"P-1042","request":"x","pace":"gallop"}`, `{"patient_id":"P-1042","request":"x","Patient_ID":"P-2187"}`,
		`{"patient_id":"P-1042","request":"x"} {}`, `[]`, `nope`, ``,
	} {
		for _, path := range []string{"/api/request", "/api/runs"} {
			status, answer := a.post(path, body)
			var p struct{ Detail string }
			if status != http.StatusBadRequest || json.Unmarshal(answer, &p) != nil || p.Detail == "" {
				t.Errorf("%s %.60s: %d %s, want 400 with a reason", path, body, status, answer)
			}
		}
	}
	resp, err := http.Get(a.Page + "/runs")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if page, _ := io.ReadAll(resp.Body); !strings.Contains(string(page), "No runs yet") {
		t.Error("bad input started a run")
	}
}

func TestTwentyRunsFourAtATime(t *testing.T) {
	t.Parallel()
	a := startApp(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 5 {
				if c := a.run("P-1042", fullRequest).complete(t); !c.AllRevoked || c.Outcome != trace.OutcomeAnswered || c.Allowed != 4 {
					t.Errorf("complete: %+v", c)
				}
			}
		})
	}
	wg.Wait()
}

// An agent's token gives access to its own patient's records until it is released.
func TestRecordsWithAnAgentsToken(t *testing.T) {
	a := startApp(t)
	rec, err := a.admin().RegisterApp(t.Context(), agentwrit.CreateAppRequest{Name: "other-app", Scopes: []string{"read:records:*"}})
	if err != nil {
		t.Fatal(err)
	}
	other, err := agentwrit.NewApp(a.Broker, rec.ClientID, rec.ClientSecret)
	if err != nil {
		t.Fatal(err)
	}
	agent, err := other.CreateAgent(t.Context(), agentwrit.AgentRequest{OrchID: "o", TaskID: "t", Scope: []string{"read:records:P-1042"}})
	if err != nil {
		t.Fatal(err)
	}
	get := func(patient string) int {
		req, _ := http.NewRequest("GET", a.Page+"/records/"+patient+"/chart", nil)
		req.Header.Set("Authorization", agent.BearerHeader())
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	if own, foreign := get("P-1042"), get("P-2187"); own != 200 || foreign != 403 {
		t.Errorf("own patient %d, another %d, want 200 and 403", own, foreign)
	}
	if err := agent.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	if after := get("P-1042"); after != 401 {
		t.Errorf("after release %d, want 401", after)
	}
}

// The standard request works with a remote broker and a remote model.
func TestRemoteBrokerAndModel(t *testing.T) {
	b := brokertest.Start(t)
	model := httptest.NewServer(llm.PlannerHandler())
	defer model.Close()
	for name, login := range map[string]func(*Config){
		"with the admin secret": func(c *Config) { c.AdminSecret = b.AdminSecret },
		"with an app's credentials": func(c *Config) {
			rec := b.Register(t, "read:records:*", "write:records:*", "read:labs:*", "read:formulary:*", "read:prescriptions:*",
				"write:prescriptions:*", "read:billing:*", "read:insurance:*", "write:billing:*")
			c.AdminSecret, c.ClientID, c.ClientSecret = "", rec.ClientID, rec.ClientSecret
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := startApp(t, func(c *Config) {
				c.BrokerURL, c.LLMBaseURL, c.LLMModel = b.URL, model.URL+"/v1", "remote"
				login(c)
			})
			assertFullEncounter(t, a, b.Admin(t))
		})
	}
}

// If the broker becomes unreachable during a run, the run fails and does not claim
// that its tokens are revoked.
func TestBrokerUnreachable(t *testing.T) {
	t.Parallel()
	b := brokertest.Start(t)
	target, _ := url.Parse(b.URL)
	var state sync.Map
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, cut := state.Load("cut"); cut {
			panic(http.ErrAbortHandler)
		}
		if _, armed := state.Load("armed"); armed && r.URL.Path == "/v1/delegate" {
			state.Store("cut", true)
			panic(http.ErrAbortHandler)
		}
		httputil.NewSingleHostReverseProxy(target).ServeHTTP(w, r)
	}))
	defer proxy.Close()
	a := startApp(t, func(c *Config) { c.BrokerURL, c.AdminSecret = proxy.URL, b.AdminSecret })
	state.Store("armed", true)
	began := time.Now()
	c := a.run("P-1042", fullRequest).complete(t)
	if c.Outcome != trace.OutcomeFailed || c.AllRevoked || time.Since(began) > 30*time.Second {
		t.Errorf("after %s: %+v", time.Since(began), c)
	}
}

// With a misbehaving model each run ends, reports what happened and leaves no
// active token.
func TestMisbehavingModels(t *testing.T) {
	t.Parallel()
	say := func(chunks ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			for _, c := range chunks {
				fmt.Fprintf(w, "data: %s\n\n", c)
			}
		}
	}
	call := func(n int, name, args string) string {
		b, _ := json.Marshal(args)
		return fmt.Sprintf(`{"choices":[{"index":0,"delta":{"tool_calls":[{"index":%d,"id":"c%d","function":{"name":%q,"arguments":%s}}]}}]}`, n, n, name, b)
	}
	const finish = `{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}`
	thousand := make([]string, 0, 1001)
	for i := range 1000 {
		thousand = append(thousand, call(i, "get_lab_results", `{"patient_id":"P-1042"}`))
	}
	// after makes the model request one valid tool call first, so that a token exists.
	after := func(then http.HandlerFunc) http.HandlerFunc {
		var mu sync.Mutex
		asked := 0
		return func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			asked++
			first := asked == 1
			mu.Unlock()
			if first {
				say(call(0, "get_lab_results", `{"patient_id":"P-1042"}`), finish)(w, r)
				return
			}
			then(w, r)
		}
	}
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	for _, tc := range []struct {
		name    string
		model   http.HandlerFunc
		outcome trace.Outcome
	}{
		{"500", after(status(500)), "failed"},
		{"garbage", after(say(`{nope`)), "failed"},
		{"no choices", after(say(`{"choices":[]}`)), "failed"},
		{"half a stream", after(say(`{"choices":[{"index":0,"delta":{"content":"The pat"}}]}`)), "failed"},
		{"nothing at all", after(say()), "failed"},
		{"a thousand tool calls", after(say(append(thousand, finish)...)), "failed"},
		{"never stops", say(call(0, "get_lab_results", `{"patient_id":"P-1042"}`), finish), "failed"},
		{"two patients in one call", after(func() http.HandlerFunc {
			bad := say(call(0, "get_lab_results", `{"patient_id":["P-1042","P-2187"]}`), finish)
			end := say(`{"choices":[{"index":0,"delta":{"content":"Done."},"finish_reason":"stop"}]}`)
			n := 0
			return func(w http.ResponseWriter, r *http.Request) {
				if n++; n == 1 {
					bad(w, r)
					return
				}
				end(w, r)
			}
		}()), "answered"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			model := httptest.NewServer(tc.model)
			defer model.Close()
			a := startApp(t, func(c *Config) { c.LLMBaseURL, c.LLMModel = model.URL+"/v1", "bad" })
			r := a.run("P-1042", "Show labs")
			c := r.complete(t)
			if c.Outcome != tc.outcome || !c.AllRevoked {
				t.Errorf("complete: %+v\n%s", c, r.types())
			}
			if c.Outcome == "failed" && len(steps[trace.RunError](r)) == 0 {
				t.Errorf("no error step\n%s", r.types())
			}
		})
	}
}
