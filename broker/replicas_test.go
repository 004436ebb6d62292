package broker_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the "pgx" driver
	"golang.org/x/crypto/bcrypt"

	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/broker"
	"github.com/devonartis/medassist-go/internal/pgtest"
)

// The tests of package broker_test pass with two brokers on one PostgreSQL database
// that get the requests in turn. That takes as long as all other tests of the
// package, so it runs only in CI (`make test` with MEDASSIST_POSTGRES=required), and
// where a database is given.
func TestSuiteOnPostgreSQL(t *testing.T) {
	t.Parallel()
	wanted := os.Getenv("MEDASSIST_POSTGRES") == "required" || os.Getenv("MEDASSIST_TEST_DATABASE_URL") != ""
	if testing.Short() || !wanted || os.Getenv(replicasVariable) != "" {
		t.Skip("starts many brokers; set MEDASSIST_POSTGRES=required to run it")
	}
	pgtest.Require(t)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, "-test.short", "-test.run", "^("+strings.Join(externalTests(t), "|")+")$",
		"-test.skip", "Database|Frozen|AtEveryBroker") // which have pairs of their own
	cmd.Env = append(os.Environ(), replicasVariable+"=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// externalTests returns the names of the tests in package broker_test. The others
// start no pair of brokers.
func externalTests(t *testing.T) (names []string) {
	t.Helper()
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(text, []byte("package broker_test\n")) {
			continue
		}
		for _, match := range testName.FindAllSubmatch(text, -1) {
			names = append(names, string(match[1]))
		}
	}
	return names
}

var testName = regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing\.T\)`)

// long reports whether the long forms of these tests are to run (make replicas).
func long() bool { return os.Getenv("MEDASSIST_REPLICAS") == "long" }

// brokers starts n brokers on one database.
func brokers(t testing.TB, url string, n int) []*harness {
	t.Helper()
	var out []*harness
	for range n {
		out = append(out, start(t, broker.Config{Database: url, AdminSecret: childSecret, Clock: time.Now}))
	}
	return out
}

// A revocation that one broker has answered is refused by the other from that
// moment, at each level, and so are a released and a renewed token.
func TestRevocationHoldsAtEveryBroker(t *testing.T) {
	t.Parallel()
	pair := brokers(t, pgtest.URL(t), 2)
	admin := pair[0].admin()
	clinic := pair[0].newApp(admin, "clinic", "read:records:*")
	rounds := 100
	switch {
	case long():
		rounds = 1000
	case testing.Short():
		rounds = 40
	}
	var wg sync.WaitGroup
	for worker := range 5 {
		wg.Go(func() {
			for i := range rounds / 5 {
				n := worker*1000 + i
				a, b := pair[n%2], pair[(n+1)%2]
				agent := a.newAgent(clinic, fmt.Sprint("t", n), "read:records:p1")
				claims := b.mustBeValid("a token from the other broker", agent.token)
				if claims == nil {
					return
				}
				switch n % 5 {
				case 0:
					b.want(204, "POST", "/v1/token/release", agent.token, nil, nil)
				case 1:
					b.renew(agent)
				case 2:
					b.revoke(admin, wire.RevokeToken, claims.ID)
				case 3:
					b.revoke(admin, wire.RevokeAgent, agent.id)
				case 4:
					b.revoke(admin, wire.RevokeTask, fmt.Sprint("t", n))
				}
				if a.claims(agent.token) != nil {
					t.Errorf("ended at one broker (%d), still valid at the other", n%5)
				}
			}
		})
	}
	wg.Wait()
	checkOneChain(t, pair[1], admin)
}

// checkOneChain checks the hashes of the audit log over all pages.
func checkOneChain(t *testing.T, h *harness, admin string) {
	t.Helper()
	var chain wire.Chain
	for {
		var page wire.AuditPage
		h.want(200, "GET", fmt.Sprintf("/v1/audit/events?limit=1000&offset=%d", chain.Size), admin, nil, &page)
		for _, e := range page.Events {
			if err := chain.Add(e); err != nil {
				t.Fatal(err)
			}
		}
		if len(page.Events) == 0 {
			return
		}
	}
}

// A broker that was frozen while a token was revoked does not accept it when it
// runs again; the revocation is answered after the frozen broker's lease.
func TestFrozenBroker(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	awake := brokers(t, url, 1)[0]
	frozen := startChild(t, url)
	admin := awake.admin()
	clinic := awake.newApp(admin, "clinic", "read:records:*")
	a := awake.newAgent(clinic, "t", "read:records:p1")
	frozen.mustBeValid("before", a.token)
	stop := make(chan struct{})
	var load sync.WaitGroup
	for range 4 { // so that it is probably frozen in the middle of a transaction
		load.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					tryRegistration(frozen.harness, clinic)
				}
			}
		})
	}
	defer load.Wait()
	defer close(stop)
	time.Sleep(100 * time.Millisecond)

	if err := frozen.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	awake.revoke(admin, wire.RevokeAgent, a.id)
	if took := time.Since(began); took > 6*time.Second {
		t.Errorf("the revocation took %v", took)
	}
	if err := frozen.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	refused := 0
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		got := frozen.call("POST", "/v1/token/validate", "", wire.ValidateRequest{Token: a.token})
		var out wire.ValidateResponse
		switch {
		case got.status == 503:
		case got.status == 200:
			got.into(t, &out)
			if out.Valid {
				t.Fatal("the frozen broker accepts the token after the revocation was answered")
			}
			refused++
		default:
			t.Fatalf("validate = %d %s", got.status, got.body)
		}
		if refused == 5 {
			return
		}
	}
	t.Error("the broker does not come back")
}

// What was acknowledged survives crashes of the database; brokers answer 503
// while it is away and work again when it is back. In the long form the brokers are
// processes that are killed too: one while the database works, one with it.
func TestDatabaseCrash(t *testing.T) {
	t.Parallel()
	server := pgtest.New(t)
	url := server.Database(t)
	crashes, writes := 3, int64(100)
	switch {
	case long():
		crashes, writes = 10, 1000
	case testing.Short():
		crashes = 1
	}
	var pair [2]atomic.Pointer[harness]
	var processes [2]*child // in the long form
	begin := func(i int) {
		if !long() {
			pair[i].Store(brokers(t, url, 1)[0])
			return
		}
		processes[i] = startChild(t, url)
		pair[i].Store(processes[i].harness)
	}
	begin(0)
	begin(1)
	var auth wire.AuthResponse
	pair[0].Load().want(200, "POST", "/v1/admin/auth", "", wire.AdminAuthRequest{Secret: childSecret}, &auth)
	admin := auth.AccessToken
	clinic := pair[0].Load().newApp(admin, "clinic", "read:records:*")
	var mu sync.Mutex
	acknowledged := make(map[string]bool) // agent IDs
	for round := range crashes {
		stop := make(chan struct{})
		var wg sync.WaitGroup
		var n atomic.Int64
		for worker := range 8 {
			wg.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					if id := tryRegistration(pair[worker%2].Load(), clinic); id != "" {
						mu.Lock()
						acknowledged[id] = true
						mu.Unlock()
						n.Add(1)
					}
				}
			})
		}
		confirmed := func(writes int64) {
			for n.Load() < writes {
				time.Sleep(time.Millisecond)
			}
		}
		first, second := round%2, (round+1)%2
		if long() {
			confirmed(writes / 2)
			processes[first].kill()
			begin(first)
		}
		confirmed(writes)
		var crashed sync.WaitGroup
		crashed.Go(server.Crash)
		if long() {
			crashed.Go(processes[second].kill)
		}
		crashed.Wait()
		close(stop)
		wg.Wait()
		if err := server.Run(); err != nil {
			t.Fatal(err)
		}
		if long() {
			begin(second)
		}
		for i := range pair {
			waitUntil(t, "a broker works again", func() bool { return tryRegistration(pair[i].Load(), clinic) != "" })
		}
	}
	stored := make(map[string]bool)
	for offset := 0; ; offset += 1000 {
		var page wire.AuditPage
		pair[0].Load().want(200, "GET", fmt.Sprintf("/v1/audit/events?limit=1000&event_type=agent_registered&offset=%d", offset), admin, nil, &page)
		for _, e := range page.Events {
			stored[e.AgentID] = true
		}
		if len(page.Events) == 0 {
			break
		}
	}
	for id := range acknowledged {
		if !stored[id] {
			t.Errorf("%s was acknowledged and is lost", id)
		}
	}
	t.Logf("%d registrations acknowledged over %d crashes of the database", len(acknowledged), crashes)
	checkOneChain(t, pair[1].Load(), admin)
}

// tryRegistration registers an agent and returns its ID, or "" if that failed.
func tryRegistration(h *harness, a app) string {
	var launch wire.LaunchTokenResponse
	var challenge wire.Challenge
	var out wire.RegisterResponse
	scope := []string{"read:records:p1"}
	if !h.tryInto("POST", byApp, a.token, wire.LaunchTokenRequest{AgentName: "test/agent", AllowedScope: scope}, &launch) ||
		!h.tryInto("GET", "/v1/challenge", "", nil, &challenge) {
		return ""
	}
	in := proof(h.t, challenge.Nonce)
	in.LaunchToken, in.RequestedScope = launch.LaunchToken, scope
	if !h.tryInto("POST", "/v1/register", "", in, &out) {
		return ""
	}
	return out.AgentID
}

func (h *harness) tryInto(method, path, bearer string, body, out any) bool {
	got, err := h.try(method, path, bearer, body)
	if err != nil || got.status/100 != 2 {
		return false
	}
	got.into(h.t, out)
	return true
}

func waitUntil(t testing.TB, what string, true func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !true(); {
		if time.Now().After(deadline) {
			t.Fatalf("timed out: %s", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// A broker without its database answers nothing from memory once its lease is over.
func TestDatabaseAway(t *testing.T) {
	t.Parallel()
	server := pgtest.New(t, "-c", "fsync=off")
	h := brokers(t, server.Database(t), 1)[0]
	admin := h.admin()
	a := h.newAgent(h.newApp(admin, "clinic", "read:records:*"), "t", "read:records:p1")
	server.Crash()
	waitUntil(t, "503 for a validation", func() bool {
		return h.call("POST", "/v1/token/validate", "", wire.ValidateRequest{Token: a.token}).status == 503
	})
	if _, status := h.health(); status != 503 {
		t.Errorf("health = %d, want 503", status)
	}
	if got := h.call("POST", "/v1/token/renew", a.token, nil); got.status != 503 {
		t.Errorf("renew = %d, want 503", got.status)
	}
	if err := server.Run("-c", "fsync=off"); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, "health", func() bool { _, status := h.health(); return status == 200 })
	waitUntil(t, "a valid token", func() bool {
		return h.call("POST", "/v1/token/validate", "", wire.ValidateRequest{Token: a.token}).status == 200
	})
	h.mustBeValid("the token from before", a.token)
}

func TestSharedDatabaseIsRefused(t *testing.T) {
	url := pgtest.URL(t)
	first := broker.Config{Database: url, AdminSecret: childSecret, SecretCost: bcrypt.MinCost}
	open(t, first).Close()
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, tt := range []struct {
		name   string
		edit   func(*broker.Config)
		before string
		want   string
	}{
		{"no admin secret", func(c *broker.Config) { c.AdminSecret = "" }, "", "admin secret"},
		{"another admin secret", func(c *broker.Config) { c.AdminSecret = strings.Repeat("another secret ", 3) }, "", "another admin secret"},
		{"not a URL", func(c *broker.Config) { c.Database = "postgres://user:hunter22@[bad" }, "", "want postgres://"},
		{"a newer schema", func(*broker.Config) {}, "INSERT INTO broker.migrations VALUES (1000)", "newer version"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.before != "" {
				if _, err := db.Exec(tt.before); err != nil {
					t.Fatal(err)
				}
			}
			cfg := first
			tt.edit(&cfg)
			b, err := broker.Open(context.Background(), cfg)
			if err == nil {
				b.Close()
				t.Fatal("it opens")
			}
			if !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter22") {
				t.Errorf("err = %v, want it to say %q and no password", err, tt.want)
			}
		})
	}
}
