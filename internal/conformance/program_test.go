//go:build !race

package conformance

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/agentwrit"
)

const adminSecret = "an-admin-secret-for-tests-8731"

// programs is the folder with the programs that the tests have built.
var programs string

func TestMain(m *testing.M) {
	var err error
	if programs, err = os.MkdirTemp("", "medassist-programs-"); err != nil {
		panic(err)
	}
	code := m.Run()
	os.RemoveAll(programs)
	os.Exit(code)
}

// program returns the path of the program, built from packages that the tests
// have compiled too.
func program(t *testing.T) string {
	t.Helper()
	return build(t, "program", nil, "-ldflags=-s -w")
}

// imageProgram returns the path of the program, built as the Dockerfile builds it.
func imageProgram(t *testing.T) string {
	t.Helper()
	return build(t, "image", []string{"CGO_ENABLED=0"}, "-trimpath", "-ldflags=-s -w -X main.release=image-test")
}

// build builds the program once under a name and returns its path.
func build(t *testing.T, name string, env []string, flags ...string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("builds the program")
	}
	path := filepath.Join(programs, name)
	if _, err := os.Stat(path); err == nil {
		return path
	}
	cmd := exec.Command("go", slices.Concat([]string{"build", "-o", path}, flags, []string{"../../cmd/medassist"})...)
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return path
}

// app is the running program, with everything in memory and on free ports.
type app struct {
	page, broker string // URLs
	cmd          *exec.Cmd
}

// start starts a build of the program. It is stopped when the test ends, if not
// before.
func start(t *testing.T, program string) *app {
	t.Helper()
	cmd := exec.Command(program, "--ephemeral", "--addr", "127.0.0.1:0", "--broker-addr", "127.0.0.1:0")
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
