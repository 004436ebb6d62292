//go:build unix

package main

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/internal/pgtest"
)

// The configurations of load balancers that the repository offers work: a run is
// followed through each of them to its end, while its replica is killed.
func TestReplicasBehindABalancer(t *testing.T) {
	t.Parallel()
	skipProcesses(t)
	for name, start := range map[string]func(*testing.T, string, []string) *exec.Cmd{"caddy": caddy, "nginx": nginx} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pgtest.RequireProgram(t, name)
			database := pgtest.URL(t)
			survivor, killed := startReplica(t, database), startReplica(t, database)
			address := freeAddress(t)
			cmd := start(t, address, []string{strings.TrimPrefix(survivor.Page, "http://"), strings.TrimPrefix(killed.Page, "http://")})
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
			page := &app{T: t, Addresses: Addresses{Page: "http://" + address}, key: replicaKey}
			page.ready(20 * time.Second)
			page.run("P-1042", "Show labs")
			id := killed.runWithLiveAgent()
			viewers := []*follower{follow(t, page.Page, id, 0), follow(t, page.Page, id, 0), follow(t, page.Page, id, 5)}
			page.post("/api/runs/"+id+"/next", "")
			killed.kill()
			r := survivor.runEnded(id, 2*takenOverWithin)
			for _, v := range viewers {
				v.all(t, len(r.Trace))
			}
			page.until(20*time.Second, "the balancer sends everything to the other replica", func() bool {
				for range 4 {
					resp, err := http.Get(page.Page + "/api/runs/" + id)
					if err != nil {
						return false
					}
					resp.Body.Close()
					if resp.StatusCode != http.StatusOK {
						return false
					}
				}
				return true
			})
			page.run("P-1042", "Show labs")
		})
	}
}

// freeAddress returns an address of this machine that nothing listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// caddy returns the command that runs Caddy with the configuration of the profile
// "replicas".
func caddy(t *testing.T, address string, replicas []string) *exec.Cmd {
	t.Helper()
	text, err := os.ReadFile("../../deploy/replicas/Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	pages, _, found := strings.Cut(string(text), "\n:8080 {")
	if !found {
		t.Fatal("the Caddyfile has no brokers")
	}
	pages = strings.NewReplacer("\n:5000 {", "\nhttp://"+address+" {", "medassist-a:5000", replicas[0], "medassist-b:5000", replicas[1]).Replace(pages)
	dir := t.TempDir()
	file := filepath.Join(dir, "Caddyfile")
	if err := os.WriteFile(file, []byte(pages), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("caddy", "run", "--config", file, "--adapter", "caddyfile")
	cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	return cmd
}

var ssl = regexp.MustCompile(`(?m)^ *ssl_.*\n`)

// nginx returns the command that runs nginx with the configuration of the operations
// guide.
func nginx(t *testing.T, address string, replicas []string) *exec.Cmd {
	t.Helper()
	guide, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(guide), "```nginx\nupstream")
	if !found {
		t.Fatal("the guide has no configuration for replicas")
	}
	text, _, _ = strings.Cut("upstream"+text, "```")
	text = strings.NewReplacer("10.0.0.11:5000", replicas[0], "10.0.0.12:5000", replicas[1], "listen 443 ssl;", "listen "+address+";").Replace(ssl.ReplaceAllString(text, ""))
	dir := t.TempDir()
	file := filepath.Join(dir, "nginx.conf")
	paths := ""
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		paths += kind + "_temp_path " + dir + "/" + kind + ";\n"
	}
	text = "daemon off;\nmaster_process off;\npid " + dir + "/pid;\nerror_log " + dir + "/error.log;\nevents {}\nhttp {\naccess_log off;\n" + paths + text + "}\n"
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return exec.Command("nginx", "-c", file)
}
