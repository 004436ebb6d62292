package llm

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/devonartis/medassist-go/llm/planner"
)

// about is a run's first turn.
func about(patient, request string) Request {
	req := Request{Messages: []Message{
		{Role: RoleSystem, Content: "You are MedAssist.\n\nThis session is for one patient. Patient ID: " + patient + ". Use exactly this patient_id."},
		{Role: RoleUser, Content: request},
	}}
	for _, name := range []string{"get_patient_records", "write_clinical_notes", "get_lab_results", "check_drug_interactions", "write_prescription",
		"get_billing_history", "get_insurance_coverage", "generate_billing_codes", "file_insurance_claim"} {
		req.Tools = append(req.Tools, Tool{Name: name, Parameters: json.RawMessage(`{"type":"object"}`)})
	}
	return req
}

// converse runs a conversation to its end; answer returns the tools' results.
func converse(t testing.TB, m Model, req Request, answer func(ToolCall) string) (calls []string, final string) {
	t.Helper()
	for range 8 {
		reply, err := ask(t, m, req)
		if err != nil {
			t.Fatal(err)
		}
		if len(reply.ToolCalls) == 0 {
			return calls, reply.Content
		}
		req.Messages = append(req.Messages, reply.Message())
		for _, c := range reply.ToolCalls {
			calls = append(calls, c.Name)
			req.Messages = append(req.Messages, Message{Role: RoleTool, ToolCallID: c.ID, Content: answer(c)})
		}
	}
	t.Fatalf("no answer after %q", calls)
	return nil, ""
}

func fine(c ToolCall) string {
	if c.Name == "check_drug_interactions" {
		return `{"patient_id":"P-1042","drug":"Lisinopril","highest_severity":"none","interactions":[]}`
	}
	return `{"patient_id":"P-1042","status":"fine"}`
}

const fullRequest = "Show records, check billing, and prescribe Lisinopril"

var fullCalls = []string{"get_patient_records", "get_billing_history", "check_drug_interactions", "write_prescription"}

func TestThePlannerIsAModel(t *testing.T) {
	m := NewPlanner()
	calls, final := converse(t, m, about("P-1042", fullRequest), fine)
	if diff := cmp.Diff(fullCalls, calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	if !strings.Contains(final, "## Prescription of Lisinopril") {
		t.Errorf("answer = %s", final)
	}
	if m.Name() != PlannerName || m.Mode() != ModeOffline {
		t.Errorf("name %s, mode %s", m.Name(), m.Mode())
	}
	if r, err := ask(t, m, about("P-1042", "hello")); err != nil || r.Usage.CompletionTokens == 0 || r.Usage.PromptTokens == 0 || r.FinishReason != "stop" {
		t.Errorf("reply %+v, %v", r, err)
	}
}

// Served over a network, the planner is a remote model like any other.
func TestThePlannerOverTheNetwork(t *testing.T) {
	srv := httptest.NewServer(PlannerHandler())
	defer srv.Close()
	m, err := NewOpenAI(Config{BaseURL: srv.URL + "/v1", Model: "any", Transport: srv.Client().Transport})
	if err != nil {
		t.Fatal(err)
	}
	remote, answer := converse(t, m, about("P-1042", fullRequest), fine)
	local, same := converse(t, NewPlanner(), about("P-1042", fullRequest), fine)
	if diff := cmp.Diff(local, remote); diff != "" || answer != same || m.Mode() != ModeRemote {
		t.Errorf("mode %s, answers %q and %q, calls (-local +remote):\n%s", m.Mode(), same, answer, diff)
	}
}

// What a handler in this process writes can be read while it writes.
func TestInProcessStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newInProcess(planner.Handler(time.Second), "slow", "the slow planner")
		start := time.Now()
		var at []time.Duration
		r, err := m.Complete(t.Context(), about("P-1042", "hello"), func(string) { at = append(at, time.Since(start)) })
		if err != nil {
			t.Fatal(err)
		}
		if len(at) < 3 || at[0] != time.Second || at[len(at)-1] != time.Duration(len(at))*time.Second {
			t.Errorf("%q came at %v, want a piece each second", r.Content, at)
		}
	})
}

func TestInProcessEnds(t *testing.T) {
	tests := []struct {
		name    string
		handler http.HandlerFunc
		kind    Kind
	}{
		{"a handler that panics", func(http.ResponseWriter, *http.Request) { panic("oops") }, KindUnreachable},
		{"a handler that panics in the middle", func(w http.ResponseWriter, r *http.Request) { says(hello)(w, r); panic("oops") }, KindInterrupted},
		{"a handler that waits", hangs(""), KindTimeout},
		{"a handler that waits in the middle", hangs(hello), KindTimeout},
		{"a handler that never stops", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			for {
				if _, err := w.Write([]byte(strings.Replace(hello, "Hello", strings.Repeat("x", 9000), 1))); err != nil {
					return
				}
			}
		}, KindLimit},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, err := ask(t, newInProcess(tt.handler, "m", "it"), hi)
				if e, ok := err.(*Error); !ok || e.Kind != tt.kind {
					t.Errorf("error %v, want kind %s", err, tt.kind)
				}
			})
		})
	}
	t.Run("a caller that is gone", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := NewPlanner().Complete(ctx, hi, func(string) {}); err == nil {
			t.Error("no error")
		}
	})
}

func BenchmarkPlanner(b *testing.B) {
	m := NewPlanner()
	b.ReportAllocs()
	for b.Loop() {
		converse(b, m, about("P-1042", fullRequest), fine)
	}
	b.ReportMetric(3, "turns/op")
}
