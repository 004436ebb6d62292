package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"golang.org/x/crypto/bcrypt"

	"github.com/devonartis/medassist-go/agentwrit/brokertest"
	"github.com/devonartis/medassist-go/internal/cluster"
	"github.com/devonartis/medassist-go/internal/pgtest"
	"github.com/devonartis/medassist-go/setup"
)

func joinCluster(t *testing.T, database, secret string) *cluster.Cluster {
	t.Helper()
	c, err := cluster.Open(t.Context(), cluster.Config{URL: database, Secret: secret, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// Replicas that start together make each shared value once, and all of them get it.
func TestSharedCredentialsAreMadeOnce(t *testing.T) {
	database := pgtest.URL(t)
	pair := []*cluster.Cluster{joinCluster(t, database, adminSecret), joinCluster(t, database, adminSecret)}
	var made atomic.Int64
	var mu sync.Mutex
	keys, clients := map[string]bool{}, map[string]bool{}
	var wg sync.WaitGroup
	for i := range 8 {
		replicas := pair[i%2]
		wg.Go(func() {
			key, err := sharedRandom(t.Context(), replicas, "key", 12)
			if err != nil || len(key) != 24 {
				t.Errorf("key %q, %v", key, err)
			}
			found, err := newCredentialStore(Config{}, replicas, nil).update(t.Context(), func(stored setup.Credentials) (setup.Credentials, error) {
				if stored.ClientID == "" {
					made.Add(1)
					stored = setup.Credentials{ClientID: "id", ClientSecret: "a-secret"}
				}
				return stored, nil
			})
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			keys[key], clients[found.ClientSecret] = true, true
		})
	}
	wg.Wait()
	if made.Load() != 1 || len(keys) != 1 || len(clients) != 1 || !clients["a-secret"] {
		t.Errorf("made %d times; %d keys, credentials %v", made.Load(), len(keys), clients)
	}
	value, _, err := pair[0].Load(t.Context(), "credentials")
	if err != nil || bytes.Contains(value, []byte("a-secret")) {
		t.Errorf("the credentials are stored as %q, %v", value, err)
	}
	// A failure stores nothing, and keeps nobody waiting.
	broken := errors.New("broken")
	if err := updateShared(t.Context(), pair[0], "key", func([]byte) ([]byte, error) { return nil, broken }); !errors.Is(err, broken) {
		t.Errorf("a failure: %v", err)
	}
	if key, err := sharedRandom(t.Context(), pair[1], "key", 12); err != nil || !keys[key] {
		t.Errorf("after a failure: %q, %v", key, err)
	}
	if _, err := sharedRandom(t.Context(), joinCluster(t, database, "another secret"), "key", 12); err == nil || !strings.Contains(err.Error(), "different secrets") {
		t.Errorf("with another secret: %v", err)
	}
}

// The login of one replica is used by the others.
func TestSharedSession(t *testing.T) {
	database := pgtest.URL(t)
	var log bytes.Buffer
	session := func(c *cluster.Cluster) sharedSession {
		return sharedSession{c, "session", slog.New(slog.NewTextHandler(&log, nil))}
	}
	a, b := session(joinCluster(t, database, adminSecret)), session(joinCluster(t, database, adminSecret))
	if got := a.Load(t.Context()); got != nil {
		t.Errorf("at first: %q", got)
	}
	for _, text := range []string{"one", "two"} {
		a.Save(t.Context(), []byte(text))
		if got := b.Load(t.Context()); string(got) != text {
			t.Errorf("the other replica has %q, want %q", got, text)
		}
	}
	if log.Len() > 0 {
		t.Errorf("log: %s", log.String())
	}
	if got := session(joinCluster(t, database, "another secret")).Load(t.Context()); got != nil || !strings.Contains(log.String(), "level=WARN") {
		t.Errorf("with another secret: %q, log %q", got, log.String())
	}
}

const replicaKey = "correct horse battery"

// onDatabase configures a replica.
func onDatabase(database string) func(*Config) {
	return func(c *Config) { c.Ephemeral, c.Database = false, database }
}

// Two replicas are one app at their broker, and the presenter is logged in at both.
func TestReplicasShareAppAndPresenter(t *testing.T) {
	t.Parallel()
	b := brokertest.Start(t)
	for name, change := range map[string]func(*Config){
		"embedded brokers": func(*Config) {},
		"a remote broker":  func(c *Config) { c.BrokerURL, c.AdminSecret = b.URL, b.AdminSecret },
	} {
		t.Run(name, func(t *testing.T) {
			database := pgtest.URL(t)
			secret := func(c *Config) { c.PresenterKey = replicaKey }
			first, second := startApp(t, onDatabase(database), change, secret), startApp(t, onDatabase(database), change, secret)
			admin := first.admin()
			if name != "embedded brokers" {
				admin = b.Admin(t)
			}
			if apps, err := admin.Apps(t.Context()); err != nil || len(apps) != 1 {
				t.Errorf("registered %+v, %v", apps, err)
			}
			client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
			resp, err := client.Get(first.Page + "/?key=" + url.QueryEscape(replicaKey))
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if len(resp.Cookies()) == 0 {
				t.Fatal("no cookie of the presenter")
			}
			req, err := http.NewRequest("POST", second.Page+"/api/request", strings.NewReader(`{"patient_id":"P-1042","request":"`+fullRequest+`"}`))
			if err != nil {
				t.Fatal(err)
			}
			req.AddCookie(resp.Cookies()[0])
			req.Header.Set("Content-Type", "application/json")
			answer, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			if text, _ := io.ReadAll(answer.Body); answer.StatusCode != 200 || !strings.Contains(string(text), `"all_tokens_dead":true`) {
				t.Errorf("a run at the other replica: %s %.300s", answer.Status, text)
			}
		})
	}
}

// Settings that contradict each other, or can't work, are refused at start. They
// leave nothing in the database that would keep others from working.
func TestReplicaRefusesToStart(t *testing.T) {
	t.Parallel()
	database, used := pgtest.URL(t), pgtest.URL(t)
	startApp(t, onDatabase(used))
	for name, tc := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"in memory":            {func(c *Config) { c.Database, c.Ephemeral = database, true }, "only one of them"},
		"without a secret":     {func(c *Config) { c.Database, c.AdminSecret = database, "" }, "AGENTWRIT_ADMIN_SECRET"},
		"only the direct URL":  {func(c *Config) { c.DatabaseDirect = database }, "goes with MEDASSIST_DATABASE_URL"},
		"not a URL":            {func(c *Config) { c.Database = "hunter2:nope" }, "can't be parsed"},
		"no server":            {func(c *Config) { c.Database = "postgres://u:hunter2@127.0.0.1:1/x" }, "connect"},
		"a weak admin secret":  {func(c *Config) { c.Database, c.AdminSecret = database, "aaaaaaaaaaaaaaaaaaaaaaaa" }, "weak admin secret"},
		"another admin secret": {func(c *Config) { c.Database, c.AdminSecret = used, "another-admin-secret-9174" }, "secret"},
		"an unusable folder":   {func(c *Config) { c.Database, c.Data = database, "/nonexistent/folder" }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := Config{Addr: "127.0.0.1:0", BrokerAddr: "127.0.0.1:0", AdminSecret: adminSecret, LogLevel: "error", secretCost: bcrypt.MinCost}
			tc.change(&cfg)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			cfg.ready = func(Addresses) { cancel() }
			err := Run(ctx, cfg, stdio{io.Discard, io.Discard})
			if (err == nil) != (tc.want == "") || err != nil && (!strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "hunter2")) {
				t.Errorf("%v, want %q", err, tc.want)
			}
		})
	}
	startApp(t, onDatabase(database))
}

// doctor knows every schema that a replica creates, and changes nothing.
func TestDoctorOfReplicas(t *testing.T) {
	t.Parallel()
	skipProcesses(t)
	database := pgtest.URL(t)
	doctor := func() string {
		cmd := exec.CommandContext(t.Context(), "medassist", "doctor")
		cmd.Dir = t.TempDir()
		cmd.Env = append(os.Environ(), "MEDASSIST_DATABASE_URL="+database, "AGENTWRIT_ADMIN_SECRET="+adminSecret, "MEDASSIST_PRESENTER_KEY="+replicaKey)
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != exitCheckFailed || !strings.Contains(string(out), "fsync")) {
			t.Errorf("doctor: %v\n%s", err, out)
		}
		return string(out)
	}
	created := func() map[string]int {
		replicas := joinCluster(t, database, adminSecret)
		defer replicas.Close()
		rows, err := replicas.Pool().Query(t.Context(), `SELECT table_schema FROM information_schema.tables WHERE table_name = 'migrations'`)
		if err != nil {
			t.Fatal(err)
		}
		names, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]int{}
		for _, name := range names {
			var version int
			if err := replicas.Pool().QueryRow(t.Context(), `SELECT count(*) FROM `+name+`.migrations`).Scan(&version); err != nil {
				t.Fatal(err)
			}
			found[name] = version
		}
		return found
	}
	if out := doctor(); !strings.Contains(out, "✓ database: schema") || !strings.Contains(out, "creates what is missing") {
		t.Errorf("before the first start:\n%s", out)
	}
	if found := created(); len(found) != 1 { // by the connection of this test
		t.Errorf("doctor has created %v", found)
	}
	startApp(t, onDatabase(database))
	if out := doctor(); !strings.Contains(out, "this program's version") || !strings.Contains(out, "✓ audit chain") {
		t.Errorf("beside a replica:\n%s", out)
	}
	known := map[string]int{}
	for _, s := range schemas() {
		known[s.Name] = s.Steps
	}
	if found := created(); !maps.Equal(found, known) {
		t.Errorf("schemas %v, doctor knows %v", found, known)
	}
}
