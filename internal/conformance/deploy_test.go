//go:build !race

package conformance

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// A manifest is the part of a Kubernetes object that TestKubernetes checks.
type manifest struct {
	Kind     string
	Metadata struct {
		Name   string
		Labels map[string]string
	}
	Spec struct {
		Selector any
		Ports    []struct {
			Port       int
			TargetPort string `yaml:"targetPort"`
		}
		Template struct {
			Metadata struct{ Labels map[string]string }
			Spec     pod
		}
	}
}

type pod struct {
	SecurityContext struct {
		RunAsNonRoot bool `yaml:"runAsNonRoot"`
		RunAsUser    int  `yaml:"runAsUser"`
	} `yaml:"securityContext"`
	Containers []container
	Volumes    []struct {
		Name                  string
		PersistentVolumeClaim struct {
			ClaimName string `yaml:"claimName"`
		} `yaml:"persistentVolumeClaim"`
	}
}

type container struct {
	Name, Image string
	Env         []struct {
		Name, Value string
		ValueFrom   struct {
			SecretKeyRef struct{ Name, Key string } `yaml:"secretKeyRef"`
		} `yaml:"valueFrom"`
	}
	Ports []struct {
		Name          string
		ContainerPort int `yaml:"containerPort"`
	}
	StartupProbe    map[string]any `yaml:"startupProbe"`
	ReadinessProbe  map[string]any `yaml:"readinessProbe"`
	LivenessProbe   map[string]any `yaml:"livenessProbe"`
	SecurityContext struct {
		AllowPrivilegeEscalation *bool `yaml:"allowPrivilegeEscalation"`
		ReadOnlyRootFilesystem   bool  `yaml:"readOnlyRootFilesystem"`
		Capabilities             struct{ Drop []string }
	} `yaml:"securityContext"`
	Resources struct{ Limits map[string]string }
}

// Each manifest is valid YAML, its objects refer to each other, each container has
// probes and is confined, and no secret is in it.
func TestKubernetes(t *testing.T) {
	checkManifest(t, "medassist.yaml", 2)
	checkManifest(t, "replicas.yaml", 1)
}

// checkManifest checks a manifest with so many deployments, each with a service.
func checkManifest(t *testing.T, name string, deployments int) {
	t.Helper()
	text, err := os.ReadFile("../../deploy/kubernetes/" + name)
	if err != nil {
		t.Fatal(err)
	}
	kinds, claims := map[string]int{}, map[string]bool{}
	apps, ports := map[string]bool{}, map[string]int{} // of the deployments
	var services []manifest
	for decoder := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var m manifest
		err := decoder.Decode(&m)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		kinds[m.Kind]++
		switch m.Kind {
		case "PersistentVolumeClaim":
			claims[m.Metadata.Name] = true
		case "Service":
			services = append(services, m)
		case "Deployment":
			app := m.Spec.Template.Metadata.Labels["app"]
			apps[app] = true
			if m.Spec.Selector.(map[string]any)["matchLabels"].(map[string]any)["app"] != app {
				t.Errorf("%s does not select its pods", m.Metadata.Name)
			}
			checkPod(t, m.Metadata.Name, m.Spec.Template.Spec, claims)
			ports[app] = m.Spec.Template.Spec.Containers[0].Ports[0].ContainerPort
		case "PodDisruptionBudget":
			if app := m.Spec.Selector.(map[string]any)["matchLabels"].(map[string]any)["app"].(string); !apps[app] {
				t.Errorf("the budget of %s is for no deployment", app)
			}
		default:
			t.Errorf("an object of kind %s", m.Kind)
		}
	}
	if kinds["Deployment"] != deployments || len(services) != deployments {
		t.Errorf("%s: objects %v", name, kinds)
	}
	for _, s := range services {
		app := s.Spec.Selector.(map[string]any)["app"].(string)
		if !apps[app] || s.Spec.Ports[0].Port != ports[app] || s.Spec.Ports[0].TargetPort != "http" {
			t.Errorf("service %s leads nowhere", s.Metadata.Name)
		}
	}
}

func checkPod(t *testing.T, name string, p pod, claims map[string]bool) {
	t.Helper()
	if !p.SecurityContext.RunAsNonRoot || p.SecurityContext.RunAsUser != 65532 {
		t.Errorf("%s runs as root, or as another user than its image", name)
	}
	for _, v := range p.Volumes {
		if claim := v.PersistentVolumeClaim.ClaimName; claim != "" && !claims[claim] {
			t.Errorf("%s claims %s, which is not defined before it", name, claim)
		}
	}
	for _, c := range p.Containers {
		if c.StartupProbe == nil || c.ReadinessProbe == nil || c.LivenessProbe == nil {
			t.Errorf("%s lacks a probe", name)
		}
		if s := c.SecurityContext; s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation || !s.ReadOnlyRootFilesystem || strings.Join(s.Capabilities.Drop, "") != "ALL" {
			t.Errorf("%s is not confined: %+v", name, s)
		}
		if c.Resources.Limits["memory"] == "" {
			t.Errorf("%s has no memory limit", name)
		}
		for _, e := range c.Env {
			secret := strings.Contains(e.Name, "SECRET") || strings.Contains(e.Name, "KEY") || e.Name == "MEDASSIST_DATABASE_URL"
			if secret && (e.Value != "" || e.ValueFrom.SecretKeyRef.Name == "" || e.ValueFrom.SecretKeyRef.Key == "") {
				t.Errorf("%s: %s does not come from a secret", name, e.Name)
			}
		}
	}
}

var directive = regexp.MustCompile(`^[A-Z][A-Za-z]+=`)

// The unit has the syntax of one, starts the program unprivileged, and contains no
// secret. systemd checks it too where it is installed.
func TestSystemd(t *testing.T) {
	const file = "../../deploy/systemd/medassist.service"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	sections, section := map[string]string{}, ""
	for line := range strings.Lines(string(text)) {
		switch line = strings.TrimSpace(line); {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "["):
			section = line
		case section == "" || !directive.MatchString(line):
			t.Errorf("not a directive: %s", line)
		default:
			sections[section] += line + "\n"
		}
	}
	if len(sections) != 3 || sections["[Unit]"] == "" || sections["[Install]"] == "" {
		t.Errorf("sections: %v", sections)
	}
	for _, want := range []string{"ExecStart=/usr/local/bin/medassist\n", "DynamicUser=yes\n", "CapabilityBoundingSet=\n", "NoNewPrivileges=yes\n",
		"ProtectSystem=strict\n", "MemoryMax=", "EnvironmentFile=-/etc/medassist.env\n"} {
		if !strings.Contains(sections["[Service]"], want) {
			t.Errorf("the service lacks %s", want)
		}
	}
	if strings.Contains(string(text), "SECRET=") || strings.Contains(string(text), "KEY=") {
		t.Error("the unit contains a secret")
	}
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		return
	}
	// It wants the program to exist.
	unit := filepath.Join(t.TempDir(), "medassist.service")
	installed := strings.Replace(string(text), "/usr/local/bin/medassist", "/bin/true", 1)
	if err := os.WriteFile(unit, []byte(installed), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("systemd-analyze", "verify", "--man=no", unit).CombinedOutput(); err != nil || strings.Contains(string(out), "Unknown") {
		t.Errorf("systemd-analyze: %v\n%s", err, out)
	}
}
