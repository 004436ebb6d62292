package picture_test

import (
	"testing"
	"time"

	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/web/picture"
	"github.com/google/go-cmp/cmp"
)

var (
	start      = time.Date(2026, 11, 12, 9, 0, 0, 0, time.UTC)
	clinical   = trace.Credential{Category: "clinical"}
	delegation = trace.Credential{Category: "prescription", Delegated: true}
	scope      = []string{"read:records:P-1042", "write:prescriptions:P-1042"}
	created    = trace.AgentCreated{Credential: clinical, AgentID: "a-1", SPIFFEID: "spiffe://t/a-1", Scope: scope, ExpiresIn: 300}
	rejected   = trace.TokenRejected{Credential: clinical, Tool: "get_patient_records", RefusedBy: trace.RefusedByGate}
	released   = trace.TokenReleased{Credential: clinical}
	dead       = trace.PostReleaseValidation{Credential: clinical, Token: trace.TokenOfRelease}
)

// at is a step that happens so many seconds into the run.
type at struct {
	second int
	step   trace.Step
}

func after(t *testing.T, steps ...at) *picture.Tokens {
	t.Helper()
	p := &picture.Tokens{}
	for i, s := range steps {
		e := trace.Event{Seq: int64(i + 1), Time: start.Add(time.Duration(s.second) * time.Second), Step: s.step}
		if refused, ok := s.step.(trace.AgentError); ok && refused.ErrorCode == "scope_violation" {
			e.Status = trace.StatusDenied
		}
		p.Apply(e)
	}
	return p
}

// A credential's state is derived from the events alone.
func TestCredentialStates(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		steps []at
		state picture.State
		proof picture.Proof
	}{
		"nothing happened":                     {nil, picture.Absent, ""},
		"issued":                               {[]at{{0, created}}, picture.Alive, ""},
		"could not be issued":                  {[]at{{0, trace.AgentError{Credential: clinical, Error: "timeout"}}}, picture.Failed, ""},
		"is limited for the moment":            {[]at{{0, trace.AgentError{Credential: clinical, ErrorCode: "rate_limited"}}}, picture.Failed, ""},
		"was not allowed to be issued":         {[]at{{0, trace.AgentError{Credential: clinical, ErrorCode: "scope_violation"}}}, picture.Denied, ""},
		"found invalid after its registration": {[]at{{0, created}, {0, trace.TokenValidated{Credential: clinical}}}, picture.Revoked, ""},
		"expired without an event":             {[]at{{0, created}, {300, trace.LLMStart{}}}, picture.Expired, ""},
		"one second before its expiry":         {[]at{{0, created}, {299, trace.LLMStart{}}}, picture.Alive, ""},
		"rejected before its expiry":           {[]at{{0, created}, {299, rejected}}, picture.Revoked, ""},
		"rejected after its expiry":            {[]at{{0, created}, {300, rejected}}, picture.Expired, ""},
		"claims say it ends sooner":            {[]at{{0, created}, {1, validated(start.Add(5 * time.Second))}, {6, trace.LLMStart{}}}, picture.Expired, ""},
		"renewed in time":                      {[]at{{0, created}, {290, trace.TokenRenewed{Credential: clinical, NewExpiresIn: 300}}, {400, trace.LLMStart{}}}, picture.Alive, ""},
		"old token confirmed revoked":          {[]at{{0, created}, {1, trace.PostReleaseValidation{Credential: clinical, Token: trace.TokenOfRenewal}}}, picture.Alive, ""},
		"old token still valid":                {[]at{{0, created}, {1, trace.PostReleaseValidation{Credential: clinical, Token: trace.TokenOfRenewal, Valid: true}}}, picture.Alive, picture.StillValid},
		"released":                             {[]at{{0, created}, {1, released}}, picture.Released, ""},
		"released and confirmed revoked":       {[]at{{0, created}, {1, released}, {2, dead}}, picture.Released, picture.ConfirmedRevoked},
		"released and still valid":             {[]at{{0, created}, {1, released}, {2, trace.PostReleaseValidation{Credential: clinical, Token: trace.TokenOfRelease, Valid: true}}}, picture.Alive, picture.StillValid},
		"release failed, yet revoked":          {[]at{{0, created}, {1, trace.ReleaseError{Credential: clinical, Stage: "release"}}, {2, dead}}, picture.Revoked, picture.ConfirmedRevoked},
		"rejected after its release":           {[]at{{0, created}, {1, released}, {2, rejected}}, picture.Released, ""},
		"rejected, then released":              {[]at{{0, created}, {1, rejected}, {2, released}, {3, dead}}, picture.Revoked, picture.ConfirmedRevoked},
		"another's release":                    {[]at{{0, created}, {1, trace.TokenReleased{Credential: delegation}}}, picture.Alive, ""},
		"a denied call changes no state":       {[]at{{0, created}, {1, trace.ScopeDenied{Credential: clinical, RefusedBy: trace.RefusedByGate}}}, picture.Alive, ""},
		"issued again after it was released":   {[]at{{0, created}, {1, released}, {2, dead}, {3, created}}, picture.Alive, ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := after(t, tt.steps...)
			c := p.Credential(clinical)
			if got := c.StateAt(p.Now); got != tt.state || c.Proof != tt.proof {
				t.Errorf("state %q, proof %q; want %q, %q", got, c.Proof, tt.state, tt.proof)
			}
		})
	}
}

func validated(expires time.Time) trace.TokenValidated {
	return trace.TokenValidated{Credential: clinical, Valid: true, Scope: scope, IssuedAt: start.Unix(), ExpiresAt: expires.Unix()}
}

// Apply reports whether the event concerned a token.
func TestApplyReportsChange(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		step trace.Step
		want bool
	}{
		"an agent":              {created, true},
		"a rejected token":      {rejected, true},
		"a release":             {released, true},
		"a revocation":          {trace.TokenRevoked{Credentials: []trace.Credential{clinical}}, true},
		"a call":                {trace.ToolCall{Credential: clinical}, false},
		"a missing scope":       {trace.ScopeDenied{Credential: clinical}, false},
		"a refused delegation":  {trace.DelegationDenied{}, false},
		"a model's turn":        {trace.LLMStart{}, false},
		"a piece of the answer": {trace.LLMDelta{}, false},
		"the end":               {trace.Complete{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := new(picture.Tokens).Apply(trace.Event{Seq: 1, Time: start, Step: tt.step}); got != tt.want {
				t.Errorf("changed = %v, want %v", got, tt.want)
			}
		})
	}
}

// A delegated token is a credential beside the delegate's own.
func TestDelegation(t *testing.T) {
	t.Parallel()
	given := trace.Delegation{Credential: delegation, DelegateID: "spiffe://t/a-2", DelegatorScope: scope, DelegatedScope: scope[1:], ExpiresIn: 60}
	tokens := after(t, at{0, created}, at{1, given})
	want := picture.Credential{State: picture.Alive, SPIFFEID: "spiffe://t/a-2", Scope: scope[1:],
		Issued: start.Add(time.Second), Expires: start.Add(61 * time.Second)}
	if diff := cmp.Diff(want, tokens.Credential(delegation)); diff != "" {
		t.Errorf("delegated credential (-want +got):\n%s", diff)
	}
	if own := (trace.Credential{Category: delegation.Category}); tokens.Credential(own).State != picture.Absent {
		t.Error("a delegation must not change the delegate's own token")
	}
	tokens = after(t, at{0, created}, at{1, trace.DelegationDenied{RequestedScope: scope[:1], RefusedBy: trace.RefusedByBroker}})
	if tokens.Credential(delegation).State != picture.Absent {
		t.Error("a denied delegation must issue nothing")
	}
}
