//go:build unix

package pgtest

import (
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
)

// A credential is the user to run the server as. PostgreSQL refuses to run as root.
type credential struct{ uid, gid int }

// unprivileged returns the user "postgres" if this process is root, and nil if it
// already runs as another user.
func unprivileged() *credential {
	if os.Getuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil
	}
	uid, _ := strconv.Atoi(u.Uid) // a number on Unix
	gid, _ := strconv.Atoi(u.Gid)
	return &credential{uid, gid}
}

func (c *credential) owns(dir string) error {
	if c == nil {
		return nil
	}
	return os.Chown(dir, c.uid, c.gid)
}

func (c *credential) run(cmd *exec.Cmd) {
	cmd.Dir = "/"
	if c != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(c.uid), Gid: uint32(c.gid)}}
	}
}

func interruptNow(p *os.Process) error { return p.Signal(syscall.SIGQUIT) }
