package broker_test

import (
	"database/sql"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/devonartis/medassist-go/agentwrit/wire"
)

// A disk that takes no more: every write of the process to a file fails, until
// there is room again.
func TestFullDisk(t *testing.T) {
	c := startChild(t, t.TempDir())
	admin := c.loginAdmin()
	clinic := c.newApp(admin, "clinic", "read:records:*")
	a := c.newAgent(clinic, "t1", "read:records:p1")
	room := func(bytes uint64) {
		t.Helper()
		limit := unix.Rlimit{Cur: bytes, Max: unix.RLIM_INFINITY}
		if err := unix.Prlimit(c.cmd.Process.Pid, unix.RLIMIT_FSIZE, &limit, nil); err != nil {
			t.Skipf("prlimit: %v", err)
		}
	}

	room(0)
	for range 3 {
		if a := c.call("POST", "/v1/token/release", a.token, nil); a.status != 503 {
			t.Errorf("release on a full disk: %d %s, want 503", a.status, a.body)
		}
	}
	if h, status := c.health(); status != 503 || h.Status != wire.HealthUnavailable {
		t.Errorf("health on a full disk: %d %+v", status, h)
	}
	c.mustBeValid("a token whose release failed", a.token)

	room(unix.RLIM_INFINITY)
	if !c.eventually(func() bool { h, _ := c.health(); return h.Status == wire.HealthOK }) {
		t.Error("health does not recover")
	}
	c.want(204, "POST", "/v1/token/release", a.token, nil, nil)
	c.mustBeInvalid("a released token", a.token)
}

// A disk that still takes small writes is not healthy: a registration, which needs
// more space, keeps failing.
func TestAlmostFullDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := startChild(t, dir)
	admin := c.loginAdmin()
	clinic := c.newApp(admin, "clinic", "read:records:*")
	reusable := false
	launch := c.launch(byApp, clinic.token, func(in *wire.LaunchTokenRequest) { in.SingleUse = &reusable }, "read:records:p1")
	// After a checkpoint the write-ahead log is written from its beginning again.
	db, err := sql.Open("sqlite", filepath.Join(dir, "broker.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("PRAGMA wal_checkpoint(PASSIVE)"); err != nil {
		t.Fatal(err)
	}
	room := func(bytes uint64) {
		t.Helper()
		limit := unix.Rlimit{Cur: bytes, Max: unix.RLIM_INFINITY}
		if err := unix.Prlimit(c.cmd.Process.Pid, unix.RLIMIT_FSIZE, &limit, nil); err != nil {
			t.Skipf("prlimit: %v", err)
		}
	}
	register := func() int {
		in := proof(t, c.nonce())
		in.LaunchToken, in.RequestedScope = launch, []string{"read:records:p1"}
		return c.call("POST", "/v1/register", "", in).status
	}

	const page, header = 4096 + 24, 32 // of a write-ahead log
	room(header + 3*page)
	if status := register(); status != 503 {
		t.Fatalf("register on an almost full disk: %d, want 503", status)
	}
	for range 15 {
		time.Sleep(100 * time.Millisecond) // three probes
		if h, status := c.health(); status != 503 || h.Status != wire.HealthUnavailable {
			t.Fatalf("health on an almost full disk: %d %+v", status, h)
		}
	}
	room(unix.RLIM_INFINITY)
	if !c.eventually(func() bool { h, _ := c.health(); return h.Status == wire.HealthOK }) {
		t.Error("health does not recover")
	}
	if status := register(); status != 200 {
		t.Errorf("register after the fault: %d, want 200", status)
	}
}
