package broker_test

import (
	"testing"

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
