package preflight_test

import (
	"context"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/devonartis/medassist-go/internal/pgtest"
	"github.com/devonartis/medassist-go/preflight"
)

var schemas = []preflight.Schema{{Name: "app", Steps: 1}, {Name: "runs", Steps: 2}}

// database runs the checks of a database and returns their results by name.
func database(t *testing.T, d preflight.Database) map[string]preflight.Result {
	t.Helper()
	d.Schemas = schemas
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	results := map[string]preflight.Result{}
	preflight.Run(ctx, preflight.Config{Database: &d}, func(r preflight.Result) {
		results[r.Name] = r
		if r.Name == "database: connections" {
			cancel() // before the checks of the broker
		}
		if r.State == preflight.Failed && r.Do == "" {
			t.Errorf("%s fails without advice: %s", r.Name, r.Found)
		}
		if strings.Contains(r.Found+r.Do, "a-password") {
			t.Errorf("%s shows the password: %+v", r.Name, r)
		}
	})
	return results
}

// as returns the URL with another user and password.
func as(t *testing.T, address, role string) string {
	t.Helper()
	u := mustParse(t, address)
	u.User = url.UserPassword(role, "a-password")
	return u.String()
}

func mustParse(t *testing.T, address string) *url.URL {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func databaseName(t *testing.T, address string) string {
	t.Helper()
	return strings.TrimPrefix(mustParse(t, address).Path, "/")
}

func execute(t *testing.T, address string, statements ...string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	for _, s := range statements {
		if _, err := conn.Exec(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// A new server of this machine passes every check, and each thing that is wrong
// is found by its own check.
func TestDatabase(t *testing.T) {
	server := pgtest.New(t)
	good := server.Database(t)
	for name, r := range database(t, preflight.Database{URL: good}) {
		if r.State != preflight.OK {
			t.Errorf("%s: %+v", name, r)
		}
	}
	execute(t, server.URL, `CREATE ROLE plain LOGIN`, `CREATE ROLE few LOGIN CONNECTION LIMIT 5`)
	closed := "127.0.0.1:1"
	for name, tc := range map[string]struct {
		before  []string // statements
		role    string
		url     string // instead of a new database
		direct  string
		check   string
		state   preflight.State
		words   string
		skipped bool // the checks after it
	}{
		"a URL that is none":           {url: "a-password:nope", check: "database", state: preflight.Failed, words: "can't be parsed", skipped: true},
		"nobody listens":               {url: "postgres://u:a-password@" + closed + "/x", check: "database", state: preflight.Failed, words: "connect", skipped: true},
		"an unknown role":              {role: "nobody", check: "database", state: preflight.Failed, words: `role "nobody" does not exist`, skipped: true},
		"no right to create":           {role: "plain", check: "database: privileges", state: preflight.Failed, words: "may not create the schemas app, runs"},
		"a schema of somebody else":    {before: []string{`CREATE SCHEMA app`}, role: "plain", check: "database: privileges", state: preflight.Failed, words: "does not own the schemas app"},
		"owns all, may create no more": {before: []string{`CREATE SCHEMA app AUTHORIZATION plain`, `CREATE SCHEMA runs AUTHORIZATION plain`}, role: "plain", check: "database: privileges", state: preflight.Warning, words: "a later version"},
		"a newer schema": {before: []string{`CREATE SCHEMA runs`, `CREATE TABLE runs.migrations (step INTEGER)`, `INSERT INTO runs.migrations VALUES (1), (2), (3)`},
			check: "database: schema", state: preflight.Failed, words: "runs (version 3, this program knows 2)"},
		"an older schema": {before: []string{`CREATE SCHEMA runs`, `CREATE TABLE runs.migrations (step INTEGER)`, `INSERT INTO runs.migrations VALUES (1)`},
			check: "database: schema", state: preflight.OK, words: "updates runs"},
		"commits without a sync": {before: []string{`ALTER ROLE test IN DATABASE %s SET synchronous_commit = off`}, check: "database: durability", state: preflight.Failed, words: "synchronous_commit off"},
		"few connections":        {role: "few", before: []string{`GRANT CREATE ON DATABASE %s TO few`}, check: "database: connections", state: preflight.Warning, words: "are left"},
		"another database":       {direct: good, check: "database: announcements", state: preflight.Failed, words: "another database"},
		"no direct connection":   {direct: "postgres://u:a-password@" + closed + "/x", check: "database: announcements", state: preflight.Failed, words: "connect"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // most of the time the server syncs
			address := tc.url
			if address == "" {
				address = server.Database(t)
				for _, s := range tc.before {
					execute(t, address, strings.ReplaceAll(s, "%s", databaseName(t, address)))
				}
			}
			if tc.role != "" {
				address = as(t, address, tc.role)
			}
			results := database(t, preflight.Database{URL: address, DirectURL: tc.direct})
			if r := results[tc.check]; r.State != tc.state || !strings.Contains(r.Found, tc.words) {
				t.Errorf("%s: %+v", tc.check, r)
			}
			for name, r := range results {
				if skipped := r.State == preflight.Skipped; name != tc.check && skipped != tc.skipped {
					t.Errorf("%s: %+v", name, r)
				}
			}
		})
	}
}

// A server whose synchronous standby is gone stores nothing, and one that does not wait
// for it can lose what it has stored.
func TestSynchronousStandby(t *testing.T) {
	t.Parallel()
	server := pgtest.New(t, "-c", "synchronous_standby_names=gone", "-c", "synchronous_commit=local")
	address := server.Database(t)
	r := database(t, preflight.Database{URL: address})["database: durability"]
	if r.State != preflight.Warning || !strings.Contains(r.Found, "local") {
		t.Errorf("%+v", r)
	}
	u := mustParse(t, address)
	query := u.Query()
	query.Set("synchronous_commit", "on")
	u.RawQuery = query.Encode()
	results := database(t, preflight.Database{URL: u.String()})
	if r := results["database: durability"]; r.State != preflight.Failed || !strings.Contains(r.Found, "no standby") {
		t.Errorf("%+v", r)
	}
	if r := results["database: clock"]; r.State != preflight.OK {
		t.Errorf("a later check: %+v", r)
	}
}

// A server that does not sync is reported.
func TestDatabaseWithoutSync(t *testing.T) {
	if os.Getenv("MEDASSIST_TEST_DATABASE_URL") != "" {
		t.Skip("the server of this test may sync")
	}
	r := database(t, preflight.Database{URL: pgtest.URL(t)})["database: durability"]
	if r.State != preflight.Failed || !strings.Contains(r.Found, "fsync off") {
		t.Errorf("%+v", r)
	}
}

// A pooler in transaction mode needs a direct connection for announcements.
func TestPooler(t *testing.T) {
	direct := pgtest.URL(t)
	for mode, want := range map[string]preflight.State{"session": preflight.OK, "transaction": preflight.Failed} {
		pooled := pgtest.Pooler(t, direct, mode)
		results := database(t, preflight.Database{URL: pooled})
		if r := results["database: announcements"]; r.State != want || !strings.Contains(r.Found, "pooler in "+mode+" mode") {
			t.Errorf("%s: %+v", mode, r)
		}
		if r := results["database: privileges"]; r.State != preflight.OK {
			t.Errorf("%s: %+v", mode, r)
		}
		if r := database(t, preflight.Database{URL: pooled, DirectURL: direct})["database: announcements"]; r.State != preflight.Warning || !strings.Contains(r.Do, "idle_in_transaction") {
			t.Errorf("%s, with a direct URL: %+v", mode, r)
		}
	}
	execute(t, direct, `ALTER ROLE test IN DATABASE `+databaseName(t, direct)+` SET idle_in_transaction_session_timeout = '2s'`)
	r := database(t, preflight.Database{URL: pgtest.Pooler(t, direct, "transaction"), DirectURL: direct})["database: announcements"]
	if r.State != preflight.OK || !strings.Contains(r.Found, "past the pooler") {
		t.Errorf("with a direct URL and a limit: %+v", r)
	}
}
