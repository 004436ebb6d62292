package picture_test

import (
	"slices"
	"strings"
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
	called     = trace.ToolCall{Credential: clinical, Tool: "get_patient_records", RequiredScope: scope[:1]}
	rejected   = trace.TokenRejected{Credential: clinical, Tool: "get_patient_records", RefusedBy: trace.RefusedByGate}
	released   = trace.TokenReleased{Credential: clinical}
	dead       = trace.PostReleaseValidation{Credential: clinical, Token: trace.TokenOfRelease}
)

// at is a step that happens so many seconds into the run.
type at struct {
	second int
	step   trace.Step
}

func drawn(t *testing.T, steps ...at) *picture.Picture {
	t.Helper()
	p := picture.New(picture.Encounter("", "medassist"))
	for i, s := range steps {
		p.Apply(trace.Event{Seq: int64(i + 1), Time: start.Add(time.Duration(s.second) * time.Second), Step: s.step})
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
			p := drawn(t, tt.steps...)
			c := p.Lanes[0].Agent
			if got := c.StateAt(p.Now); got != tt.state || c.Proof != tt.proof {
				t.Errorf("state %q, proof %q; want %q, %q", got, c.Proof, tt.state, tt.proof)
			}
		})
	}
}

func validated(expires time.Time) trace.TokenValidated {
	return trace.TokenValidated{Credential: clinical, Valid: true, Scope: scope, IssuedAt: start.Unix(), ExpiresAt: expires.Unix()}
}

// Apply reports whether the picture changed.
func TestApplyReportsChange(t *testing.T) {
	t.Parallel()
	elsewhere := trace.Credential{Category: "radiology"}
	for name, tt := range map[string]struct {
		step trace.Step
		want bool
	}{
		"an agent":                        {created, true},
		"a call":                          {called, true},
		"a refusal":                       {trace.ScopeDenied{Credential: clinical}, true},
		"a refused delegation":            {trace.DelegationDenied{}, true},
		"the end":                         {trace.Complete{}, true},
		"a model's turn":                  {trace.LLMStart{}, false},
		"a piece of the answer":           {trace.LLMDelta{}, false},
		"a tool that failed":              {trace.ToolError{Category: "clinical"}, false},
		"an agent that has no lane":       {trace.AgentCreated{Credential: elsewhere}, false},
		"a call that has no lane":         {trace.ToolCall{Credential: elsewhere}, false},
		"a release that has no lane":      {trace.TokenReleased{Credential: elsewhere}, false},
		"a credential without a category": {trace.TokenRenewed{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := picture.New(picture.Encounter("", "medassist")).Apply(trace.Event{Seq: 1, Time: start, Step: tt.step}); got != tt.want {
				t.Errorf("changed = %v, want %v", got, tt.want)
			}
		})
	}
}

// A delegation names agents; the picture finds their lanes.
func TestDelegation(t *testing.T) {
	t.Parallel()
	given := trace.Delegation{Credential: delegation, DelegatorID: "spiffe://t/a-1", DelegatorScope: scope, DelegatedScope: scope[1:], ExpiresIn: 60}
	p := drawn(t, at{0, created}, at{1, given})
	got := p.Lanes[1].Delegated
	want := picture.Credential{State: picture.Alive, Scope: scope[1:], From: "clinical",
		Issued: start.Add(time.Second), Expires: start.Add(61 * time.Second), Seq: 2}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("delegated credential (-want +got):\n%s", diff)
	}
	if p.Lanes[1].Agent.State != picture.Absent {
		t.Error("a delegation must not change the delegate's own token")
	}

	p = drawn(t, at{0, created}, at{1, trace.DelegationDenied{DelegatorID: "a-1", DelegateID: "nobody", RequestedScope: scope[:1], RefusedBy: trace.RefusedByBroker}})
	if len(p.Refused) != 1 || p.Refused[0].From != "clinical" || p.Refused[0].To != "" {
		t.Errorf("refused delegations: %+v", p.Refused)
	}
	if p.Lanes[1].Delegated.State != picture.Absent {
		t.Error("a denied delegation must issue nothing")
	}
}

// The lanes of an encounter cover the whole ceiling, each scope once.
func TestEncounterFrame(t *testing.T) {
	t.Parallel()
	f := picture.Encounter("", "medassist")
	var planned []string
	for _, l := range f.Lanes {
		for _, s := range l.Scopes {
			planned = append(planned, s[:strings.LastIndex(s, ":")]+":*")
		}
	}
	slices.Sort(planned)
	if diff := cmp.Diff(slices.Sorted(slices.Values(f.Ceiling)), planned); diff != "" {
		t.Errorf("strands (-ceiling +lanes):\n%s", diff)
	}
}
