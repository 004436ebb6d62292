package pgtest_test

import (
	"os"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/devonartis/medassist-go/internal/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// A test sees nothing of what another test left in the database before it.
func TestDatabasesAreEmpty(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a server")
	}
	seen := make(map[string]string)
	for _, tc := range []struct{ name, left string }{
		{"a schema", `CREATE SCHEMA s; CREATE TABLE s.t (n INTEGER); CREATE VIEW s.v AS SELECT n FROM s.t`},
		{"a connection", `CREATE SCHEMA "an ""other"; BEGIN; CREATE TABLE "an ""other".t (n INTEGER)`},
		{"a table without a schema", `CREATE TABLE t (n INTEGER)`},
		{"a function without a schema", `CREATE FUNCTION f() RETURNS integer LANGUAGE sql AS 'SELECT 1'`},
		{"a setting", `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path TO s', current_database()); END $$`},
		{"nothing", ``},
	} {
		t.Run(tc.name, func(t *testing.T) {
			url := pgtest.URL(t)
			conn, err := pgx.Connect(t.Context(), url)
			if err != nil {
				t.Fatal(err)
			}
			var found int
			if err := conn.QueryRow(t.Context(), `SELECT
				(SELECT count(*) FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'public')) +
				(SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace) +
				(SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace) +
				(SELECT count(*) FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase WHERE d.datname = current_database()) +
				(SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend') - 1`).Scan(&found); err != nil {
				t.Fatal(err)
			}
			if found != 0 {
				t.Errorf("the database is not empty after %s", seen[url])
			}
			if _, err := conn.Exec(t.Context(), tc.left); err != nil {
				t.Fatal(err)
			}
			seen[url] = tc.name
		})
	}
	if len(seen) != 4 {
		t.Errorf("%d databases, want 4: only one that was emptied is used again", len(seen))
	}
}
