//go:build !race

package conformance

import (
	"debug/elf"
	"errors"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"

	compose "github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

// project loads docker-compose.yml with Compose's own parser.
func project(t *testing.T, profiles []string, env ...string) (*types.Project, error) {
	t.Helper()
	opts, err := compose.NewProjectOptions([]string{"../../docker-compose.yml"}, compose.WithEnv(env), compose.WithProfiles(profiles), compose.WithName("medassist"))
	if err != nil {
		t.Fatal(err)
	}
	return opts.LoadProject(t.Context())
}

// The stack needs an admin secret. It consists of the broker, the check that it is
// healthy, and MedAssist, and of a model server only if the profile is selected.
func TestCompose(t *testing.T) {
	if _, err := project(t, nil); err == nil || !strings.Contains(err.Error(), "AGENTWRIT_ADMIN_SECRET") {
		t.Errorf("without an admin secret: %v", err)
	}
	const secret = "AGENTWRIT_ADMIN_SECRET=a-long-random-string"
	for name, tc := range map[string]struct {
		profiles []string
		want     []string
	}{
		"plain":            {nil, []string{"broker", "broker-healthy", "medassist"}},
		"with local model": {[]string{"ollama"}, []string{"broker", "broker-healthy", "medassist", "ollama"}},
		"with replicas": {[]string{"replicas"}, []string{"balancer", "broker", "broker-a", "broker-b", "broker-healthy", "database",
			"medassist", "medassist-a", "medassist-b"}},
	} {
		p, err := project(t, tc.profiles, secret)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.ServiceNames(); !slices.Equal(got, tc.want) {
			t.Errorf("%s: services %v", name, got)
		}
		for _, s := range p.Services {
			for _, port := range s.Ports {
				if port.HostIP != "127.0.0.1" {
					t.Errorf("%s: %s is published beyond loopback by default: %+v", name, s.Name, port)
				}
			}
			if keeps := s.Name != "broker-healthy" && s.Environment["MEDASSIST_DATABASE_URL"] == nil; keeps != (len(s.Volumes) > 0) {
				t.Errorf("%s: volumes of %s: %+v", name, s.Name, s.Volumes)
			}
		}
		app := p.Services["medassist"]
		for key, want := range map[string]string{"AGENTWRIT_BROKER_URL": "http://broker:8080", "AGENTWRIT_ADMIN_SECRET": "a-long-random-string"} {
			if got := app.Environment[key]; got == nil || *got != want {
				t.Errorf("%s: MedAssist has %s = %v", name, key, got)
			}
		}
		if app.DependsOn["broker-healthy"].Condition != types.ServiceConditionCompletedSuccessfully {
			t.Errorf("%s: MedAssist does not wait for a healthy broker", name)
		}
		for service, port := range map[string]string{"broker": "8080", "medassist": "5000"} {
			if ports := p.Services[service].Ports; len(ports) != 1 || ports[0].Published != port {
				t.Errorf("%s: %s publishes %+v", name, service, ports)
			}
		}
	}
}

// The profile of replicas: starting the balancer starts both brokers and both
// replicas, with the settings that they must have in common, and not the stack
// without a database. The balancer forwards to all of them.
func TestComposeReplicas(t *testing.T) {
	p, err := project(t, []string{"replicas"}, "AGENTWRIT_ADMIN_SECRET=a-long-random-string", "MEDASSIST_DATABASE_PASSWORD=a-password", "MEDASSIST_PRESENTER_KEY=a-key")
	if err != nil {
		t.Fatal(err)
	}
	started := map[string]bool{}
	var start func(name string)
	start = func(name string) {
		started[name] = true
		for other := range p.Services[name].DependsOn {
			start(other)
		}
	}
	start("balancer")
	if want := []string{"balancer", "broker-a", "broker-b", "database", "medassist-a", "medassist-b"}; !slices.Equal(slices.Sorted(maps.Keys(started)), want) {
		t.Errorf("it starts %v", started)
	}
	subnet := p.Networks["replicas"].Ipam.Config[0].Subnet
	caddyfile, err := os.ReadFile("../../deploy/replicas/Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	for name, port := range map[string]string{"broker-a": "8080", "broker-b": "8080", "medassist-a": "5000", "medassist-b": "5000"} {
		s := p.Services[name]
		for key, want := range map[string]string{"AGENTWRIT_ADMIN_SECRET": "a-long-random-string", "PGPASSWORD": "a-password"} {
			if got := s.Environment[key]; got == nil || *got != want {
				t.Errorf("%s has %s = %v", name, key, got)
			}
		}
		trusted := map[string]string{"5000": "MEDASSIST_TRUSTED_PROXIES", "8080": "MEDASSIST_BROKER_TRUSTED_PROXIES"}[port]
		if got := s.Environment[trusted]; got == nil || *got != subnet {
			t.Errorf("%s has %s = %v, and its network is %s", name, trusted, got, subnet)
		}
		// It keeps nothing in the image's volume: down would leave one behind.
		if !slices.Contains(s.Tmpfs, "/data") {
			t.Errorf("%s gets a volume for /data", name)
		}
		if key := s.Environment["MEDASSIST_PRESENTER_KEY"]; port == "5000" && (key == nil || *key != "a-key") {
			t.Errorf("%s has the presenter's key %v", name, key)
		}
		if len(s.Ports) > 0 || !s.ReadOnly || !slices.Contains(s.CapDrop, "ALL") {
			t.Errorf("%s is not confined, or is reached past the balancer", name)
		}
		if !strings.Contains(string(caddyfile), name+":"+port) {
			t.Errorf("the balancer does not know %s", name)
		}
	}
	if ports := p.Services["database"].Ports; len(ports) > 0 {
		t.Errorf("the database is published: %+v", ports)
	}
}

// The steps of the Dockerfile, as far as they work without a container engine: the
// build produces a static binary that passes its own health check. That build takes
// a while, so it is left to make containers.
func TestImage(t *testing.T) {
	if os.Getenv("MEDASSIST_CONTAINERS") == "" {
		t.Skip("compiles every package for the image: run make containers")
	}
	if runtime.GOOS != "linux" {
		t.Skip("the image is for Linux")
	}
	text, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"CGO_ENABLED=0 go build -trimpath", "USER 65532", `CMD ["/medassist", "healthcheck"]`, "MEDASSIST_ADDR=0.0.0.0:5000"} {
		if !strings.Contains(string(text), line) {
			t.Errorf("the Dockerfile lacks: %s", line)
		}
	}
	binary := imageProgram(t)
	f, err := elf.Open(binary)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if libs, err := f.ImportedLibraries(); err != nil || len(libs) > 0 {
		t.Errorf("dynamically linked libraries: %v, %v", libs, err)
	}
	if out, err := exec.CommandContext(t.Context(), binary, "version").Output(); err != nil || !strings.Contains(string(out), "image-test") {
		t.Errorf("version: %s, %v", out, err)
	}
	a := start(t, binary)
	health := exec.CommandContext(t.Context(), binary, "healthcheck", a.page)
	if out, err := health.CombinedOutput(); err != nil {
		t.Errorf("health check: %v\n%s", err, out)
	}
	a.stop(t)
	health = exec.CommandContext(t.Context(), binary, "healthcheck", a.page)
	var exit *exec.ExitError
	if err := health.Run(); !errors.As(err, &exit) {
		t.Errorf("health check of a stopped demo: %v", err)
	}
	if _, err := http.Get(a.page); err == nil {
		t.Error("the stopped demo still responds")
	}
}
