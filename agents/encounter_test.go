package agents_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/devonartis/medassist-go/agentwrit/brokertest"
	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/tools"
	"github.com/devonartis/medassist-go/trace"
)

const fullRequest = "Show records, check billing, and prescribe Lisinopril"

func types(h *history) []trace.Type {
	var out []trace.Type
	for _, e := range h.Events {
		if e.Step.Type() != trace.TypeLLMDelta {
			out = append(out, e.Step.Type())
		}
	}
	return out
}

func TestFullEncounter(t *testing.T) { onEach(t, testFullEncounter) }

func testFullEncounter(t *testing.T, kind brokertest.Starter) {
	w := newWorld(t, kind, worldConfig{})
	h := w.encounter(t, "P-1042", fullRequest)

	const (
		start, reply    = trace.TypeLLMStart, trace.TypeLLMResponse
		born, validated = trace.TypeAgentCreated, trace.TypeTokenValidated
		call, proof     = trace.TypeToolCall, trace.TypePostReleaseValidation
		renewed, freed  = trace.TypeTokenRenewed, trace.TypeTokenReleased
	)
	want := []trace.Type{trace.TypeValidation, trace.TypePatientLookup, trace.TypeBrokerHealth,
		start, reply, born, validated, call, born, validated, call, born, validated, call,
		start, reply, trace.TypeDelegation, validated, call,
		start, reply,
		renewed, proof, freed, proof, renewed, proof, freed, proof,
		renewed, proof, freed, proof, renewed, proof, freed, proof, trace.TypeComplete}
	if diff := cmp.Diff(want, types(h)); diff != "" {
		t.Fatalf("steps (-want +got):\n%s\n%s", diff, h)
	}

	var called []string
	for _, c := range all[trace.ToolCall](h) {
		called = append(called, c.Tool)
		if !c.Authorized || c.PatientID != "P-1042" || !wire.Covered(c.RequiredScope, c.HeldScope) {
			t.Errorf("call = %+v", c)
		}
	}
	if want := []string{"get_patient_records", "get_billing_history", "check_drug_interactions", "write_prescription"}; !slices.Equal(called, want) {
		t.Errorf("calls = %v, want the check before the prescription: %v", called, want)
	}

	sum := *h.Run.Summary
	sum.Milliseconds = 0
	if diff := cmp.Diff(trace.Complete{PatientID: "P-1042", Agents: []string{"clinical", "billing", "prescription"}, AgentsCount: 3,
		Allowed: 4, Delegations: 1, Tokens: 4, Released: 4, ConfirmedRevoked: 4, AllRevoked: true, Outcome: "answered"}, sum); diff != "" {
		t.Errorf("summary (-want +got):\n%s", diff)
	}
	w.assertEnded(t, h, 4)
	if !strings.Contains(h.answer(), "Lisinopril") {
		t.Errorf("answer = %s", h.answer())
	}
	for i, e := range h.Events {
		if e.Seq != int64(i+1) || e.RunID != h.Run.ID || e.Label == "" || e.Status == "" {
			t.Errorf("event %d = %+v", i+1, e)
		}
	}
}

func TestPrescriptionIsDelegated(t *testing.T) { onEach(t, testPrescriptionIsDelegated) }

func testPrescriptionIsDelegated(t *testing.T, kind brokertest.Starter) {
	w := newWorld(t, kind, worldConfig{})
	h := w.encounter(t, "P-1042", fullRequest)

	agents := map[string]trace.AgentCreated{}
	for _, a := range all[trace.AgentCreated](h) {
		agents[a.Category] = a
		if a.TaskID != h.Run.ID || a.OrchID != "medassist" || !strings.Contains(a.SPIFFEID, "/agent/medassist/"+h.Run.ID+"/") {
			t.Errorf("agent = %+v", a)
		}
	}
	for _, s := range agents["prescription"].Scope {
		if strings.HasPrefix(s, "write:") {
			t.Errorf("the prescription agent's own token holds %s", s)
		}
	}
	scope := []string{"write:prescriptions:P-1042"}
	d := only[trace.Delegation](t, h)
	if d.DelegatorID != agents["clinical"].SPIFFEID || d.DelegateID != agents["prescription"].SPIFFEID || !slices.Equal(d.DelegatedScope, scope) {
		t.Errorf("delegation = %+v", d)
	}
	claims := all[trace.TokenValidated](h)[3]
	if claims.Context != "delegated" || !claims.Valid || claims.Subject != d.DelegateID || !slices.Equal(claims.Scope, scope) ||
		len(claims.Chain) != 1 || claims.Chain[0].Agent != d.DelegatorID || len(claims.ChainHash) != 64 ||
		claims.Header.Algorithm != "EdDSA" || claims.Header.Type != "JWT" || claims.Header.KeyID == "" {
		t.Errorf("the delegated token's claims = %+v, header %+v", claims, claims.Header)
	}
	written := all[trace.ToolCall](h)[3]
	if !written.Delegated || written.Category != "prescription" || !slices.Equal(written.HeldScope, scope) {
		t.Errorf("the prescription was written with %+v", written)
	}
	// Delegated tokens are released first, or their delegator's release would end them.
	if first := all[trace.TokenRenewed](h)[0]; !first.Delegated {
		t.Errorf("the first token that was ended is %+v", first.Credential)
	}
	trail := w.trail(t, h.Run.ID)
	for typ, want := range map[string]int{"agent_registered": 3, "token_issued": 3, "delegation_created": 1, "token_renewed": 4, "token_released": 4} {
		if n := count(trail, typ); n != want {
			t.Errorf("the broker's trail has %d %s, want %d", n, typ, want)
		}
	}
}

// A delegated token is used again for what it covers.
func TestDelegationIsReused(t *testing.T) { onEach(t, testDelegationIsReused) }

func testDelegationIsReused(t *testing.T, kind brokertest.Starter) {
	prescribe := func(id, drug string) turn {
		return want("write_prescription", `{"patient_id":"`+id+`","drug":"`+drug+`","dose":"10 mg","frequency":"once daily"}`)
	}
	w := newWorld(t, kind, worldConfig{}).withModel(t, scripted(t, prescribe("P-1042", "Lisinopril"), prescribe("P-1042", "Metformin"),
		prescribe("P-2187", "Lisinopril"), prescribe("P-1042", "Atorvastatin"), say("Done.")))
	h := w.encounter(t, "P-1042", "Prescribe Lisinopril")
	only[trace.Delegation](t, h)
	if d := only[trace.DelegationDenied](t, h); d.PatientID != "P-2187" || !slices.Equal(d.MissingScope, []string{"write:prescriptions:P-2187"}) {
		t.Errorf("denial = %+v", d)
	}
	for _, c := range all[trace.ToolCall](h) {
		if !c.Delegated || c.PatientID != "P-1042" {
			t.Errorf("call = %+v", c)
		}
	}
	if c := h.Run.Summary; c.Allowed != 3 || c.Denied != 1 {
		t.Errorf("summary = %+v", *c)
	}
	w.assertEnded(t, h, 3)
}

func TestOtherPatientDenied(t *testing.T) { onEach(t, testOtherPatientDenied) }

func testOtherPatientDenied(t *testing.T, kind brokertest.Starter) {
	const other, own = "P-2187", "P-1042"
	tests := []struct {
		name, request string
		tool          string // that is refused
		required      []string
		by            trace.RefusedBy
	}{
		{"records", "Show me records for this patient and also get records for P-2187",
			"get_patient_records", []string{"read:records:P-2187"}, trace.RefusedByGate},
		{"labs", "Show the lab results of P-2187", "get_lab_results", []string{"read:labs:P-2187"}, trace.RefusedByGate},
		{"billing", "Check the billing of P-2187", "get_billing_history", []string{"read:billing:P-2187"}, trace.RefusedByGate},
		{"insurance", "Check the insurance of P-2187", "get_insurance_coverage", []string{"read:insurance:P-2187"}, trace.RefusedByGate},
		{"interactions, whose formulary is everyone's", "Check the interactions of Lisinopril for P-2187",
			"check_drug_interactions", []string{"read:prescriptions:P-2187"}, trace.RefusedByGate},
		{"a claim", "File an insurance claim for P-2187", "file_insurance_claim", []string{"write:billing:P-2187"}, trace.RefusedByGate},
		{"a prescription, which would have to be delegated", "Prescribe Lisinopril for P-2187",
			"write_prescription", []string{"write:prescriptions:P-2187"}, trace.RefusedByBroker},
	}
	w := newWorld(t, kind, worldConfig{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := w.encounter(t, own, tt.request)
			var found bool
			for _, d := range all[trace.ScopeDenied](h) {
				if d.PatientID != other || d.Authorized || d.Reason == "" || len(d.HeldScope) == 0 || !slices.Equal(d.MissingScope, wire.Missing(d.RequiredScope, d.HeldScope)) {
					t.Errorf("denial = %+v", d)
				}
				found = found || d.Tool == tt.tool && d.RefusedBy == tt.by && slices.Equal(d.MissingScope, tt.required)
			}
			for _, d := range all[trace.DelegationDenied](h) {
				if d.ErrorCode != string(wire.CodeScopeViolation) || d.PatientID != other || d.RequestID == "" {
					t.Errorf("denial = %+v", d)
				}
				found = found || d.Tool == tt.tool && d.RefusedBy == tt.by && slices.Equal(d.MissingScope, tt.required)
			}
			if !found {
				t.Errorf("%s was not refused by the %s for want of %v:\n%s", tt.tool, tt.by, tt.required, h)
			}
			for _, c := range all[trace.ToolCall](h) {
				if c.PatientID == other {
					t.Errorf("%s was let through for %s", c.Tool, other)
				}
			}
			if len(all[trace.Delegation](h)) > 0 {
				t.Errorf("authority was delegated:\n%s", h)
			}
			if h.Run.Outcome != trace.OutcomeAnswered || !strings.Contains(h.answer(), other) {
				t.Errorf("the answer does not mention %s: %s", other, h.answer())
			}
			w.assertEnded(t, h, len(all[trace.AgentCreated](h)))
		})
	}
}

// secretsOf returns the words that occur in one patient's record only: names, drugs,
// dates, notes.
func secretsOf(t *testing.T, id string) []string {
	t.Helper()
	b, err := os.ReadFile("../records/seed.json")
	must(t, err)
	var tables map[string][]map[string]any
	must(t, json.Unmarshal(b, &tables))
	theirs, others := map[string]bool{}, ""
	for _, rows := range tables {
		for _, row := range rows {
			for key, v := range row {
				s, ok := v.(string)
				if !ok || s == id {
					continue
				}
				if row["patient_id"] == id || row["id"] == id {
					if key == "name" || len(s) >= 8 {
						theirs[s] = true
					}
				} else {
					others += s + "\n"
				}
			}
		}
	}
	var out []string
	for s := range theirs {
		if !strings.Contains(others, s) {
			out = append(out, s)
		}
	}
	if len(out) < 10 {
		t.Fatalf("only %d words of %s are known: has the seed's form changed?", len(out), id)
	}
	return out
}

func TestOtherPatientNotSeen(t *testing.T) { onEach(t, testOtherPatientNotSeen) }

func testOtherPatientNotSeen(t *testing.T, kind brokertest.Starter) {
	secrets := secretsOf(t, "P-2187")
	base := newWorld(t, kind, worldConfig{})
	for name, run := range map[string][2]string{
		"asked for":               {"P-1042", "Show records, labs, billing and insurance of this patient, and also get records, labs, billing and insurance for P-2187"},
		"asked for, to prescribe": {"P-1042", "Prescribe Lisinopril for P-2187"},
		"told to by a note":       {injected(t), "Show medical records"},
	} {
		t.Run(name, func(t *testing.T) {
			model := newListener()
			w := base.withModel(t, model)
			h := w.encounter(t, run[0], run[1])
			if h.Run.Summary.Denied == 0 {
				t.Errorf("nothing was refused:\n%s", h)
			}
			shown, err := json.Marshal(h.Export)
			must(t, err)
			for _, s := range secrets {
				if strings.Contains(string(shown), s) {
					t.Errorf("the trace shows %q", s)
				}
				if strings.Contains(model.heard(), s) {
					t.Errorf("the model was told %q", s)
				}
			}
			w.assertEnded(t, h, len(all[trace.AgentCreated](h)))
		})
	}
}

// injected is the patient whose chart contains a hidden instruction.
func injected(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../records/seed.json")
	must(t, err)
	var tables struct {
		Visits []struct {
			PatientID string `json:"patient_id"`
			Note      string `json:"note"`
		} `json:"visits"`
	}
	must(t, json.Unmarshal(b, &tables))
	for _, v := range tables.Visits {
		if strings.Contains(v.Note, "P-2187") && v.PatientID != "P-2187" {
			return v.PatientID
		}
	}
	t.Fatal("no note names another patient")
	return ""
}

func TestUnknownPatient(t *testing.T) {
	t.Parallel()
	w := newWorld(t, brokertest.Start, worldConfig{})
	h := w.encounter(t, "P-9999", "Show medical records")
	if look := h.Events[1]; look.Status != trace.StatusWarning || only[trace.PatientLookup](t, h).Found {
		t.Errorf("lookup = %+v", look)
	}
	if c := only[trace.ToolCall](t, h); !strings.Contains(string(c.Output), "no such patient") {
		t.Errorf("output = %s", c.Output)
	}
	if h.Run.Outcome != trace.OutcomeAnswered || !strings.Contains(h.answer(), "P-9999") {
		t.Errorf("%s: %s", h.Run.Outcome, h.answer())
	}
	w.assertEnded(t, h, 1)
}

func TestRequestWithoutTools(t *testing.T) {
	t.Parallel()
	w := newWorld(t, brokertest.Start, worldConfig{}).withModel(t, scripted(t, say("Hello.")))
	h := w.encounter(t, "P-1042", "Hello")
	if h.Run.Outcome != trace.OutcomeAnswered || h.answer() != "Hello." {
		t.Errorf("%s: %q", h.Run.Outcome, h.answer())
	}
	w.assertEnded(t, h, 0) // and so no claim that all are revoked
	if n := len(w.trail(t, h.Run.ID)); n != 0 {
		t.Errorf("the broker knows of %d events", n)
	}
}

func TestAgentAboveCeiling(t *testing.T) { onEach(t, testAgentAboveCeiling) }

func testAgentAboveCeiling(t *testing.T, kind brokertest.Starter) {
	ceiling := slices.DeleteFunc(tools.Ceiling(), func(s string) bool { return strings.Contains(s, ":billing:") })
	w := newWorld(t, kind, worldConfig{ceiling: ceiling})
	h := w.encounter(t, "P-1042", "Show records and check billing")
	refused := only[trace.AgentError](t, h)
	if refused.Category != "billing" || refused.ErrorCode == "" || refused.AnswerLost || refused.RequestID == "" {
		t.Errorf("refusal = %+v", refused)
	}
	if h.Run.Outcome != trace.OutcomeAnswered || !slices.Equal(h.Run.Summary.Agents, []string{"clinical"}) {
		t.Errorf("the run did not go on without it:\n%s", h)
	}
	w.assertEnded(t, h, 1)
}

func TestTraceHoldsNoToken(t *testing.T) { onEach(t, testTraceHoldsNoToken) }

func testTraceHoldsNoToken(t *testing.T, kind brokertest.Starter) {
	w := newWorld(t, kind, worldConfig{})
	h := w.encounter(t, "P-1042", fullRequest)
	shown, err := json.Marshal(h.Export)
	must(t, err)
	tokens := w.link.tokens(h.Run.ID)
	if len(tokens) != 8 {
		t.Errorf("%d tokens were handed out, want 4 and their successors", len(tokens))
	}
	previews := map[string]bool{}
	for _, r := range all[trace.TokenRenewed](h) {
		previews[r.OldPreview], previews[r.NewPreview] = true, true
	}
	if len(previews) != 8 {
		t.Errorf("previews do not tell the tokens apart: %v", previews)
	}
	for _, token := range tokens {
		signature := token[strings.LastIndex(token, ".")+1:]
		for _, part := range []string{token, signature, signature[:12], signature[len(signature)-12:]} {
			if strings.Contains(string(shown), part) {
				t.Errorf("the trace holds %q of a token", part)
			}
		}
	}
}
