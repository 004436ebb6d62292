//go:build !race

package conformance

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/agentwrit"
)

const adminSecret = "an-admin-secret-for-tests-8731"

var built struct {
	sync.Once
	dir string
	out []byte
	err error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if built.dir != "" {
		os.RemoveAll(built.dir)
	}
	os.Exit(code)
}

// program returns the path of the program, built once as the Dockerfile builds it.
func program(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("builds the program")
	}
	built.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "medassist-program-"); built.err != nil {
			return
		}
		build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w -X main.release=image-test", "-o", built.dir, "../../cmd/medassist")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		built.out, built.err = build.CombinedOutput()
	})
	if built.err != nil {
		t.Fatalf("build: %v\n%s", built.err, built.out)
	}
	return filepath.Join(built.dir, "medassist")
}

// app is the running program, with everything in memory and on free ports.
type app struct {
	page, broker string // URLs
	cmd          *exec.Cmd
}

// start starts the program. It is stopped when the test ends, if not before.
func start(t *testing.T) *app {
	t.Helper()
	cmd := exec.Command(program(t), "--ephemeral", "--addr", "127.0.0.1:0", "--broker-addr", "127.0.0.1:0")
	cmd.Dir, cmd.Env = t.TempDir(), append(os.Environ(), "AGENTWRIT_ADMIN_SECRET="+adminSecret)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	a := &app{cmd: cmd}
	t.Cleanup(func() { a.stop(t) })
	expired := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
	defer expired.Stop()
	printed := map[string]string{}
	for lines := bufio.NewScanner(out); len(printed) < 3 && lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		printed[name] = strings.TrimSpace(value)
	}
	a.page = printed["page"]
	a.broker, _, _ = strings.Cut(printed["broker"], " ")
	if !strings.HasPrefix(a.page, "http://") || !strings.HasPrefix(a.broker, "http://") {
		t.Fatalf("it prints %v, want a page and a broker", printed)
	}
	return a
}

// stop stops the program as a terminal does, and waits for its end.
func (a *app) stop(t *testing.T) {
	t.Helper()
	if a.cmd.ProcessState != nil {
		return
	}
	if err := a.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Error(err)
	}
	if err := a.cmd.Wait(); err != nil {
		t.Errorf("the program ended with: %v", err)
	}
}

// admin returns an admin client of the program's broker.
func (a *app) admin(t *testing.T) *agentwrit.Admin {
	t.Helper()
	admin, err := agentwrit.NewAdmin(a.broker, adminSecret)
	if err != nil {
		t.Fatal(err)
	}
	return admin
}
