package pgtest

import (
	"context"
	"errors"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/devonartis/medassist-go/internal/random"
)

const databaseTimeout = 30 * time.Second

// A database is one that a test uses, or has used.
type database struct{ admin, name, url string }

func newDatabase(t testing.TB, admin string) database {
	t.Helper()
	u, err := url.Parse(admin)
	if err != nil {
		t.Fatal(err)
	}
	d := database{admin: admin, name: "test_" + random.Hex(8)}
	if err := with(admin, func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, "CREATE DATABASE "+d.name)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + d.name
	d.url = u.String()
	return d
}

// A pool holds empty databases that no test uses. It takes a server several times
// as long to create a database as to empty one.
type pool struct {
	mu        sync.Mutex
	databases []database
}

var unused pool

// take returns an empty database of a server.
func (p *pool) take(t testing.TB, admin string) database {
	t.Helper()
	p.mu.Lock()
	if n := len(p.databases); n > 0 {
		d := p.databases[n-1]
		p.databases = p.databases[:n-1]
		p.mu.Unlock()
		return d
	}
	p.mu.Unlock()
	return newDatabase(t, admin)
}

// giveBack empties a database for another test, or drops one that can't be emptied.
func (p *pool) giveBack(d database) {
	if err := with(d.url, empty); err != nil {
		d.drop()
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.databases = append(p.databases, d)
}

// drop drops the databases, in a server that stays.
func (p *pool) drop() {
	for _, d := range p.databases {
		d.drop()
	}
}

func (d database) drop() {
	_ = with(d.admin, func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, "DROP DATABASE "+d.name+" WITH (FORCE)")
		return err
	})
}

// empty closes all other connections to a database and drops its schemas. It fails
// if the test has changed more than those.
func empty(ctx context.Context, conn *pgx.Conn) error {
	for others := 1; others > 0; {
		if err := conn.QueryRow(ctx, `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
			WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'`).Scan(&others); err != nil {
			return err
		}
		if others > 0 {
			time.Sleep(5 * time.Millisecond)
		}
	}
	var changed bool
	if err := conn.QueryRow(ctx, `SELECT
		EXISTS (SELECT FROM pg_class WHERE relnamespace = 'public'::regnamespace) OR
		EXISTS (SELECT FROM pg_proc WHERE pronamespace = 'public'::regnamespace) OR
		EXISTS (SELECT FROM pg_db_role_setting WHERE setdatabase = d.oid) OR d.datacl IS NOT NULL
		FROM pg_database d WHERE datname = current_database()`).Scan(&changed); err != nil {
		return err
	}
	if changed {
		return errors.New("the test has changed the database's settings or the schema public")
	}
	_, err := conn.Exec(ctx, `DO $$
		DECLARE name text;
		BEGIN
			FOR name IN SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'public') LOOP
				EXECUTE format('DROP SCHEMA %I CASCADE', name);
			END LOOP;
		END $$`)
	return err
}

// with calls f with a connection to a database.
func with(url string, f func(context.Context, *pgx.Conn) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), databaseTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	return f(ctx, conn)
}
