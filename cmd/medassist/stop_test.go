package main

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/agentwrit/brokertest"
	"github.com/devonartis/medassist-go/trace"
)

// A demo that is stopped while a run waits releases the run's tokens first.
func TestStopReleasesTokens(t *testing.T) {
	b := brokertest.Start(t)
	a := startApp(t, func(c *Config) { c.BrokerURL, c.AdminSecret = b.URL, b.AdminSecret })
	runID := a.runWithLiveAgent()
	if err := a.stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	assertReleased(t, b.Admin(t), runID)
}

// skipProcesses skips a test that starts processes with -short. The race detector
// reports to this process only.
func skipProcesses(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts processes")
	}
}

// process is a running `medassist`.
type process struct {
	*app
	cmd    *exec.Cmd
	stderr *os.File // the read end of its standard error
}

// startProcess starts the binary in memory, with an environment and arguments.
func startProcess(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	return launch(t, env, time.Minute, append([]string{"--ephemeral"}, args...)...)
}

// launch starts the binary with an environment and arguments. It is killed after the
// time, or when the test ends.
func launch(t *testing.T, env []string, limit time.Duration, args ...string) *process {
	t.Helper()
	cmd := exec.Command("medassist", args...) // testscript.Main puts it in PATH
	cmd.Dir, cmd.Env = t.TempDir(), env
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	read, written, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = written
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	written.Close()
	giveUp := time.AfterFunc(limit, func() { cmd.Process.Kill() })
	t.Cleanup(func() { giveUp.Stop(); cmd.Process.Kill(); read.Close() })

	var printed []string
	for lines := bufio.NewScanner(out); len(printed) < 3 && lines.Scan(); {
		printed = append(printed, lines.Text())
	}
	for i, what := range []string{"page    http://", "broker  http://", "model   "} {
		if i >= len(printed) || !strings.HasPrefix(printed[i], what) {
			t.Fatalf("it prints %q at start, want one line each for page, broker and model", printed)
		}
	}
	p := &process{&app{T: t}, cmd, read}
	p.Page = strings.TrimPrefix(printed[0], "page    ")
	p.Broker = strings.Fields(printed[1])[1]
	return p
}

// However the process is told to stop, it releases its tokens, the stream of the
// run shows that, and the exit code is 0.
func TestProcessStops(t *testing.T) {
	skipProcesses(t)
	// A test that runs under nohup ignores SIGHUP, which the process would inherit.
	hangUp := make(chan os.Signal, 1)
	signal.Notify(hangUp, syscall.SIGHUP)
	t.Cleanup(func() { signal.Stop(hangUp) })
	send := func(s os.Signal) func(*process) error {
		return func(p *process) error { return p.cmd.Process.Signal(s) }
	}
	for name, stop := range map[string]func(*process) error{
		"SIGINT":            send(os.Interrupt),
		"SIGTERM":           send(syscall.SIGTERM),
		"SIGHUP":            send(syscall.SIGHUP),
		"a closed log pipe": func(p *process) error { return p.stderr.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := brokertest.Start(t)
			p := startProcess(t, append(os.Environ(), "AGENTWRIT_BROKER_URL="+b.URL, "AGENTWRIT_ADMIN_SECRET="+b.AdminSecret), "--addr", "127.0.0.1:0")
			runID := p.runWithLiveAgent()
			stream := p.do("GET", "/api/runs/"+runID+"/events", nil, "")
			if err := stop(p); err != nil {
				t.Fatal(err)
			}
			seen, err := io.ReadAll(stream.Body)
			if err != nil || !strings.Contains(string(seen), `"all_tokens_dead":true`) {
				t.Errorf("the stream ends with %v: …%s", err, seen[max(0, len(seen)-500):])
			}
			if err := p.cmd.Wait(); err != nil {
				t.Errorf("%v, want exit code 0", err)
			}
			assertReleased(t, b.Admin(t), runID)
			apps, err := b.Admin(t).Apps(t.Context())
			if err != nil || slices.ContainsFunc(apps, func(a agentwrit.AppRecord) bool { return a.Status == "active" }) {
				t.Errorf("a demo in memory leaves its app behind: %+v, %v", apps, err)
			}
		})
	}
}

// runWithLiveAgent starts a run that waits before each step and advances it until its
// trace shows the first agent.
func (a *app) runWithLiveAgent() string {
	a.Helper()
	id := a.begin(`{"patient_id":"P-1042","request":"` + fullRequest + `","pace":"step"}`)
	for deadline := time.Now().Add(10 * time.Second); len(steps[trace.AgentCreated](result{RunID: id, Trace: a.export(id).Events})) == 0; {
		if time.Now().After(deadline) {
			a.Fatal("no agent was created")
		}
		a.post("/api/runs/"+id+"/next", "")
		time.Sleep(10 * time.Millisecond)
	}
	return id
}

func assertReleased(t *testing.T, admin *agentwrit.Admin, runID string) {
	t.Helper()
	registered, released := countEvents(t, admin, runID, "agent_registered"), countEvents(t, admin, runID, "token_released")
	if registered == 0 || released != registered {
		t.Errorf("%d agents, %d tokens released", registered, released)
	}
}

func countEvents(t *testing.T, admin *agentwrit.Admin, runID string, event agentwrit.EventType) int {
	t.Helper()
	page, err := admin.AuditPage(t.Context(), agentwrit.AuditFilter{TaskID: runID, EventType: event})
	if err != nil {
		t.Fatal(err)
	}
	return page.Total
}
