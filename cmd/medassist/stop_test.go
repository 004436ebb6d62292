package main

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/agentwrit/brokertest"
)

// A demo that is stopped while a run waits releases the run's tokens first.
func TestStopReleasesTokens(t *testing.T) {
	b := brokertest.Start(t)
	a := startApp(t, func(c *Config) { c.BrokerURL, c.AdminSecret = b.URL, b.AdminSecret })
	runID := a.runWithLiveAgent(b.Admin(t))
	if err := a.stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	assertReleased(t, b.Admin(t), runID)
}

// The same for the process and SIGTERM.
func TestSIGTERMReleasesTokens(t *testing.T) {
	b := brokertest.Start(t)
	cmd := exec.Command("medassist", "--ephemeral", "--addr", "127.0.0.1:0") // testscript.Main puts it in PATH
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "AGENTWRIT_BROKER_URL="+b.URL, "AGENTWRIT_ADMIN_SECRET="+b.AdminSecret)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	giveUp := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
	defer giveUp.Stop()

	a := &app{T: t}
	var printed []string
	for lines := bufio.NewScanner(out); len(printed) < 3 && lines.Scan(); {
		printed = append(printed, lines.Text())
	}
	for i, what := range []string{"page    http://", "broker  " + b.URL + " (remote)", "model   "} {
		if i >= len(printed) || !strings.HasPrefix(printed[i], what) {
			t.Fatalf("it prints %q at start, want one line each for page, broker and model", printed)
		}
	}
	a.Page = strings.TrimPrefix(printed[0], "page    ")
	runID := a.runWithLiveAgent(b.Admin(t))
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v, want exit code 0", err)
	}
	assertReleased(t, b.Admin(t), runID)
}

// runWithLiveAgent starts a run that waits before each step and advances it to its
// first agent.
func (a *app) runWithLiveAgent(admin *agentwrit.Admin) string {
	a.Helper()
	id := a.begin(`{"patient_id":"P-1042","request":"` + fullRequest + `","pace":"step"}`)
	for deadline := time.Now().Add(10 * time.Second); countEvents(a.T, admin, id, "agent_registered") == 0; {
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
