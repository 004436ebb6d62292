package agents_test

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/agents"
	"github.com/devonartis/medassist-go/agentwrit/brokertest"
	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/decisions"
	"github.com/devonartis/medassist-go/patient"
	"github.com/devonartis/medassist-go/trace"
)

// Each decision about a call is in MedAssist's own log, with the agent, the token and
// the scopes: what was allowed, and what the gate, the broker or the records API
// denied.
func TestDecisions(t *testing.T) { onEach(t, testDecisions) }

func testDecisions(t *testing.T, kind brokertest.Starter) {
	t.Parallel()
	w := newWorld(t, kind, worldConfig{})
	log, err := decisions.Open(t.Context(), "", time.Now, slog.New(slog.DiscardHandler))
	must(t, err)
	t.Cleanup(func() { log.Close() })
	w = w.with(t, func(c *agents.Config) { c.Decisions = log })
	for _, tc := range []struct {
		patient, request string
		incident         trace.IncidentKind
		want             []string // outcome, then parts of the detail
	}{
		{"P-1042", "Show me records for this patient and also get records for P-2187", "", []string{
			"success get_patient_records for P-1042 by=gate required=[read:records:P-1042]",
			"denied get_patient_records for P-2187 by=gate required=[read:records:P-2187]"}},
		{"P-1042", "Prescribe Amoxicillin for P-2187", "", []string{
			"denied check_drug_interactions for P-2187 by=gate",
			"denied write_prescription for P-2187 by=broker"}},
		{"P-1042", "Show records and lab results", trace.IncidentRevocation, []string{
			"success get_patient_records for P-1042 by=gate",
			"denied get_lab_results for P-1042 by=gate"}},
		{"P-1042", "Show medical records", trace.IncidentTheft, []string{
			"success get_patient_records for P-1042 by=gate",
			"success get_patient_records for P-1042 by=records",
			"denied get_patient_records for P-2187 by=records",
			"denied get_patient_records for P-1042 by=records"}},
	} {
		run, err := w.Start(t.Context(), agents.Request{Patient: patient.MustParseID(tc.patient), Text: tc.request, Incident: tc.incident})
		must(t, err)
		h := w.finish(t, run.ID)
		ids := map[string]bool{}
		for _, s := range all[trace.TokenValidated](h) {
			ids[s.TokenID] = true
		}
		var got []string
		for e, err := range log.Events(t.Context(), run.ID) {
			must(t, err)
			got = append(got, fmt.Sprintf("%s %s", e.Outcome, e.Detail))
			_, jti, _ := strings.Cut(e.Detail, "jti=")
			jti, _, _ = strings.Cut(jti, " ")
			if !ids[jti] || e.TaskID != run.ID || !slices.ContainsFunc(all[trace.AgentCreated](h), func(a trace.AgentCreated) bool { return a.AgentID == e.AgentID }) {
				t.Errorf("%s: the entry names task %s, agent %s, token %s", tc.request, e.TaskID, e.AgentID, jti)
			}
			if strings.Contains(e.Detail, "eyJ") {
				t.Errorf("%s: a token is in the log: %s", tc.request, e.Detail)
			}
		}
		if !slices.EqualFunc(got, tc.want, strings.HasPrefix) {
			t.Errorf("%s:\ngot  %s\nwant %s", tc.request, strings.Join(got, "\n     "), strings.Join(tc.want, "\n     "))
		}
	}
	var chain wire.Chain
	for e, err := range log.Events(t.Context(), "") {
		must(t, err)
		must(t, chain.Add(e))
	}
}
