package broker_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"testing"

	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/broker"
)

// A client that leaves is not a failure of the storage: nothing is logged.
func TestAbortedRequestsAreNotLogged(t *testing.T) {
	var log bytes.Buffer
	h := start(t, broker.Config{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))})
	admin := h.admin()
	for _, tc := range []struct {
		method, path string
		body         any
	}{
		{"GET", "/v1/audit/events", nil},
		{"GET", "/v1/admin/apps", nil},
		{"GET", "/v1/admin/apps/x", nil},
		{"POST", byAdmin, wire.LaunchTokenRequest{AgentName: "x", AllowedScope: []string{"read:records:p1"}}},
		{"POST", "/v1/admin/auth", wire.AdminAuthRequest{Secret: "wrong"}},
		{"GET", "/v1/health", nil},
	} {
		body, err := json.Marshal(tc.body)
		if err != nil {
			t.Fatal(err)
		}
		left, leave := context.WithCancel(t.Context())
		leave()
		r := httptest.NewRequestWithContext(left, tc.method, tc.path, bytes.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+admin)
		h.b.Handler().ServeHTTP(httptest.NewRecorder(), r)
		if log.Len() > 0 {
			t.Errorf("%s %s: %s", tc.method, tc.path, log.String())
			log.Reset()
		}
	}
}
