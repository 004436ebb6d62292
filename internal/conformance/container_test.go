//go:build !race

package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// A stack is docker-compose.yml, started with images of this build.
type stack struct {
	t            *testing.T
	env          []string
	page, broker string // addresses on this machine
}

// presenterKeyOfStack is the presenter's key of a stack.
const presenterKeyOfStack = "a-key-for-the-presenter"

// run runs a command with the stack's environment and returns its output.
func (s *stack) run(name string, args ...string) string {
	s.t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(s.t.Context()), name, args...) // also during cleanup
	cmd.Env = append(os.Environ(), s.env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// compose runs Docker Compose, as a plugin or as a program of its own.
func (s *stack) compose(args ...string) string {
	s.t.Helper()
	began := time.Now()
	command := []string{"docker", "compose"}
	if exec.Command("docker", "compose", "version").Run() != nil {
		command = []string{"docker-compose"}
	}
	command = append(command, "-f", "../../docker-compose.yml", "-p", "medassist-test")
	out := s.run(command[0], append(command[1:], args...)...)
	s.t.Logf("compose %s: %s", strings.Join(args, " "), time.Since(began).Round(10*time.Millisecond))
	return out
}

// container returns the ID of a service's container. It asks the engine, which
// answers at once; each command of Compose takes a second.
func (s *stack) container(service string) string {
	s.t.Helper()
	return s.run("docker", "ps", "-q", "--filter", "label=com.docker.compose.project=medassist-test", "--filter", "label=com.docker.compose.service="+service)
}

// buildImages builds the stages of the Dockerfile after its build stage, with the
// program that was built outside.
func (s *stack) buildImages() {
	s.t.Helper()
	dir := s.t.TempDir()
	dockerfile, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		s.t.Fatal(err)
	}
	_, stages, found := strings.Cut(string(dockerfile), "\nFROM scratch AS app\n")
	if !found {
		s.t.Fatal("the Dockerfile has no stage from scratch")
	}
	stages = "FROM scratch AS app\n" + strings.ReplaceAll(strings.ReplaceAll(stages, "--from=build ", ""), " /out/", " ")
	binary, err := os.ReadFile(imageProgram(s.t))
	if err != nil {
		s.t.Fatal(err)
	}
	for name, content := range map[string][]byte{"Dockerfile": []byte(stages), "medassist": binary, "ca-certificates.crt": nil} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o755); err != nil {
			s.t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "data"), 0o755); err != nil {
		s.t.Fatal(err)
	}
	s.run("docker", "build", "-t", "medassist-test", dir)
	s.run("docker", "build", "-t", "medassist-test-broker", "--target", "broker", dir)
}

// request sends a request to the page and returns the answer.
func (s *stack) request(method, path, body string) (int, string) {
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.page+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("X-Presenter-Key", presenterKeyOfStack)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(answer)
}

// ready waits until MedAssist and its broker answer.
func (s *stack) ready() {
	s.t.Helper()
	var answer string
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		var status int
		if status, answer = s.request("GET", "/healthz", ""); status == http.StatusOK {
			return
		}
	}
	s.t.Fatalf("MedAssist is not ready: %s\n%s", answer, s.compose("logs"))
}

// encounter plays one with a delegation and returns the run's ID.
func (s *stack) encounter() string {
	s.t.Helper()
	status, answer := s.request("POST", "/api/request", `{"patient_id":"P-1042","request":"Show records, check billing, and prescribe Lisinopril"}`)
	for _, want := range []string{`"all_tokens_dead":true`, `"delegations":1`, `"outcome":"answered"`} {
		if status != http.StatusOK || !strings.Contains(answer, want) {
			s.t.Errorf("an encounter: %d, without %s", status, want)
		}
	}
	var run struct {
		ID string `json:"run_id"`
	}
	if err := json.Unmarshal([]byte(answer), &run); err != nil {
		s.t.Fatalf("%v: %.300s", err, answer)
	}
	return run.ID
}

// auditEvents returns the number of events in the broker's audit log.
func (s *stack) auditEvents() int {
	s.t.Helper()
	_, answer := s.request("GET", "/api/audit/events?limit=1", "")
	var page struct {
		Total int `json:"total"`
	}
	if err := json.Unmarshal([]byte(answer), &page); err != nil {
		s.t.Fatalf("%v: %.300s", err, answer)
	}
	return page.Total
}

// confined checks a service's process, as the kernel sees it.
func (s *stack) confined(service string) {
	s.t.Helper()
	id := s.container(service)
	pid := s.run("docker", "inspect", "-f", "{{.State.Pid}}", id)
	proc := func(name string) string {
		content, err := os.ReadFile(filepath.Join("/proc", pid, name))
		if err != nil {
			s.t.Fatal(err)
		}
		return string(content)
	}
	status := proc("status")
	for _, want := range []string{"Uid:\t65532\t65532\t65532\t65532\n", "CapEff:\t0000000000000000\n", "CapPrm:\t0000000000000000\n",
		"CapBnd:\t0000000000000000\n", "NoNewPrivs:\t1\n"} {
		if !strings.Contains(status, want) {
			s.t.Errorf("%s: its status lacks %q", service, want)
		}
	}
	if !slices.ContainsFunc(strings.Split(proc("mountinfo"), "\n"), func(line string) bool {
		fields := strings.Fields(line)
		return len(fields) > 5 && fields[4] == "/" && strings.HasPrefix(fields[5], "ro")
	}) {
		s.t.Errorf("%s: its root file system is not read-only", service)
	}
	if limit := s.run("docker", "inspect", "-f", "{{.HostConfig.Memory}}", id); limit != fmt.Sprint(512<<20) {
		s.t.Errorf("%s: its memory limit is %s", service, limit)
	}
}

// The stack of docker-compose.yml: it starts once the broker is healthy, sets
// itself up, plays an encounter through the published port, survives the restart
// of each service, keeps its volumes, is confined, and stops quickly. It needs a
// container engine: scripts/engine.sh starts one.
func TestContainers(t *testing.T) {
	if os.Getenv("MEDASSIST_CONTAINERS") != "required" {
		t.Skip("needs a container engine: run make containers")
	}
	s := &stack{t: t}
	s.buildImages()
	page, broker := freePort(t), freePort(t)
	s.page, s.broker = "http://127.0.0.1:"+page, "http://127.0.0.1:"+broker
	s.env = append(s.env, "MEDASSIST_IMAGE=medassist-test", "AGENTWRIT_IMAGE=medassist-test-broker", "COMPOSE_ANSI=never",
		"AGENTWRIT_ADMIN_SECRET=0e1f2d3c4b5a69788796a5b4c3d2e1f0", "MEDASSIST_PRESENTER_KEY="+presenterKeyOfStack,
		"MEDASSIST_PORT=127.0.0.1:"+page, "AGENTWRIT_HOST_PORT="+broker)
	t.Cleanup(func() { s.compose("down", "-v", "-t", "1") })

	s.compose("up", "-d", "--no-build")
	s.ready()
	first := s.encounter()
	resp, err := http.Get(s.broker + "/v1/health")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("the broker's published port: %s", resp.Status)
	}
	s.confined("broker")
	s.confined("medassist")
	// A service that a signal ends releases its data: exit code 0, within 5 s.
	for _, service := range []string{"broker", "medassist"} {
		id := s.container(service)
		began := time.Now()
		s.compose("stop", service)
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%s took %s to stop", service, took)
		}
		if code := s.run("docker", "inspect", "-f", "{{.State.ExitCode}}", id); code != "0" {
			t.Errorf("%s exited with %s\n%s", service, code, s.compose("logs", service))
		}
		s.compose("start", service)
		s.ready()
		s.encounter()
	}
	events := s.auditEvents()
	s.compose("down")
	s.compose("up", "-d", "--no-build")
	s.ready()
	if status, _ := s.request("GET", "/api/runs/"+first, ""); status != http.StatusOK {
		t.Errorf("the first run is gone: %d", status)
	}
	if kept := s.auditEvents(); kept < events {
		t.Errorf("the audit log had %d events, now %d", events, kept)
	}
	s.encounter()
	t.Logf("%.4000s", s.compose("logs", "--no-color"))
}

// freePort returns a port of this machine that nothing listens on.
func freePort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, port, err := net.SplitHostPort(ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}
