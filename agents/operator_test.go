package agents

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/agentwrit/brokertest"
	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/trace"
)

// family is three agents and what they delegate to each other. A run of this
// program makes shorter chains; the list of affected tokens must be right for
// these too.
type family struct {
	service *Service
	tokens  map[string]*credential
}

func newFamily(t *testing.T, app *agentwrit.App, task string) *family {
	t.Helper()
	agent := func(category string, scope ...string) *credential {
		a, err := app.CreateAgent(t.Context(), agentwrit.AgentRequest{OrchID: "medassist", TaskID: task, Scope: scope})
		if err != nil {
			t.Fatal(err)
		}
		return &credential{Credential: trace.Credential{Category: category}, agent: a}
	}
	delegate := func(from, to *credential, scope string) *credential {
		a, err := from.agent.Delegate(t.Context(), to.agent.ID(), []string{scope}, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		return &credential{Credential: trace.Credential{Category: to.Category, Delegated: true}, agent: a}
	}
	f := &family{tokens: map[string]*credential{
		"clinical":     agent("clinical", "read:records:P-1", "write:prescriptions:P-1"),
		"prescription": agent("prescription", "read:prescriptions:P-1"),
		"billing":      agent("billing", "read:billing:P-1"),
	}}
	f.tokens["clinical>prescription"] = delegate(f.tokens["clinical"], f.tokens["prescription"], "write:prescriptions:P-1")
	f.tokens["prescription>billing"] = delegate(f.tokens["prescription"], f.tokens["billing"], "read:prescriptions:P-1")
	f.tokens["clinical>prescription>billing"] = delegate(f.tokens["clinical>prescription"], f.tokens["billing"], "write:prescriptions:P-1")

	e := &encounter{Config: Config{Clock: time.Now}, id: task}
	for _, c := range f.tokens {
		claims, err := app.Validate(t.Context(), c.agent.AccessToken())
		if err != nil {
			t.Fatal(err)
		}
		c.jti.Store(claims.ID)
		e.credentials.add(c)
	}
	f.service = &Service{live: map[string]*encounter{task: e}}
	return f
}

// affected returns the names of the tokens that the service lists.
func (f *family) affected(level wire.RevokeLevel, target string) []string {
	var out []string
	named, delegated := f.service.Affected(level, target)
	for _, t := range append(named, delegated...) {
		for name, c := range f.tokens {
			if c.jti.Load() == t.ID {
				out = append(out, name)
			}
		}
	}
	slices.Sort(out)
	return out
}

// What the operator is told that a revocation affects is what the broker revokes.
func TestAffectedIsWhatTheBrokerRevokes(t *testing.T) {
	b := brokertest.Start(t)
	app, admin := b.App(t, "read:records:*", "write:prescriptions:*", "read:prescriptions:*", "read:billing:*"), b.Admin(t)
	for i, tc := range []struct {
		level wire.RevokeLevel
		token string // whose ID, or whose agent's, is the target
		want  []string
	}{
		{wire.RevokeToken, "clinical", []string{"clinical", "clinical>prescription", "clinical>prescription>billing"}},
		{wire.RevokeToken, "prescription", []string{"clinical>prescription>billing", "prescription", "prescription>billing"}},
		{wire.RevokeToken, "billing", []string{"billing"}},
		// The holder's own token, and what it delegated with that, stay valid.
		{wire.RevokeToken, "clinical>prescription", []string{"clinical>prescription", "clinical>prescription>billing"}},
		{wire.RevokeToken, "prescription>billing", []string{"prescription>billing"}},
		{wire.RevokeAgent, "billing", []string{"billing", "clinical>prescription>billing", "prescription>billing"}},
		{wire.RevokeAgent, "prescription", []string{"clinical>prescription", "clinical>prescription>billing", "prescription", "prescription>billing"}},
		{wire.RevokeChain, "clinical", []string{"clinical>prescription", "clinical>prescription>billing"}},
		{wire.RevokeChain, "prescription", []string{"clinical>prescription>billing", "prescription>billing"}},
		{wire.RevokeChain, "billing", nil},
	} {
		t.Run(fmt.Sprintf("%s of %s", tc.level, tc.token), func(t *testing.T) {
			f := newFamily(t, app, fmt.Sprintf("family-%d", i))
			target := f.tokens[tc.token].agent.ID()
			if tc.level == wire.RevokeToken {
				target = f.tokens[tc.token].jti.Load().(string)
			}
			listed := f.affected(tc.level, target)
			if _, err := admin.Revoke(t.Context(), tc.level, target); err != nil {
				t.Fatal(err)
			}
			var revoked []string
			for name, c := range f.tokens {
				if _, err := app.Validate(t.Context(), c.agent.AccessToken()); err != nil {
					revoked = append(revoked, name)
				}
			}
			slices.Sort(revoked)
			if !slices.Equal(listed, tc.want) || !slices.Equal(revoked, tc.want) {
				t.Errorf("listed %v, revoked %v, want %v", listed, revoked, tc.want)
			}
		})
	}
	f := newFamily(t, app, "nothing-named")
	for _, level := range []wire.RevokeLevel{wire.RevokeToken, wire.RevokeAgent, wire.RevokeTask, wire.RevokeChain, "unknown"} {
		for _, target := range []string{"", "other"} {
			if got := f.affected(level, target); len(got) > 0 {
				t.Errorf("%s of %q affects %v", level, target, got)
			}
		}
	}
}
