package agents_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/agents"
	"github.com/devonartis/medassist-go/agentwrit/brokertest"
	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/broker"
	"github.com/devonartis/medassist-go/trace"
)

// Without its broker a run makes no call, reports that, and shows no token as revoked
// that the broker has not confirmed.
func TestBrokerUnreachable(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		when    string // the step before which it goes
		path    string // what no longer answers; "" is all of it
		fault   fault
		tokens  int // issued, as far as the run knows
		lost    int // tokens that may exist although nobody holds them
		allowed int
	}{
		{"before the run", "", "", broken, 0, 0, 0},
		{"hangs before the run", "", "", hung, 0, 0, 0},
		{"before the agent is registered", "create the clinical agent", "", broken, 0, 0, 0},
		{"while the agent is registered", "create the clinical agent", "/v1/register", broken, 0, 0, 0},
		{"hangs while the agent is registered", "create the clinical agent", "/v1/register", hung, 0, 0, 0},
		{"before the claims are shown", "validate the clinical token", "", broken, 1, 1, 0},
		{"before the gate", "call get_patient_records for P-1042", "", broken, 1, 1, 0},
		{"hangs before the gate", "call get_patient_records for P-1042", "", hung, 1, 1, 0},
		{"before the release", "release the clinical token", "", broken, 1, 0, 1},
		{"before the renewal", "renew the clinical token", "", broken, 1, 1, 1},
	}
	base := newWorld(t, brokertest.Start, worldConfig{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel() // most of the time it waits
			w := base.behindOwnLink(t, func(c *agents.Config) {
				if strings.HasPrefix(tt.name, "hangs") {
					c.Limits.BrokerCall, c.Limits.Cleanup = 2*time.Second, 2*time.Second // long enough under the race detector
				}
			})
			if tt.when == "" {
				w.link.fail(t, tt.path, tt.fault)
			}
			id := w.start(t, "P-1042", "Show records", "step")
			if tt.when != "" {
				w.stepTo(t, id, tt.when)
				w.link.fail(t, tt.path, tt.fault)
			}
			must(t, w.SetPace(id, agents.Instant))
			h := w.finish(t, id)
			sum := h.Run.Summary
			if sum.Tokens != tt.tokens || sum.Allowed != tt.allowed || sum.Unaccounted != tt.lost {
				t.Errorf("%d tokens, %d allowed, %d lost:\n%s", sum.Tokens, sum.Allowed, sum.Unaccounted, h)
			}
			if sum.AllRevoked || sum.ConfirmedRevoked > 0 {
				t.Errorf("the run reports %d tokens as revoked that nobody confirmed:\n%s", sum.ConfirmedRevoked, h)
			}
			if len(all[trace.ReleaseError](h)) < tt.tokens {
				t.Errorf("tokens were left without a word:\n%s", h)
			}
			if tt.allowed == 0 {
				if e := only[trace.RunError](t, h); e.Stage != "broker" || e.Hint == "" {
					t.Errorf("error = %+v", e)
				}
			}
			if strings.HasSuffix(tt.name, "gate") {
				only[trace.ToolError](t, h)
			}
		})
	}
}

// A broker that hangs during the release delays the run only briefly: after a call
// without an answer, tokens are released without renewal.
func TestBrokerHangsDuringRelease(t *testing.T) {
	t.Parallel()
	w := newWorld(t, brokertest.Start, worldConfig{}).with(t, func(c *agents.Config) { c.Limits.Cleanup = 300 * time.Millisecond })
	id := w.start(t, "P-1042", fullRequest, "step")
	w.stepTo(t, id, "renew the delegated prescription token")
	w.link.fail(t, "", hung)
	must(t, w.SetPace(id, agents.Instant))
	h := w.finish(t, id)
	stages := map[string]int{}
	for _, e := range all[trace.ReleaseError](h) {
		stages[e.Stage]++
	}
	if stages["renew"] != 1 || stages["release"] != 4 || h.Run.Summary.AllRevoked || h.Run.Summary.ConfirmedRevoked > 0 {
		t.Errorf("failures = %v:\n%s", stages, h)
	}
}

// stepTo presses Next until the run waits before something.
func (w *world) stepTo(t testing.TB, runID, before string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		s, err := w.State(runID)
		must(t, err)
		if s.Waiting == before {
			return
		}
		if s.Waiting != "" {
			must(t, w.Next(runID))
		}
	}
	t.Fatalf("the run did not come to %q:\n%s", before, w.soFar(t, runID))
}

func (w *world) soFar(t testing.TB, runID string) *history {
	t.Helper()
	x, err := trace.ReadExport(t.Context(), w.log, runID)
	must(t, err)
	return &history{x}
}

// A lost response may have carried a token. The run reports it, and the operator
// revokes it with the task.
func TestLostResponse(t *testing.T) { onEach(t, testLostResponse) }

func testLostResponse(t *testing.T, kind brokertest.Starter) {
	t.Parallel()
	w := newWorld(t, kind, worldConfig{})
	alone := w.with(t, func(c *agents.Config) { c.Operator = nil })
	tests := []struct {
		name, path  string
		fault       fault
		tokens      int // known to the run
		unaccounted int // without an operator
		confirmed   int // likewise
		valid       int // likewise, in truth
		outcome     trace.Outcome
	}{
		{"registration", "/v1/register", w.link.lost, 0, 1, 0, 1, "failed"},
		{"registration without a token", "/v1/register", w.link.emptied, 0, 1, 0, 1, "failed"},
		{"delegation", "/v1/delegate", w.link.lost, 2, 1, 2, 0, "failed"}, // revoked with its delegator
		{"delegation without a token", "/v1/delegate", w.link.emptied, 2, 1, 2, 0, "failed"},
		{"renewal", "/v1/token/renew", w.link.lost, 3, 3, 0, 3, "answered"},
		{"release", "/v1/token/release", w.link.lost, 3, 0, 0, 0, "answered"}, // it was made, but not acknowledged
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w.link.fail(t, tt.path, tt.fault)
			h := alone.encounter(t, "P-1042", "Prescribe Amoxicillin for bacterial infection")
			sum := h.Run.Summary
			if sum.Tokens != tt.tokens || sum.Unaccounted != tt.unaccounted || sum.ConfirmedRevoked != tt.confirmed ||
				sum.AllRevoked || sum.Outcome != tt.outcome || sum.ValidUntil < time.Now().Unix() {
				t.Errorf("summary = %+v:\n%s", *sum, h)
			}
			valid := tt.valid
			if !w.broker.Strict && tt.path == "/v1/delegate" {
				valid = 1 // its delegator's release does not end it
			}
			if n := w.valid(t, h.Run.ID); n != valid {
				t.Errorf("%d tokens are valid, want %d", n, valid)
			}
			// The operator revokes the task, and with it what nobody holds.
			h = w.encounter(t, "P-1042", "Prescribe Amoxicillin for bacterial infection")
			sum = h.Run.Summary
			if sum.Tokens != tt.tokens || sum.ConfirmedRevoked != tt.tokens || sum.Unaccounted != 0 || sum.ValidUntil != 0 {
				t.Errorf("with an operator: summary = %+v:\n%s", *sum, h)
			}
			if n := w.valid(t, h.Run.ID); n != 0 {
				t.Errorf("with an operator: %d tokens are valid", n)
			}
		})
	}
}

func TestBrokerRecovers(t *testing.T) { onEach(t, testBrokerRecovers) }

func testBrokerRecovers(t *testing.T, kind brokertest.Starter) {
	t.Parallel()
	w := newWorld(t, kind, worldConfig{})
	id := w.start(t, "P-1042", "Show records", "step")
	w.stepTo(t, id, "call get_patient_records for P-1042")
	// The gate finds nobody, and closes; by the time of the release the broker is back.
	w.link.fail(t, "/v1/token/validate", func(rw http.ResponseWriter, r *http.Request) bool {
		rw.WriteHeader(http.StatusInternalServerError)
		return true
	})
	must(t, w.Next(id))
	w.stepTo(t, id, "renew the clinical token")
	w.link.heal()
	must(t, w.SetPace(id, agents.Instant))
	h := w.finish(t, id)
	if h.Run.Outcome != trace.OutcomeFailed || h.Run.Summary.Allowed != 0 {
		t.Errorf("a call passed a gate that could not ask:\n%s", h)
	}
	w.assertEnded(t, h, 1)
}

// Whatever is revoked while a run waits, its next call is denied, and nothing that
// was revoked becomes valid again.
func TestRevocationDuringRun(t *testing.T) { onEach(t, testRevocationDuringRun) }

func testRevocationDuringRun(t *testing.T, kind brokertest.Starter) {
	t.Parallel()
	clinicalID := func(h *history) string { return all[trace.AgentCreated](h)[0].SPIFFEID }
	claims := func(h *history, i int) trace.TokenValidated { return all[trace.TokenValidated](h)[i] }
	const prescribe = "Prescribe Amoxicillin for bacterial infection"
	tests := []struct {
		name, request, before string
		revoke                func(h *history) (wire.RevokeLevel, string)
		rejected              []string // tools, in order; "delegate" for a delegation
		renewable             int      // tokens that could still be renewed
		tokens                int
	}{
		{"the task, before a call", "Show records and labs", "call get_lab_results for P-1042",
			func(h *history) (wire.RevokeLevel, string) { return wire.RevokeTask, h.Run.ID }, []string{"get_lab_results"}, 0, 1},
		{"the agent, before a call", "Show records and labs", "call get_lab_results for P-1042",
			func(h *history) (wire.RevokeLevel, string) { return wire.RevokeAgent, clinicalID(h) }, []string{"get_lab_results"}, 0, 1},
		{"the token, before a call", "Show records and labs", "call get_lab_results for P-1042",
			func(h *history) (wire.RevokeLevel, string) { return wire.RevokeToken, claims(h, 0).TokenID }, []string{"get_lab_results"}, 0, 1},
		{"the token, before its claims are shown", "Show records", "validate the clinical token",
			func(h *history) (wire.RevokeLevel, string) { return wire.RevokeAgent, clinicalID(h) }, []string{"get_patient_records"}, 0, 1},
		{"the delegated token, before the prescription", prescribe, "call write_prescription for P-1042",
			func(h *history) (wire.RevokeLevel, string) { return wire.RevokeToken, claims(h, 2).TokenID }, []string{"write_prescription"}, 2, 3},
		{"the chain, before the prescription", prescribe, "call write_prescription for P-1042",
			func(h *history) (wire.RevokeLevel, string) { return wire.RevokeChain, claims(h, 1).Subject }, []string{"write_prescription"}, 2, 3},
		{"the delegator, before the prescription", prescribe, "call write_prescription for P-1042",
			func(h *history) (wire.RevokeLevel, string) { return wire.RevokeAgent, claims(h, 1).Subject }, []string{"write_prescription"}, 1, 3},
		{"the delegator, before the delegation", prescribe, "delegate write:prescriptions:P-1042",
			func(h *history) (wire.RevokeLevel, string) { return wire.RevokeAgent, claims(h, 1).Subject }, []string{"delegate"}, 1, 2},
		{"all, before the release", "Show records", "renew the clinical token",
			func(h *history) (wire.RevokeLevel, string) { return wire.RevokeTask, h.Run.ID }, nil, 0, 1},
	}
	w := newWorld(t, kind, worldConfig{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if !w.broker.Strict && tt.name == "the delegator, before the prescription" {
				tt.rejected, tt.renewable = nil, 2 // the delegated token stays valid
			}
			id := w.start(t, "P-1042", tt.request, "step")
			w.stepTo(t, id, tt.before)
			level, target := tt.revoke(w.soFar(t, id))
			if r, err := w.admin.Revoke(t.Context(), level, target); err != nil || !r.Revoked {
				t.Fatalf("revoke %s %s: %+v, %v", level, target, r, err)
			}
			must(t, w.SetPace(id, agents.Instant))
			h := w.finish(t, id)

			var rejected []string
			for _, e := range h.Events {
				switch s := e.Step.(type) {
				case trace.TokenRejected:
					rejected = append(rejected, s.Tool)
					if s.RefusedBy != trace.RefusedByGate || e.Status != trace.StatusDenied || len(s.RequiredScope) == 0 {
						t.Errorf("rejection = %+v", s)
					}
				case trace.DelegationDenied:
					rejected = append(rejected, "delegate")
					if s.RefusedBy != trace.RefusedByBroker || s.ErrorCode != string(wire.CodeUnauthorized) {
						t.Errorf("denial = %+v", s)
					}
				}
			}
			if !slices.Equal(rejected, tt.rejected) {
				t.Errorf("rejected %v, want %v:\n%s", rejected, tt.rejected, h)
			}
			if n := len(all[trace.TokenRenewed](h)); n != tt.renewable || len(all[trace.ReleaseError](h)) != tt.tokens-tt.renewable || h.Run.Summary.Released != tt.renewable {
				t.Errorf("%d tokens renewed and %d released, want %d:\n%s", n, h.Run.Summary.Released, tt.renewable, h)
			}
			if h.Run.Outcome != trace.OutcomeAnswered {
				t.Errorf("the run %s:\n%s", h.Run.Outcome, h)
			}
			w.assertEnded(t, h, tt.tokens) // as the broker confirms, whatever ended them
		})
	}
}

// The records API validates each token itself, so a token that is revoked after the
// gate is refused there.
func TestRecordsAPIRefusesIndependently(t *testing.T) { onEach(t, testRecordsAPIRefusesIndependently) }

func testRecordsAPIRefusesIndependently(t *testing.T, kind brokertest.Starter) {
	w := newWorld(t, kind, worldConfig{})
	t.Run("a token that was revoked since", func(t *testing.T) {
		id := w.start(t, "P-1042", "Show records", "step")
		w.stepTo(t, id, "call get_patient_records for P-1042")
		asked := 0
		w.link.fail(t, "/v1/token/validate", func(rw http.ResponseWriter, r *http.Request) bool {
			if asked++; asked == 2 { // the first is the gate's
				if _, err := w.admin.Revoke(t.Context(), wire.RevokeTask, id); err != nil {
					t.Error(err)
				}
			}
			return false
		})
		must(t, w.SetPace(id, agents.Instant))
		h := w.finish(t, id)
		if r := only[trace.TokenRejected](t, h); r.RefusedBy != trace.RefusedByRecords {
			t.Errorf("rejection = %+v", r)
		}
		w.assertEnded(t, h, 1)
	})
	t.Run("a scope that a gate was wrong about", func(t *testing.T) {
		id := w.start(t, "P-1042", "Show me records for this patient and also get records for P-2187", "step")
		w.stepTo(t, id, "call get_patient_records for P-2187")
		asked := 0
		w.link.fail(t, "/v1/token/validate", func(rw http.ResponseWriter, r *http.Request) bool {
			if asked++; asked > 1 {
				return false
			}
			// A broker that lies to the gate.
			rw.Header().Set("Content-Type", "application/json")
			rw.Write([]byte(`{"valid":true,"claims":{"sub":"x","scope":["read:records:*"]}}`))
			return true
		})
		must(t, w.SetPace(id, agents.Instant))
		h := w.finish(t, id)
		d := only[trace.ScopeDenied](t, h)
		if d.RefusedBy != trace.RefusedByRecords || !slices.Equal(d.MissingScope, []string{"read:records:P-2187"}) || slices.Contains(d.HeldScope, "read:records:*") {
			t.Errorf("denial = %+v", d)
		}
		w.assertEnded(t, h, 1)
	})
}

// Tokens expire while a presenter talks.
func TestTokenExpires(t *testing.T) { onEach(t, testTokenExpires) }

func testTokenExpires(t *testing.T, kind brokertest.Starter) {
	t.Parallel()
	w := newWorld(t, kind, worldConfig{})
	req, err := agents.ParseRequest("P-1042", "Show records and labs", "step")
	must(t, err)
	req.TokenTTL = 2 * time.Second // a broker counts whole seconds: at least one is left
	run, err := w.Start(t.Context(), req)
	must(t, err)
	w.stepTo(t, run.ID, "call get_lab_results for P-1042")
	time.Sleep(2 * time.Second)
	if !w.broker.Strict {
		time.Sleep(time.Second) // it accepts a token during the second of its expiry
	}
	must(t, w.SetPace(run.ID, agents.Instant))
	h := w.finish(t, run.ID)
	if r := only[trace.TokenRejected](t, h); r.Tool != "get_lab_results" || r.RefusedBy != trace.RefusedByGate {
		t.Errorf("rejection = %+v", r)
	}
	if a := only[trace.AgentCreated](t, h); a.ExpiresIn != 2 {
		t.Errorf("expires in %d s", a.ExpiresIn)
	}
	if e := only[trace.ReleaseError](t, h); e.Stage != "renew" || e.AnswerLost {
		t.Errorf("release = %+v", e)
	}
	w.assertEnded(t, h, 1)
}

// A delegated token is requested for no longer than its delegator has left, and
// not only because the broker shortens the request.
func TestDelegationTTL(t *testing.T) { onEach(t, testDelegationTTL) }

func testDelegationTTL(t *testing.T, kind brokertest.Starter) {
	w := newWorld(t, kind, worldConfig{broker: []brokertest.Option{brokertest.WithConfig(func(c *broker.Config) { c.DelegationTTL = 24 * time.Hour })}})
	var sent wire.DelegateRequest
	w.link.fail(t, "/v1/delegate", func(_ http.ResponseWriter, r *http.Request) bool {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = json.Unmarshal(body, &sent)
		}
		if err != nil {
			t.Error(err)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		return false
	})
	req, err := agents.ParseRequest("P-1042", "Prescribe Amoxicillin for bacterial infection", "")
	must(t, err)
	req.TokenTTL = time.Minute
	run, err := w.Start(t.Context(), req)
	must(t, err)
	if d := only[trace.Delegation](t, w.finish(t, run.ID)); d.ExpiresIn < 30 || d.ExpiresIn > 60 {
		t.Errorf("the delegated token is valid for %d s", d.ExpiresIn)
	}
	if sent.TTL < 30 || sent.TTL > 60 {
		t.Errorf("%d s were requested", sent.TTL)
	}
	if want := []string{"write:prescriptions:P-1042"}; !slices.Equal(sent.Scope, want) {
		t.Errorf("requested %v, want %v", sent.Scope, want)
	}
}
