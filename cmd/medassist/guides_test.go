//go:build unix

package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// shellBlock matches a block of commands in a guide and the comment before it,
// which tells this test how to run it:
//
//	<!-- serves -->         it starts a server, which prints its address
//	<!-- the demo runs -->  it calls the demo on its default port
//	<!-- not run: why -->   it is not run
//
// A block without a comment must exit with status 0.
var shellBlock = regexp.MustCompile("(?m)^(?:<!-- ([^\n]+?) -->\n)?```sh\n((?:[^`]|`[^`])*?)```$")

// Every command of every guide runs as written, except that ports are replaced and
// that `go run ./cmd/medassist` runs this binary.
func TestCommandsOfTheGuides(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("runs the commands of the guides")
	}
	env := readersEnv(t)
	ran := 0
	for _, guide := range guides(t) {
		text, err := os.ReadFile(guide)
		if err != nil {
			t.Fatal(err)
		}
		blocks := shellBlock.FindAllStringSubmatch(string(text), -1)
		if fences := strings.Count(string(text), "\n```sh\n"); fences != len(blocks) {
			t.Errorf("%s: %d blocks of commands, %d of them recognized", guide, fences, len(blocks))
		}
		for i, b := range blocks {
			how, commands := b[1], b[2]
			if strings.HasPrefix(how, "not run: ") {
				continue
			}
			ran++
			t.Run(fmt.Sprintf("%s/%d", filepath.Base(guide), i+1), func(t *testing.T) {
				t.Parallel()
				switch how {
				case "":
					runBlock(t, env, commands)
				case "serves":
					serveBlock(t, env, commands)
				case "the demo runs":
					app := startApp(t)
					runBlock(t, env, strings.ReplaceAll(commands, "localhost:5000", strings.TrimPrefix(app.Page, "http://")))
				default:
					t.Errorf("unknown block comment %q", how)
				}
			})
		}
	}
	if ran < 4 {
		t.Errorf("only %d blocks ran", ran)
	}
}

// readersEnv returns the environment of a reader who follows a guide: nothing
// configured, and a go command that runs this binary.
func readersEnv(t *testing.T) []string {
	t.Helper()
	bin := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// testscript runs main when the binary has the program's name.
	if err := os.Symlink(self, filepath.Join(bin, "medassist")); err != nil {
		t.Fatal(err)
	}
	shim := "#!/bin/sh\n[ \"$1 $2\" = 'run ./cmd/medassist' ] || { echo \"go $*: not in this test\" >&2; exit 1; }\nshift 2\nexec medassist \"$@\"\n"
	if err := os.WriteFile(filepath.Join(bin, "go"), []byte(shim), 0o755); err != nil {
		t.Fatal(err)
	}
	return []string{"PATH=" + bin + string(os.PathListSeparator) + os.Getenv("PATH"), "HOME=" + t.TempDir(), "TESTSCRIPT_COMMAND=medassist",
		"MEDASSIST_ADDR=127.0.0.1:0", "MEDASSIST_BROKER_ADDR=127.0.0.1:0"}
}

// block returns a command that runs a block in an empty folder.
func block(ctx context.Context, t *testing.T, env []string, commands string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(ctx, "sh", "-euc", commands)
	cmd.Dir, cmd.Env = t.TempDir(), env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 20 * time.Second
	return cmd
}

// runBlock runs a block to completion.
func runBlock(t *testing.T, env []string, commands string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if out, err := block(ctx, t, env, commands).CombinedOutput(); err != nil {
		t.Errorf("%v:\n%s\n%s", err, commands, out)
	}
}

// serveBlock starts a server, waits until it prints its address, and stops it.
func serveBlock(t *testing.T, env []string, commands string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := block(ctx, t, env, commands)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := bufio.NewScanner(out)
	found := false
	for !found && said.Scan() {
		found = strings.Contains(said.Text(), "http://127.0.0.1:")
	}
	if !found {
		t.Errorf("no address printed by: %s", commands)
	}
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	for said.Scan() {
	}
	if err := cmd.Wait(); err != nil && ctx.Err() != nil {
		t.Errorf("it did not stop: %v", err)
	}
}
