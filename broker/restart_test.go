package broker_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/broker"
)

// restart closes h's broker and opens another on the same folder and clock.
func (h *harness) restart(dir string) *harness {
	h.t.Helper()
	if err := h.b.Close(); err != nil {
		h.t.Fatal(err)
	}
	again := start(h.t, broker.Config{Dir: dir, Clock: h.clock.now})
	again.clock = h.clock
	return again
}

func TestRestartKeepsAcknowledgedChanges(t *testing.T) {
	dir := t.TempDir()
	h := start(t, broker.Config{Dir: dir})
	admin := h.admin()
	clinic := h.newApp(admin, "clinic", "read:records:*")
	valid := h.newAgent(clinic, "t1", "read:records:p1")
	released := h.newAgent(clinic, "t2", "read:records:p1")
	h.want(204, "POST", "/v1/token/release", released.token, nil, nil)
	revoked := h.newAgent(clinic, "t3", "read:records:p1")
	h.want(200, "POST", "/v1/revoke", admin, wire.RevokeRequest{Level: wire.RevokeAgent, Target: revoked.id}, nil)
	unspent := h.launch(byApp, clinic.token, nil, "read:records:p1")
	events := len(h.events(admin, ""))

	h = h.restart(dir)
	if got := len(h.events(h.admin(), "")); got != events+1 { // the login
		t.Errorf("%d events after the restart, want %d", got, events+1)
	}
	h.mustBeValid("an agent's token", valid.token)
	h.mustBeInvalid("a released token", released.token)
	h.mustBeInvalid("a revoked agent's token", revoked.token)
	h.enroll(unspent, "t4", "read:records:p1")
	h.delegate(valid, released.id, 0, "read:records:p1") // both are still registered
	h.login(clinic.App)

	var health wire.Health
	h.want(200, "GET", "/v1/health", "", nil, &health)
	if health.Status != wire.HealthOK || len(health.Problems) != 0 {
		t.Errorf("health = %+v", health)
	}
}

func TestGeneratedSecretIsPrivate(t *testing.T) {
	dir := t.TempDir()
	h := start(t, broker.Config{Dir: dir})
	secret := h.b.AdminSecret()
	for _, name := range []string{"admin-secret", "signing-key.pem", "broker.db"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, want 0600", name, info.Mode().Perm())
		}
	}
	if again := h.restart(dir); again.b.AdminSecret() != secret {
		t.Error("the secret changed with a restart")
	}
}

func TestSecondBrokerOnOneFolderIsRefused(t *testing.T) {
	dir := t.TempDir()
	start(t, broker.Config{Dir: dir})
	_, err := broker.Open(context.Background(), broker.Config{Dir: dir})
	if !errors.Is(err, broker.ErrLocked) || !strings.Contains(err.Error(), dir) {
		t.Errorf("err = %v, want ErrLocked and the folder's name", err)
	}
}
