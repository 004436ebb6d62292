package records_test

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/agentwrit/brokertest"
	"github.com/devonartis/medassist-go/internal/cluster"
	"github.com/devonartis/medassist-go/internal/pgtest"
	"github.com/devonartis/medassist-go/internal/routesdoc"
	"github.com/devonartis/medassist-go/patient"
	"github.com/devonartis/medassist-go/records"
	"github.com/devonartis/medassist-go/tools"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// api is a records API behind a real broker.
type api struct {
	*testing.T
	url    string
	app    *agentwrit.App
	client *tools.Client
	store  *records.Store
}

// onBoth runs a test on a store in SQLite, and on one in PostgreSQL, in parallel to
// other tests.
func onBoth(t *testing.T, test func(*testing.T, *api)) {
	t.Helper()
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		store, err := records.OpenStore(t.Context(), "", time.Now)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = store.Close() })
		test(t, startAPI(t, newApp(t), store))
	})
	t.Run("postgres", func(t *testing.T) {
		test(t, startAPI(t, newApp(t), openShared(t, pgtest.URL(t))))
	})
}

func newApp(t *testing.T) *agentwrit.App { return brokertest.Start(t).App(t, tools.Ceiling()...) }

// join returns another replica.
func join(t *testing.T, url string) *cluster.Cluster {
	t.Helper()
	c, err := cluster.Open(t.Context(), cluster.Config{URL: url, Secret: "secret", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// openShared opens the store of another replica.
func openShared(t *testing.T, url string) *records.Store {
	t.Helper()
	store, err := records.OpenShared(t.Context(), join(t, url), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

func startAPI(t *testing.T, app *agentwrit.App, store *records.Store) *api {
	t.Helper()
	srv := httptest.NewServer(records.NewHandler(store, app, slog.New(slog.DiscardHandler)))
	t.Cleanup(srv.Close)
	return &api{t, srv.URL, app, tools.NewClient(srv.URL, nil), store}
}

func (a *api) spawn(scope ...string) *agentwrit.Agent {
	a.Helper()
	agent, err := a.app.CreateAgent(a.Context(), agentwrit.AgentRequest{OrchID: "test", TaskID: "run", Scope: scope})
	if err != nil {
		a.Fatal(err)
	}
	return agent
}

func (a *api) call(token, tool, args string) (string, error) {
	a.Helper()
	call, err := tools.Parse(tool, args)
	if err != nil {
		a.Fatal(err)
	}
	res, err := a.client.Do(a.Context(), call, token)
	return string(res.Output), err
}

// calls holds valid arguments for each tool; %s is the patient.
var calls = map[string]string{
	"get_patient_records":     `{"patient_id":"%s"}`,
	"write_clinical_notes":    `{"patient_id":"%s","notes":"Seen today."}`,
	"get_lab_results":         `{"patient_id":"%s"}`,
	"check_drug_interactions": `{"patient_id":"%s","proposed_drug":"Lisinopril"}`,
	"write_prescription":      `{"patient_id":"%s","drug":"Lisinopril","dose":"10 mg","frequency":"once daily"}`,
	"get_billing_history":     `{"patient_id":"%s"}`,
	"get_insurance_coverage":  `{"patient_id":"%s"}`,
	"generate_billing_codes":  `{"patient_id":"%s","procedures":["office visit"]}`,
	"file_insurance_claim":    `{"patient_id":"%s"}`,
}

func argsFor(tool, id string) string { return strings.Replace(calls[tool], "%s", id, 1) }

// The API's table and the catalogue agree: the scopes that a tool requires are
// sufficient, and each is necessary.
func TestEachToolNeedsItsScopesAndNoOther(t *testing.T) {
	onBoth(t, func(t *testing.T, a *api) {
		own := patient.MustParseID("P-1042")
		for _, tool := range tools.All() {
			if tool.Name == "file_insurance_claim" { // there must be something to claim
				a.call(a.spawn("write:billing:P-1042").AccessToken(), "generate_billing_codes", argsFor("generate_billing_codes", "P-1042"))
			}
			required := tool.RequiredScopes(own)
			if _, err := a.call(a.spawn(required...).AccessToken(), tool.Name, argsFor(tool.Name, "P-1042")); err != nil {
				t.Errorf("%s with %v: %v", tool.Name, required, err)
			}
			for _, missing := range required {
				held := []string{"read:formulary:P-1042", "read:records:P-2187"}
				for _, s := range tools.Ceiling() {
					s = strings.Replace(s, "*", "P-1042", 1)
					if s != missing && !(missing == "read:formulary:*" && strings.HasPrefix(s, "read:formulary")) {
						held = append(held, s)
					}
				}
				if missing != "read:formulary:*" {
					held = append(held, "read:formulary:*")
				}
				_, err := a.call(a.spawn(held...).AccessToken(), tool.Name, argsFor(tool.Name, "P-1042"))
				var refused *tools.Refused
				if !errors.As(err, &refused) || !errors.Is(err, tools.ErrScopeDenied) || !slices.Equal(refused.Missing, []string{missing}) {
					t.Errorf("%s without %s: %v, want it refused for that scope alone", tool.Name, missing, err)
				}
			}
		}
	})
}

func TestNoTokenReachesAnotherPatient(t *testing.T) {
	onBoth(t, func(t *testing.T, a *api) {
		for _, category := range tools.Categories() {
			token := a.spawn(tools.AgentScopes(category, patient.MustParseID("P-1042"))...).AccessToken()
			for _, tool := range tools.All() {
				for _, other := range []string{"P-2187", "P-9999"} { // one that exists, one that does not: the same answer
					out, err := a.call(token, tool.Name, argsFor(tool.Name, other))
					if !errors.Is(err, tools.ErrScopeDenied) || out != "" {
						t.Errorf("%s agent of P-1042, %s of %s: %q, %v, want ErrScopeDenied", category, tool.Name, other, out, err)
					}
				}
			}
		}
	})
}

func TestRevokedAndForeignTokens(t *testing.T) {
	onBoth(t, func(t *testing.T, a *api) {
		elsewhere := api{T: t, app: newApp(t)}
		stranger := elsewhere.spawn("read:records:P-1042")
		released := a.spawn("read:records:P-1042")
		if err := released.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		renewed := a.spawn("read:records:P-1042")
		before := renewed.AccessToken()
		if err := renewed.Renew(t.Context()); err != nil {
			t.Fatal(err)
		}
		for name, header := range map[string]string{
			"none":             "",
			"another scheme":   "Basic " + renewed.AccessToken(),
			"no token":         "Bearer ",
			"garbage":          "Bearer garbage",
			"another broker's": stranger.BearerHeader(),
			"released":         released.BearerHeader(),
			"renewed":          "Bearer " + before,
		} {
			req, _ := http.NewRequest("GET", a.url+"/records/P-1042/chart", nil)
			if header != "" {
				req.Header.Set("Authorization", header)
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if resp.StatusCode != http.StatusUnauthorized || strings.Contains(string(body), "Maria") {
				t.Errorf("token %s: %d %s, want 401", name, resp.StatusCode, body)
			}
		}
		if _, err := a.call(renewed.AccessToken(), "get_patient_records", argsFor("get_patient_records", "P-1042")); err != nil {
			t.Errorf("a live token: %v", err)
		}
	})
}

func TestUnknownPatientIsAnAnswer(t *testing.T) {
	onBoth(t, func(t *testing.T, a *api) {
		call, err := tools.Parse("get_lab_results", `{"patient_id":"P-9999"}`)
		if err != nil {
			t.Fatal(err)
		}
		res, err := a.client.Do(t.Context(), call, a.spawn("read:labs:P-9999").AccessToken())
		if err != nil || !res.NotFound || !strings.Contains(string(res.Output), "no such patient") {
			t.Errorf("labs of P-9999 = %s, %v, want an answer that there is no such patient", res.Output, err)
		}
	})
}

func TestWritesAreRealAndResetUndoesThem(t *testing.T) {
	onBoth(t, func(t *testing.T, a *api) {
		token := a.spawn("read:formulary:*", "read:prescriptions:P-1042", "write:prescriptions:P-1042", "read:records:P-1042",
			"write:records:P-1042", "read:billing:P-1042", "write:billing:P-1042").AccessToken()
		do := func(tool, args string) string {
			t.Helper()
			out, err := a.call(token, tool, args)
			if err != nil {
				t.Fatalf("%s: %v", tool, err)
			}
			return out
		}
		checks := []struct{ write, args, read, readArgs, want string }{
			{"write_prescription", `{"patient_id":"P-1042","drug":"lisinopril","dose":"10 mg","frequency":"once daily"}`,
				"check_drug_interactions", `{"patient_id":"P-1042","drug":"Ibuprofen"}`, `"drug":"Lisinopril"`},
			{"write_clinical_notes", `{"patient_id":"P-1042","note":"Seen again."}`, // the older name
				"get_patient_records", `{"patient_id":"P-1042"}`, "Seen again."},
			{"generate_billing_codes", `{"patient_id":"P-1042","service":"ECG"}`,
				"get_billing_history", `{"patient_id":"P-1042"}`, `"cpt":"93000"`},
			{"file_insurance_claim", `{"patient_id":"P-1042"}`,
				"get_billing_history", `{"patient_id":"P-1042"}`, `"codes":"93000"`},
		}
		for _, c := range checks {
			if strings.Contains(do(c.read, c.readArgs), c.want) {
				t.Fatalf("%s is there before %s", c.want, c.write)
			}
			do(c.write, c.args)
			if out := do(c.read, c.readArgs); !strings.Contains(out, c.want) {
				t.Errorf("after %s, %s has no %s: %s", c.write, c.read, c.want, out)
			}
		}
		if err := a.store.Reset(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, c := range checks {
			if strings.Contains(do(c.read, c.readArgs), c.want) {
				t.Errorf("%s is still there after a reset", c.want)
			}
		}
	})
}

func TestInteractions(t *testing.T) {
	onBoth(t, func(t *testing.T, a *api) {
		for _, tc := range []struct{ id, drug, severity string }{
			{"P-1042", "Lisinopril", "moderate"},
			{"P-1042", "AMOXICILLIN", "none"},
			{"P-4455", "ibuprofen", "major"},
			{"P-4455", "Unheard-of", "none"},
		} {
			out, err := a.call(a.spawn("read:formulary:*", "read:prescriptions:"+tc.id).AccessToken(),
				"check_drug_interactions", `{"patient_id":"`+tc.id+`","drug":"`+tc.drug+`"}`)
			var got struct {
				Severity string `json:"highest_severity"`
			}
			if err != nil || json.Unmarshal([]byte(out), &got) != nil || got.Severity != tc.severity {
				t.Errorf("%s for %s: %s, %v, want %s", tc.drug, tc.id, out, err, tc.severity)
			}
		}
	})
}

// The scenarios rely on it: no data of P-2187 appears in another patient's.
func TestTheOtherPatientIsNowhereElse(t *testing.T) {
	onBoth(t, func(t *testing.T, a *api) {
		for _, id := range []string{"P-1042", "P-3301", "P-4455"} {
			var all strings.Builder
			for _, tool := range []string{"get_patient_records", "get_lab_results", "check_drug_interactions", "get_billing_history", "get_insurance_coverage"} {
				def, _ := tools.ByName(tool)
				out, err := a.call(a.spawn(def.RequiredScopes(patient.MustParseID(id))...).AccessToken(), tool, argsFor(tool, id))
				if err != nil {
					t.Fatal(err)
				}
				all.WriteString(out)
			}
			for _, word := range []string{"Kessler", "Brandt", "Carvedilol", "Levothyroxine", "Northmark", "1951-11-02", "2026-07-21", "Quarry Road", "555-0187", "Karin", "NMS-GRP"} {
				if strings.Contains(all.String(), word) {
					t.Errorf("%s's data hold %q of P-2187", id, word)
				}
			}
		}
	})
}

// docs/routes.md lists every route with the scopes that it requires.
func TestRoutesAreDocumented(t *testing.T) {
	table := routesdoc.Read(t, "../docs/routes.md", "Records API")
	for name, scopes := range records.Routes() {
		if got := strings.ReplaceAll(table[name].Access, "`", ""); got != "a token with "+scopes || table[name].Limits == "" {
			t.Errorf("%s needs %s; it is documented for %q, with the limits %q", name, scopes, got, table[name].Limits)
		}
		delete(table, name)
	}
	for name := range table {
		t.Errorf("%s is documented, but not registered", name)
	}
}
