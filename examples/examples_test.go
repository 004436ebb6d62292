// Package examples has no code of its own. Its test builds the examples and runs
// each against a real broker.
package examples

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/agentwrit/brokertest"
)

// world is a broker, and the programs with the credentials of an app.
type world struct {
	broker *brokertest.Broker
	bin    string
	env    []string
}

func TestExamples(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the examples")
	}
	broker, bin := brokertest.Start(t), t.TempDir()
	if out, err := exec.Command("go", "build", "-ldflags=-s -w", "-o", bin+string(filepath.Separator), "./...").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	tests := map[string]func(*testing.T, *world){
		"quickstart": quickstart, "protected-api": protectedAPI, "pipeline": pipeline, "long-task": longTask, "operator": operator, "model-tools": modelTools,
	}
	t.Run("all", func(t *testing.T) { // returns when all have ended
		for name, test := range tests {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				app := broker.Register(t, "read:records:*", "write:notes:*", "read:data:*") // logins are limited by app
				test(t, &world{broker, bin, append(os.Environ(), "AGENTWRIT_BROKER_URL="+broker.URL, "AGENTWRIT_ADMIN_SECRET="+broker.AdminSecret,
					"AGENTWRIT_CLIENT_ID="+app.ClientID, "AGENTWRIT_CLIENT_SECRET="+app.ClientSecret)})
			})
		}
	})
	folders, err := filepath.Glob("*/main.go")
	if err != nil || len(folders) != len(tests) {
		t.Errorf("%d examples, %d tests, %v", len(folders), len(tests), err)
	}
}

// command returns an example, ready to be started.
func (w *world) command(t *testing.T, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), filepath.Join(w.bin, name), args...)
	cmd.Env = w.env
	return cmd
}

// run runs an example to its end and checks that its output contains each text.
func (w *world) run(t *testing.T, cmd *exec.Cmd, wants ...string) string {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range wants {
		if !strings.Contains(string(out), want) {
			t.Errorf("the output lacks %q:\n%s", want, out)
		}
	}
	return string(out)
}

// background starts an example that runs until it is interrupted. It returns the
// lines of its output, and a function that interrupts it and checks its end.
func (w *world) background(t *testing.T, cmd *exec.Cmd) (lines *bufio.Scanner, interrupt func()) {
	t.Helper()
	var failed bytes.Buffer
	cmd.Stderr = &failed
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines = bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatalf("no output: %v\n%s", cmd.Wait(), failed.String())
	}
	return lines, func() {
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v\n%s", err, failed.String())
		}
	}
}

func quickstart(t *testing.T, w *world) {
	w.run(t, w.command(t, "quickstart"), "agent spiffe://", "read:records:P-1042 allowed: true", "read:records:P-2187 allowed: false", "revoked: true")
}

func protectedAPI(t *testing.T, w *world) {
	cmd := w.command(t, "protected-api")
	cmd.Env = append(cmd.Env, "ADDR=127.0.0.1:0")
	lines, interrupt := w.background(t, cmd)
	_, url, _ := strings.Cut(lines.Text(), "serving on ")
	agent := w.broker.Agent(t, "read:records:P-1042")
	for _, tc := range []struct {
		path, bearer string
		status       int
		body         string
	}{
		{"/records/P-1042", agent.BearerHeader(), 200, "record of P-1042"},
		{"/records/P-2187", agent.BearerHeader(), 403, "read:records:P-2187"},
		{"/records/*", agent.BearerHeader(), 403, ""},
		{"/records/P-1042", "", 401, ""},
		{"/records/P-1042", "Bearer forged", 401, ""},
	} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", url+tc.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if tc.bearer != "" {
			req.Header.Set("Authorization", tc.bearer)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != tc.status || !strings.Contains(string(body), tc.body) {
			t.Errorf("%s: %d %s, want %d", tc.path, resp.StatusCode, body, tc.status)
		}
	}
	interrupt()
}

func pipeline(t *testing.T, w *world) {
	out := w.run(t, w.command(t, "pipeline"), "the writer holds [read:data:acme:2026:sales]", "refused: true")
	if strings.Count(out, "hop ") != 2 {
		t.Errorf("not two hops:\n%s", out)
	}
}

func longTask(t *testing.T, w *world) {
	out := w.run(t, w.command(t, "long-task", "-ttl=3s", "-items=32", "-each=100ms"), "worked for 1 lifetimes with ")
	if strings.Contains(out, " 0 renewals") {
		t.Errorf("the token was not renewed:\n%s", out)
	}
}

func operator(t *testing.T, w *world) {
	lines, interrupt := w.background(t, w.command(t, "operator", "watch"))
	w.run(t, w.command(t, "operator", "register", "registered-by-example", "read:records:*"), "AGENTWRIT_CLIENT_ID=client-", "AGENTWRIT_CLIENT_SECRET=")
	agent := w.broker.Agent(t, "read:records:P-1042")
	w.run(t, w.command(t, "operator", "revoke", "agent", agent.ID()), "revoked agent "+agent.ID())
	if _, err := agentwrit.Validate(t.Context(), w.broker.URL, agent.AccessToken()); err == nil {
		t.Error("the agent is not revoked")
	}
	for lines.Scan() && !strings.Contains(lines.Text(), "app registered-by-example registered") {
	}
	if !strings.Contains(lines.Text(), "registered-by-example") {
		t.Error("the registration was not seen")
	}
	interrupt()
	w.run(t, w.command(t, "operator", "verify"), "events verified")
	if out, err := w.command(t, "operator", "revoke").CombinedOutput(); err == nil || !strings.Contains(string(out), "usage: ") {
		t.Errorf("without arguments: %v, %s", err, out)
	}
}

// The model asks for one patient's record, then for another's, and then answers.
func modelTools(t *testing.T, w *world) {
	patients := []string{"P-1042", "P-2187", "*"}
	results := make(chan string, len(patients))
	model := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			Messages []struct{ Role, Content string }
		}
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			t.Error(err)
		}
		if last := in.Messages[len(in.Messages)-1]; last.Role == "tool" {
			results <- last.Content
		}
		w.Header().Set("Content-Type", "application/json")
		if len(patients) == 0 {
			fmt.Fprint(w, `{"choices":[{"message":{"role":"assistant","content":"All done."}}]}`)
			return
		}
		args, _ := json.Marshal(fmt.Sprintf(`{"patient_id":%q}`, patients[0]))
		fmt.Fprintf(w, `{"choices":[{"message":{"role":"assistant","tool_calls":[{"id":"call-%d","type":"function","function":{"name":"read_record","arguments":%s}}]}}]}`,
			len(patients), args)
		patients = patients[1:]
	}))
	defer model.Close()
	cmd := w.command(t, "model-tools")
	cmd.Env = append(cmd.Env, "LLM_BASE_URL="+model.URL+"/v1", "LLM_MODEL=scripted")
	w.run(t, cmd, "All done.")
	close(results)
	var got []string
	for r := range results {
		got = append(got, r)
	}
	want := "The patient is well.|denied: the agent lacks read:records:P-2187|denied: the agent lacks read:records:*"
	if strings.Join(got, "|") != want {
		t.Errorf("results: %q", got)
	}
}
