package agents

import (
	"errors"
	"slices"
	"testing"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/agentwrit/brokertest"
)

func TestGate(t *testing.T) {
	app := brokertest.Start(t).App(t, "read:records:*", "read:labs:*", "read:formulary:*", "write:records:*")
	token := func(scope ...string) string {
		t.Helper()
		a, err := app.CreateAgent(t.Context(), agentwrit.AgentRequest{OrchID: "medassist", TaskID: "gate", Scope: scope})
		if err != nil {
			t.Fatal(err)
		}
		return a.AccessToken()
	}
	released := func() string {
		t.Helper()
		a, err := app.CreateAgent(t.Context(), agentwrit.AgentRequest{OrchID: "medassist", TaskID: "gate", Scope: []string{"read:records:P-1"}})
		if err == nil {
			err = a.Release(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
		return a.AccessToken()
	}
	own := token("read:records:P-1", "read:labs:P-1")
	everyone := token("read:records:*")

	allowed := []struct {
		name, token string
		required    []string
	}{
		{"what is held", own, []string{"read:records:P-1"}},
		{"all that is held", own, []string{"read:labs:P-1", "read:records:P-1"}},
		{"one of a wildcard", everyone, []string{"read:records:P-1"}},
		{"the wildcard itself", everyone, []string{"read:records:*"}},
	}
	for _, tt := range allowed {
		if v, err := checkToken(t.Context(), app, tt.token, tt.required); err != nil || !v.allowed() {
			t.Errorf("%s: %+v, %v", tt.name, v, err)
		}
	}
	denied := []struct {
		name, token string
		required    []string
		missing     []string // nil when the token itself is refused
	}{
		{"another patient", own, []string{"read:records:P-2"}, []string{"read:records:P-2"}},
		{"another patient whose ID begins alike", own, []string{"read:records:P-11"}, []string{"read:records:P-11"}},
		{"another spelling", own, []string{"read:records:p-1"}, []string{"read:records:p-1"}},
		{"everyone", own, []string{"read:records:*"}, []string{"read:records:*"}},
		{"another action", own, []string{"write:records:P-1"}, []string{"write:records:P-1"}},
		{"another resource", own, []string{"read:billing:P-1"}, []string{"read:billing:P-1"}},
		{"one of two", own, []string{"read:records:P-1", "read:formulary:*"}, []string{"read:formulary:*"}},
		{"not a scope", own, []string{"records"}, []string{"records"}},
		{"nothing at all", own, nil, []string{}},
		{"a released token", released(), []string{"read:records:P-1"}, nil},
		{"no token", "", []string{"read:records:P-1"}, nil},
		{"not a token", "eyJhbGciOiJub25lIn0.e30.", []string{"read:records:P-1"}, nil},
		{"a token that was cut", own[:len(own)-4], []string{"read:records:P-1"}, nil},
	}
	for _, tt := range denied {
		v, err := checkToken(t.Context(), app, tt.token, tt.required)
		if err != nil || v.allowed() {
			t.Errorf("%s: %+v, %v", tt.name, v, err)
		}
		if (v.rejected != "") != (tt.missing == nil) || !slices.Equal(v.missing, tt.missing) {
			t.Errorf("%s: missing %v, rejected %q, want %v", tt.name, v.missing, v.rejected, tt.missing)
		}
	}
}

func TestGateWithoutBroker(t *testing.T) {
	app, err := agentwrit.NewApp("http://127.0.0.1:1", "id", "secret")
	if err != nil {
		t.Fatal(err)
	}
	v, err := checkToken(t.Context(), app, "token", []string{"read:records:P-1"})
	if !errors.Is(err, agentwrit.ErrTransport) || v.allowed() {
		t.Errorf("%+v, %v", v, err)
	}
}

func TestPreview(t *testing.T) {
	const a = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJlIG9mIGE0"
	const b = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJlIG9mIGI0"
	if preview(a) != "eyJhbG…9mIGE0" || preview(a) == preview(b) {
		t.Errorf("previews are %s and %s", preview(a), preview(b))
	}
	if p := preview("short-secret"); p != "…" {
		t.Errorf("a short token is shown as %s", p)
	}
}
