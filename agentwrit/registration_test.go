package agentwrit_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/agentwrit/wire"
)

// The key signs 32 bytes of hex and nothing else that a broker may send.
func TestNonceMustBe32Bytes(t *testing.T) {
	proxy, app, _ := proxiedApp(t)
	for name, nonce := range map[string]string{
		"empty":        "",
		"31 bytes":     strings.Repeat("ab", 31),
		"33 bytes":     strings.Repeat("ab", 33),
		"not hex":      strings.Repeat("xy", 32),
		"odd length":   strings.Repeat("a", 63),
		"another text": "agent|read:data:*|2026-03-01T09:00:00Z",
	} {
		proxy.replace("/v1/challenge", answer(200, "application/json", fmt.Sprintf(`{"nonce":%q,"expires_in":30}`, nonce)))
		_, err := app.CreateAgent(t.Context(), agentwrit.AgentRequest{OrchID: "o", TaskID: "t", Scope: []string{"read:data:a"}})
		if !errors.Is(err, agentwrit.ErrProtocol) {
			t.Errorf("%s: %v, want ErrProtocol", name, err)
		}
	}
}

// The launch token allows what the agent requests, and no more.
func TestLaunchTokenAllowsOnlyTheRequest(t *testing.T) {
	proxy, app, _ := proxiedApp(t)
	var sent wire.LaunchTokenRequest
	proxy.replace("/v1/app/launch-tokens", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || json.Unmarshal(body, &sent) != nil {
			t.Errorf("request %s: %v", body, err)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		proxy.proxy.ServeHTTP(w, r)
	})
	agent := createAgent(t, app, "read:data:a")
	if want := []string{"read:data:a"}; !slices.Equal(sent.AllowedScope, want) || !slices.Equal(agent.Scope(), want) {
		t.Errorf("launch token for %v, agent holds %v, want %v", sent.AllowedScope, agent.Scope(), want)
	}
	if sent.SingleUse != nil && !*sent.SingleUse {
		t.Error("the launch token can be used twice")
	}
}
