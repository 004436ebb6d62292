//go:build !unix

package pgtest

import (
	"os"
	"os/exec"
)

type credential struct{}

func unprivileged() *credential { return nil }

func (*credential) owns(string) error { return nil }

func (*credential) run(*exec.Cmd) {}

func interruptNow(p *os.Process) error { return p.Kill() }
