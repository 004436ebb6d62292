package broker_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"modernc.org/sqlite"

	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/broker"
)

// failing holds the data folders whose databases refuse to commit.
var failing sync.Map

func init() {
	sqlite.RegisterConnectionHook(func(conn sqlite.ExecQuerierContext, dsn string) error {
		conn.(sqlite.HookRegisterer).RegisterCommitHook(func() int32 {
			refuse := int32(0)
			failing.Range(func(dir, _ any) bool {
				if strings.Contains(dsn, dir.(string)) {
					refuse = 1
				}
				return refuse == 0
			})
			return refuse
		})
		return nil
	})
}

func (h *harness) health() (wire.Health, int) {
	h.t.Helper()
	var out wire.Health
	a := h.call("GET", "/v1/health", "", nil)
	a.into(h.t, &out)
	return out, a.status
}

// A change that can't be stored does not happen: 503, nothing consumed, no
// event, and after the disk is well again the same request succeeds.
func TestUnstoredChangesDoNotHappen(t *testing.T) {
	dir := t.TempDir()
	h := start(t, broker.Config{Dir: dir})
	admin := h.admin()
	clinic := h.newApp(admin, "clinic", "read:records:*", "write:records:*")
	deleted := h.newApp(admin, "deleted", "read:records:*")
	scope := []string{"read:records:p1"}
	renews, releases, delegates := h.newAgent(clinic, "t1", scope...), h.newAgent(clinic, "t2", scope...), h.newAgent(clinic, "t3", scope...)
	revoked := h.newAgent(clinic, "t4", scope...)
	registration := proof(t, h.nonce())
	registration.LaunchToken, registration.RequestedScope = h.launch(byApp, clinic.token, nil, scope...), scope
	before := len(h.events(admin, ""))

	requests := []struct {
		what, method, path, bearer string
		body                       any
		status                     int // once storage is well
	}{
		{"register", "POST", "/v1/register", "", registration, 200},
		{"renew", "POST", "/v1/token/renew", renews.token, nil, 200},
		{"release", "POST", "/v1/token/release", releases.token, nil, 204},
		{"delegate", "POST", "/v1/delegate", delegates.token, wire.DelegateRequest{DelegateTo: revoked.id, Scope: scope}, 200},
		{"revoke", "POST", "/v1/revoke", admin, wire.RevokeRequest{Level: wire.RevokeAgent, Target: revoked.id}, 200},
		{"admin login", "POST", "/v1/admin/auth", "", wire.AdminAuthRequest{Secret: h.b.AdminSecret()}, 200},
		{"app login", "POST", "/v1/app/auth", "", wire.AppAuthRequest{ClientID: clinic.ClientID, ClientSecret: clinic.ClientSecret}, 200},
		{"admin's launch token", "POST", byAdmin, admin, wire.LaunchTokenRequest{AgentName: "x", AllowedScope: scope}, 201},
		{"app's launch token", "POST", byApp, clinic.token, wire.LaunchTokenRequest{AgentName: "x", AllowedScope: scope}, 201},
		{"new app", "POST", "/v1/admin/apps", admin, wire.CreateAppRequest{Name: "new", Scopes: scope}, 201},
		{"change app", "PUT", "/v1/admin/apps/" + clinic.AppID, admin, wire.UpdateAppRequest{Scopes: scope}, 200},
		{"delete app", "DELETE", "/v1/admin/apps/" + deleted.AppID, admin, nil, 200},
		// A refusal needs its record too.
		{"refused login", "POST", "/v1/admin/auth", "", wire.AdminAuthRequest{Secret: "wrong secret"}, 401},
		{"refused bearer", "POST", "/v1/token/renew", "garbage", nil, 401},
		{"refused scope", "GET", "/v1/audit/events", clinic.token, nil, 403},
		{"refused registration", "POST", "/v1/register", "", wire.RegisterRequest{LaunchToken: "x", Nonce: "x", PublicKey: "x", Signature: "x", OrchID: "o", TaskID: "t", RequestedScope: scope}, 401},
	}

	failing.Store(dir, true)
	for _, r := range requests {
		a := h.call(r.method, r.path, r.bearer, r.body)
		if a.status != 503 || a.problem(t).ErrorCode != wire.CodeUnavailable {
			t.Errorf("%s without storage: %d %s, want 503 unavailable", r.what, a.status, a.body)
		}
	}
	if got, status := h.health(); status != 503 || got.Status != wire.HealthUnavailable || got.DBConnected || len(got.Problems) == 0 {
		t.Errorf("health without storage: %d %+v", status, got)
	}
	for what, token := range map[string]string{
		"a token whose renewal failed": renews.token, "a token whose release failed": releases.token,
		"an agent whose revocation failed": revoked.token, "an app whose deletion failed": deleted.token,
	} {
		h.mustBeValid(what, token)
	}

	failing.Delete(dir)
	if !h.eventually(func() bool { got, status := h.health(); return status == 200 && got.Status == wire.HealthOK }) {
		t.Error("health does not recover")
	}
	if got := len(h.events(admin, "")); got != before {
		t.Errorf("%d events were written by what failed", got-before)
	}
	for _, r := range requests {
		if a := h.call(r.method, r.path, r.bearer, r.body); a.status != r.status {
			t.Errorf("%s after the fault: %d %s, want %d", r.what, a.status, a.body, r.status)
		}
	}
	var chain wire.Chain
	for _, e := range h.events(admin, "") {
		if err := chain.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	if text := string(h.call("GET", "/v1/metrics", "", nil).body); strings.Contains(text, `agentwrit_db_errors_total{operation="write"} 0`) {
		t.Error("the failures are not counted")
	}
	again := h.restart(dir)
	if got, _ := again.health(); got.Status != wire.HealthOK {
		t.Errorf("after a restart: %+v", got)
	}
	if text := string(again.call("GET", "/v1/metrics", "", nil).body); strings.Contains(text, "agentwrit_audit_events_loaded 0\n") {
		t.Error("the events that were loaded are not counted")
	}
}

func (h *harness) eventually(is func() bool) bool {
	for range 100 {
		if is() {
			return true
		}
		time.Sleep(50 * time.Millisecond)
	}
	return false
}

// Another program holds the database: a shell, a backup.
func TestLockedDatabase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h := start(t, broker.Config{Dir: dir})
	admin := h.admin()
	db, err := sql.Open("sqlite", filepath.Join(dir, "broker.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	conn, err := db.Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	exec := func(query string) {
		t.Helper()
		if _, err := conn.ExecContext(context.Background(), query); err != nil {
			t.Fatal(err)
		}
	}
	launch := wire.LaunchTokenRequest{AgentName: "x", AllowedScope: []string{"read:records:p1"}}

	exec("BEGIN IMMEDIATE")
	if a := h.call("POST", byAdmin, admin, launch); a.status != 503 {
		t.Errorf("while it is locked: %d %s, want 503", a.status, a.body)
	}
	if got, _ := h.health(); got.Status != wire.HealthUnavailable {
		t.Errorf("health while it is locked: %+v", got)
	}
	h.mustBeValid("a token, validated from memory", admin)
	exec("ROLLBACK")
	h.want(201, "POST", byAdmin, admin, launch, nil)
	if got, _ := h.health(); got.Status != wire.HealthOK {
		t.Errorf("health afterwards: %+v", got)
	}
}
