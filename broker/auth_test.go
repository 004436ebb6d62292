package broker

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/devonartis/medassist-go/agentwrit/wire"
)

// Should an agent ever come by a scope that is an app's, it would still not be
// an app: the second lock behind the one that reserves such scopes.
func TestAgentWithAnAppScopeIssuesNoLaunchToken(t *testing.T) {
	b, err := Open(context.Background(), quick)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	r := httptest.NewRequest("POST", "/v1/app/launch-tokens", strings.NewReader(`{"agent_name":"x","allowed_scope":["read:data:x"]}`))
	r.Header.Set("Authorization", "Bearer "+tokenFor(t, b, grant{
		subject: "spiffe://agentwrit.local/agent/o/t/0123456789abcdef", scope: []string{wire.ScopeAppLaunchTokens}}))
	w := httptest.NewRecorder()
	b.Handler().ServeHTTP(w, r)
	if w.Code != 403 || !strings.Contains(w.Body.String(), "only an app") {
		t.Errorf("%d %s, want 403", w.Code, w.Body)
	}
}
