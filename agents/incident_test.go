package agents_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/agents"
	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/agentwrit/brokertest"
	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/patient"
	"github.com/devonartis/medassist-go/trace"
)

// withIncident starts a run with an incident.
func (w *world) withIncident(t testing.TB, request string, change func(*agents.Request)) string {
	t.Helper()
	req, err := agents.ParseRequest("P-1042", request, "")
	must(t, err)
	change(&req)
	run, err := w.Start(t.Context(), req)
	must(t, err)
	return run.ID
}

// The operator revokes one agent: the trace shows it, its next call is denied, and the
// other agents continue.
func TestRevocationByOperator(t *testing.T) { onEach(t, testRevocationByOperator) }

func testRevocationByOperator(t *testing.T, kind brokertest.Starter) {
	t.Parallel()
	w := newWorld(t, kind, worldConfig{})
	h := w.finish(t, w.withIncident(t, "Show records and lab results, and check billing", func(r *agents.Request) { r.Incident = trace.IncidentRevocation }))
	revoked, rejected := only[trace.TokenRevoked](t, h), only[trace.TokenRejected](t, h)
	clinical := trace.Credential{Category: "clinical"}
	if revoked.Level != string(wire.RevokeAgent) || revoked.Target != rejected.AgentID || !slices.Equal(revoked.Credentials, []trace.Credential{clinical}) {
		t.Errorf("revoked %+v", revoked)
	}
	if rejected.Tool != "get_lab_results" || rejected.Credential != clinical || rejected.RefusedBy != trace.RefusedByGate {
		t.Errorf("rejected %+v", rejected)
	}
	if calls := all[trace.ToolCall](h); len(calls) != 2 || calls[1].Category != "billing" {
		t.Errorf("the others did not work on:\n%s", h)
	}
	w.assertEnded(t, h, 2)
}

// Without an operator the service releases the tokens of its own runs, and can end
// no others.
func TestRevocationWithoutOperator(t *testing.T) { onEach(t, testRevocationWithoutOperator) }

func testRevocationWithoutOperator(t *testing.T, kind brokertest.Starter) {
	w := newWorld(t, kind, worldConfig{}).with(t, func(c *agents.Config) { c.Operator = nil })
	if _, err := w.Revoke(t.Context(), agents.Revocation{Level: wire.RevokeTask, Target: "run-0"}); !errors.Is(err, agents.ErrNoOperator) {
		t.Errorf("a task that is not live: %v", err)
	}
	h := w.finish(t, w.withIncident(t, "Show records and lab results, and check billing", func(r *agents.Request) { r.Incident = trace.IncidentRevocation }))
	revoked, rejected := only[trace.TokenRevoked](t, h), only[trace.TokenRejected](t, h)
	if !revoked.Released || revoked.Count != 1 || !slices.Equal(revoked.Credentials, []trace.Credential{{Category: "clinical"}}) {
		t.Errorf("revoked %+v", revoked)
	}
	if rejected.Tool != "get_lab_results" || rejected.RefusedBy != trace.RefusedByGate {
		t.Errorf("rejected %+v", rejected)
	}
	w.assertEnded(t, h, 2)
}

// An unrevoked token expires on its own.
func TestUnrevokedTokenExpires(t *testing.T) { onEach(t, testUnrevokedTokenExpires) }

func testUnrevokedTokenExpires(t *testing.T, kind brokertest.Starter) {
	t.Parallel()
	w := newWorld(t, kind, worldConfig{})
	start := time.Now()
	h := w.finish(t, w.withIncident(t, "Show records and lab results", func(r *agents.Request) { r.Incident, r.TokenTTL = trace.IncidentExpiry, 2*time.Second }))
	if took := time.Since(start); took < 2*time.Second {
		t.Errorf("nobody waited: %s", took)
	}
	if r := only[trace.TokenRejected](t, h); r.Tool != "get_lab_results" {
		t.Errorf("rejected %+v", r)
	}
	if len(all[trace.TokenRevoked](h)) > 0 || h.Run.Summary.Released > 0 {
		t.Errorf("it did not expire on its own:\n%s", h)
	}
	if c := h.Run.Summary; c.Expired != 1 || c.ConfirmedRevoked != 0 || c.AllRevoked {
		t.Errorf("an expired token counts as revoked: %+v", *c)
	}
	w.assertEnded(t, h, 1)
}

// A stolen token works for its own patient until it is released, and the trace shows
// each use. The token that the presenter gets does the same.
func TestStolenToken(t *testing.T) { onEach(t, testStolenToken) }

func testStolenToken(t *testing.T, kind brokertest.Starter) {
	t.Parallel()
	w := newWorld(t, kind, worldConfig{})
	id := w.withIncident(t, "Show records", func(r *agents.Request) { r.Incident, r.Hold = trace.IncidentTheft, true })
	w.stepTo(t, id, "release the token")
	token, err := w.Stolen(id)
	must(t, err)
	get := func(patient string) int {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), "GET", w.recordsURL+"/records/"+patient+"/chart", nil)
		must(t, err)
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := ownTransport(t).RoundTrip(req)
		must(t, err)
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		return resp.StatusCode
	}
	if own, other := get("P-1042"), get("P-2187"); own != 200 || other != 403 {
		t.Errorf("own patient %d, another %d", own, other)
	}
	must(t, w.Next(id))
	h := w.finish(t, id)
	if own := get("P-1042"); own != 401 {
		t.Errorf("after release: %d", own)
	}
	if _, err := w.Stolen(id); !errors.Is(err, agents.ErrNotLive) {
		t.Errorf("a token of a run that is over: %v", err)
	}
	type use struct {
		patient string
		by      trace.RefusedBy
	}
	var uses []use
	for _, s := range all[trace.StolenTokenUsed](h) {
		uses = append(uses, use{s.PatientID, s.RefusedBy})
		if s.Authorized != (s.RefusedBy == "") {
			t.Errorf("%+v", s)
		}
	}
	if want := []use{{"P-1042", ""}, {"P-2187", trace.RefusedByRecords}, {"P-1042", trace.RefusedByRecords}}; !slices.Equal(uses, want) {
		t.Errorf("used %v, want %v", uses, want)
	}
	if strings.Contains(h.String(), token) {
		t.Error("the trace holds the token")
	}
	w.assertEnded(t, h, 1)
}

// No run without a theft returns a token.
func TestStolenNeedsTheft(t *testing.T) {
	t.Parallel()
	w := newWorld(t, brokertest.Start, worldConfig{})
	id := w.start(t, "P-1042", "Show records", "step")
	w.stepTo(t, id, "call get_patient_records for P-1042")
	if _, err := w.Stolen(id); !errors.Is(err, agents.ErrNoToken) {
		t.Errorf("handed out: %v", err)
	}
}

// The operator sees the active tokens, and each revocation affects those that
// Affected lists. Where the broker leaves delegated tokens valid, the service reports
// them, and ends them one by one on request.
func TestRevocationLevels(t *testing.T) { onEach(t, testRevocationLevels) }

func testRevocationLevels(t *testing.T, kind brokertest.Starter) {
	t.Parallel()
	w := newWorld(t, kind, worldConfig{})
	clinical, prescription, delegation := trace.Credential{Category: "clinical"}, trace.Credential{Category: "prescription"}, trace.Credential{Category: "prescription", Delegated: true}
	for name, tc := range map[string]struct {
		level     wire.RevokeLevel
		target    func(clinical, prescription, delegated agents.Token) string
		named     []trace.Credential // ended by every broker
		delegated []trace.Credential // ended by a strict broker
	}{
		"a token":                 {wire.RevokeToken, func(_, p, _ agents.Token) string { return p.ID }, []trace.Credential{prescription}, nil},
		"a delegated token":       {wire.RevokeToken, func(_, _, l agents.Token) string { return l.ID }, []trace.Credential{delegation}, nil},
		"a delegator's token":     {wire.RevokeToken, func(c, _, _ agents.Token) string { return c.ID }, []trace.Credential{clinical}, []trace.Credential{delegation}},
		"an agent that holds":     {wire.RevokeAgent, func(_, p, _ agents.Token) string { return p.AgentID }, []trace.Credential{prescription, delegation}, nil},
		"an agent that delegated": {wire.RevokeAgent, func(c, _, _ agents.Token) string { return c.AgentID }, []trace.Credential{clinical}, []trace.Credential{delegation}},
		"the task":                {wire.RevokeTask, func(c, _, _ agents.Token) string { return c.TaskID }, []trace.Credential{clinical, prescription, delegation}, nil},
		"the chain":               {wire.RevokeChain, func(c, _, _ agents.Token) string { return c.AgentID }, []trace.Credential{delegation}, nil},
		"the chain of the other":  {wire.RevokeChain, func(_, p, _ agents.Token) string { return p.AgentID }, nil, nil},
		"nobody":                  {wire.RevokeAgent, func(_, _, _ agents.Token) string { return "spiffe://agentwrit.local/agent/a/b/c" }, nil, nil},
	} {
		for _, whole := range []bool{false, true} {
			if testing.Short() && !whole {
				continue // it is a part of what the whole tree does
			}
			t.Run(fmt.Sprintf("%s, whole tree %t", name, whole), func(t *testing.T) {
				t.Parallel()
				id := w.start(t, "P-1042", "Prescribe Amoxicillin for bacterial infection", "step")
				w.stepTo(t, id, "call write_prescription for P-1042")
				mine := w.mine(id)
				if len(mine) != 3 {
					t.Fatalf("live tokens: %+v", mine)
				}
				by := func(c trace.Credential) agents.Token {
					return mine[slices.IndexFunc(mine, func(t agents.Token) bool { return t.Credential == c })]
				}
				target := tc.target(by(clinical), by(prescription), by(delegation))
				named, delegated := w.Affected(tc.level, target)
				if !slices.Equal(sortedCredentials(named), tc.named) || !slices.Equal(sortedCredentials(delegated), tc.delegated) {
					t.Errorf("listed %v and %v, want %v and %v", named, delegated, tc.named, tc.delegated)
				}
				tokens := w.link.tokens(id) // in the order of mine
				r, err := w.Revoke(t.Context(), agents.Revocation{Level: tc.level, Target: target, Delegated: whole})
				must(t, err)
				var revoked []trace.Credential
				for i, token := range tokens {
					if _, err := w.cfg.Broker.Validate(t.Context(), token); errors.Is(err, agentwrit.ErrTokenInvalid) {
						revoked = append(revoked, mine[i].Credential)
					}
				}
				wantEnded, wantValid := slices.Concat(tc.named, tc.delegated), []trace.Credential(nil)
				if !whole && !w.broker.Strict {
					wantEnded, wantValid = tc.named, tc.delegated
				}
				wantEnded = sorted(slices.Clone(wantEnded))
				if revoked = sorted(revoked); !slices.Equal(revoked, wantEnded) || !slices.Equal(sortedCredentials(r.Ended), wantEnded) ||
					!slices.Equal(sortedCredentials(r.StillValid), wantValid) || len(r.Unconfirmed) > 0 {
					t.Errorf("revoked %v, reported %v and still valid %v, want %v and %v", revoked, sortedCredentials(r.Ended), sortedCredentials(r.StillValid), wantEnded, wantValid)
				}
				if left := w.mine(id); len(left) != 3-len(revoked) {
					t.Errorf("still listed: %+v", left)
				}
				var shown []trace.Credential
				steps := all[trace.TokenRevoked](w.soFar(t, id))
				for i, s := range steps {
					shown = append(shown, s.Credentials...)
					if s.Remaining != (i > 0) || s.Released {
						t.Errorf("step %d: %+v", i, s)
					}
				}
				alone := !w.broker.Strict && len(tc.delegated) > 0
				if wantSteps := min(1, len(tc.named)) + map[bool]int{true: 1}[alone && whole]; len(steps) != wantSteps || !slices.Equal(sorted(shown), wantEnded) {
					t.Errorf("%d steps show %v, want %d and %v:\n%s", len(steps), shown, wantSteps, wantEnded, w.soFar(t, id))
				}
				if alone && !slices.Equal(steps[0].StillValid, tc.delegated) {
					t.Errorf("the trace shows %v as still valid", steps[0].StillValid)
				}
			})
		}
	}
}

func (w *world) mine(run string) []agents.Token {
	return slices.DeleteFunc(w.Tokens(), func(t agents.Token) bool { return t.RunID != run })
}

func sortedCredentials(tokens []agents.Token) []trace.Credential {
	var out []trace.Credential
	for _, t := range tokens {
		out = append(out, t.Credential)
	}
	return sorted(out)
}

func sorted(c []trace.Credential) []trace.Credential {
	slices.SortFunc(c, func(a, b trace.Credential) int {
		return strings.Compare(a.Category+map[bool]string{true: "+"}[a.Delegated], b.Category+map[bool]string{true: "+"}[b.Delegated])
	})
	return c
}

// An attacker tries every patient that the request names, and also gets hold of a
// token whose calls were all denied.
func TestStolenTokenTargets(t *testing.T) { onEach(t, testStolenTokenTargets) }

func testStolenTokenTargets(t *testing.T, kind brokertest.Starter) {
	t.Parallel()
	w := newWorld(t, kind, worldConfig{})
	for _, text := range []string{"Show records", "Prescribe Amoxicillin for P-2187"} {
		h := w.finish(t, w.withIncident(t, text, func(r *agents.Request) {
			r.Incident, r.Targets = trace.IncidentTheft, []patient.ID{patient.MustParseID("P-2187"), patient.MustParseID("P-3301")}
		}))
		var got []string
		for _, s := range all[trace.StolenTokenUsed](h) {
			got = append(got, s.Category+" "+s.Tool+" "+s.PatientID+" "+string(s.RefusedBy))
		}
		const use = "clinical get_patient_records "
		if want := []string{use + "P-1042 ", use + "P-2187 records", use + "P-3301 records", use + "P-1042 records"}; !slices.Equal(got, want) {
			t.Errorf("%s: used %q", text, got)
		}
		w.assertEnded(t, h, h.Run.Summary.Tokens)
	}
}
