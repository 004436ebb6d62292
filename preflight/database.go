package preflight

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/devonartis/medassist-go/internal/postgres"
	"github.com/devonartis/medassist-go/internal/random"
)

// A Database is the PostgreSQL database that replicas share.
type Database struct {
	URL       string
	DirectURL string // past a pooler; URL if empty
	Schemas   []Schema
}

// A Schema is one that this program uses.
type Schema struct {
	Name  string
	Steps int // that this program knows
}

// oldestServer is the oldest supported version of PostgreSQL, as it numbers them.
const oldestServer = 14_00_00

// perReplica is the most connections that a replica with an embedded broker opens.
const perReplica = 16

const (
	announcedWithin = 2 * time.Second
	confirmedWithin = 2 * time.Second // by a synchronous standby
)

const readServerLog = "Look at the log of the database server."

// databaseChecks are made first, if there is a database.
var databaseChecks = []check{
	{"database", eachTimeout, (*examination).database},
	{"database: privileges", eachTimeout, connected((*examination).privileges)},
	{"database: schema", eachTimeout, connected((*examination).schemas)},
	{"database: durability", eachTimeout, connected((*examination).durability)},
	{"database: announcements", eachTimeout, connected((*examination).announcements)},
	{"database: clock", eachTimeout, connected((*examination).databaseClock)},
	{"database: connections", eachTimeout, connected((*examination).connections)},
}

// database connects and looks at the server. The other checks use the connection.
func (x *examination) database(ctx context.Context) Result {
	conn, err := connectDatabase(ctx, x.Database.URL)
	if err != nil {
		return failed(describeDatabase(err), "Check MEDASSIST_DATABASE_URL, and that the server accepts connections from here.")
	}
	r := usable(ctx, conn)
	if r.State != OK {
		_ = conn.Close(ctx) // it was only read from
		return r
	}
	x.conn = conn
	return r
}

// usable checks what no privilege and no setting could repair.
func usable(ctx context.Context, conn *pgx.Conn) Result {
	var number int
	var version, encoding string
	var standby bool
	err := conn.QueryRow(ctx, `SELECT current_setting('server_version_num')::int, current_setting('server_version'),
		current_setting('server_encoding'), pg_is_in_recovery()`).Scan(&number, &version, &encoding, &standby)
	switch {
	case err != nil:
		return failed(describeDatabase(err), readServerLog)
	case number < oldestServer:
		return failed("PostgreSQL "+version, fmt.Sprintf("Use version %d or newer.", oldestServer/10_000))
	case standby:
		return failed("the server is a standby, which can't be written to", "Use the URL of the primary, or add target_session_attrs=read-write to one that lists several hosts.")
	case encoding != "UTF8":
		return failed("the database's encoding is "+encoding, "Create it with ENCODING 'UTF8'.")
	}
	return passed("PostgreSQL " + version)
}

// connected returns a check that is skipped without a connection to the database.
func connected(look func(*examination, context.Context) Result) func(*examination, context.Context) Result {
	return func(x *examination, ctx context.Context) Result {
		if x.conn == nil {
			return skipped("the database can't be used", "")
		}
		return look(x, ctx)
	}
}

// privileges checks that the role may use the schemas, or create them.
func (x *examination) privileges(ctx context.Context) Result {
	var role string
	var create bool
	if err := x.conn.QueryRow(ctx, `SELECT current_user, has_database_privilege(current_database(), 'CREATE')`).Scan(&role, &create); err != nil {
		return failed(describeDatabase(err), readServerLog)
	}
	var lacking, missing []string
	for _, s := range x.Database.Schemas {
		var owned bool
		err := x.conn.QueryRow(ctx, `SELECT pg_has_role(nspowner, 'USAGE') FROM pg_namespace WHERE nspname = $1`, s.Name).Scan(&owned)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			missing = append(missing, s.Name)
		case err != nil:
			return failed(describeDatabase(err), readServerLog)
		case !owned:
			lacking = append(lacking, s.Name)
		}
	}
	grant := fmt.Sprintf("As its owner: GRANT CREATE ON DATABASE … TO %s.", pgx.Identifier{role}.Sanitize())
	switch {
	case len(lacking) > 0:
		return failed(role+" does not own the schemas "+strings.Join(lacking, ", "), "Let all replicas use the role that created them.")
	case !create && len(missing) > 0:
		return failed(role+" may not create the schemas "+strings.Join(missing, ", "), grant)
	case !create:
		return warning(role+" may not create schemas, which a later version could need", grant)
	}
	return passed(role + " may create and use the schemas")
}

// schemas checks that no schema was written by a newer program.
func (x *examination) schemas(ctx context.Context) Result {
	var newer, older []string
	found := 0
	for _, s := range x.Database.Schemas {
		version, err := postgres.Version(ctx, x.conn, s.Name)
		switch {
		case err != nil:
			return failed(describeDatabase(err), readServerLog)
		case version > s.Steps:
			newer = append(newer, fmt.Sprintf("%s (version %d, this program knows %d)", s.Name, version, s.Steps))
		case version > 0 && version < s.Steps:
			older = append(older, s.Name)
		}
		if version > 0 {
			found++
		}
	}
	switch {
	case len(newer) > 0:
		return failed("written by a newer version of this program: "+strings.Join(newer, ", "), "Upgrade this program.")
	case len(older) > 0:
		return passed("the next start updates " + strings.Join(older, ", "))
	case found < len(x.Database.Schemas):
		return passed("the next start creates what is missing")
	}
	return passed("this program's version")
}

// durability checks the settings without which a crash loses what was confirmed.
func (x *examination) durability(ctx context.Context) Result {
	var off []string
	for _, name := range []string{"fsync", "full_page_writes", "synchronous_commit"} {
		var value string
		if err := x.conn.QueryRow(ctx, `SELECT current_setting($1)`, name).Scan(&value); err != nil {
			return failed(describeDatabase(err), readServerLog)
		}
		if value == "off" {
			off = append(off, name)
		}
	}
	if len(off) > 0 {
		return failed(strings.Join(off, ", ")+" off: a crash can lose confirmed revocations, or damage the database", "Turn them on, for the server and for this role and database.")
	}
	var standbys string
	if err := x.conn.QueryRow(ctx, `SELECT current_setting('synchronous_standby_names')`).Scan(&standbys); err != nil {
		return failed(describeDatabase(err), readServerLog)
	}
	var waits string
	if err := x.conn.QueryRow(ctx, `SELECT current_setting('synchronous_commit')`).Scan(&waits); err != nil {
		return failed(describeDatabase(err), readServerLog)
	}
	switch {
	case standbys == "":
		return passed("a crash loses nothing; without a synchronous standby, a failover can")
	case waits == "local":
		return warning("synchronous_commit is local: a failover can lose confirmed revocations", "Set it to on, for the server and for this role and database.")
	}
	return x.standbyConfirms(ctx)
}

// standbyConfirms checks that a commit does not wait for a standby that is gone. The
// commit writes a message to the write-ahead log and changes nothing.
func (x *examination) standbyConfirms(ctx context.Context) Result {
	conn, err := connectDatabase(ctx, x.Database.URL)
	if err != nil {
		return failed(describeDatabase(err), readServerLog)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	waiting, cancel := context.WithTimeout(ctx, confirmedWithin)
	defer cancel()
	switch _, err := conn.Exec(waiting, `SELECT pg_logical_emit_message(true, 'medassist', '')`); {
	case err != nil && waiting.Err() == nil:
		return failed(describeDatabase(err), readServerLog)
	case err != nil:
		return failed("no standby confirms commits, so nothing can be stored", "Start the standby that synchronous_standby_names lists, or remove it from there and reload the server.")
	}
	return passed("neither a crash nor a failover loses what was confirmed")
}

// announcements sends one, as replicas do. Through a pooler in transaction mode
// it never arrives.
func (x *examination) announcements(ctx context.Context) Result {
	direct := "MEDASSIST_DATABASE_DIRECT_URL"
	url := x.Database.DirectURL
	if url == "" {
		direct, url = "MEDASSIST_DATABASE_URL", x.Database.URL
	}
	listener, err := connectDatabase(ctx, url)
	if err != nil {
		return failed(describeDatabase(err), "Check "+direct+".")
	}
	defer func() { _ = listener.Close(context.WithoutCancel(ctx)) }()
	same, err := sameDatabase(ctx, x.conn, listener)
	switch {
	case err != nil:
		return failed(describeDatabase(err), readServerLog)
	case !same:
		return failed("MEDASSIST_DATABASE_DIRECT_URL is another database than MEDASSIST_DATABASE_URL", "Both must lead to the same one.")
	}
	channel := "preflight_" + random.Hex(8)
	if _, err := listener.Exec(ctx, "LISTEN "+channel); err != nil {
		return failed(describeDatabase(err), readServerLog)
	}
	start := time.Now()
	if _, err := x.conn.Exec(ctx, "SELECT pg_notify($1, '')", channel); err != nil {
		return failed(describeDatabase(err), readServerLog)
	}
	waiting, cancel := context.WithTimeout(ctx, announcedWithin)
	defer cancel()
	switch _, err := listener.WaitForNotification(waiting); {
	case err != nil && waiting.Err() == nil:
		return failed(describeDatabase(err), readServerLog)
	case err != nil:
		return failed("an announcement did not arrive: a pooler in transaction mode is in between", "Set MEDASSIST_DATABASE_DIRECT_URL to the address of the server itself.")
	}
	arrived := fmt.Sprintf("arrived after %s", round(time.Since(start)))
	switch pooled, limited, err := pooled(ctx, x.conn); {
	case err != nil:
		return failed(describeDatabase(err), readServerLog)
	case !pooled:
		return passed(arrived)
	case x.Database.DirectURL == "":
		return passed(arrived + ", through a pooler in session mode")
	case !limited:
		return warning(arrived+"; behind the pooler, the transactions of a frozen replica don't end",
			"As the owner of the role: ALTER ROLE … SET idle_in_transaction_session_timeout = '2s'. Then restart the pooler.")
	}
	return passed(arrived + ", past the pooler")
}

// pooled reports whether a pooler is in between, which has process IDs of its own,
// and whether the server limits how long a transaction waits for its client. A
// replica limits it for its sessions, but a session of the pooler's is not its own.
func pooled(ctx context.Context, conn *pgx.Conn) (pooled, limited bool, err error) {
	var server uint32
	var limit string
	err = conn.QueryRow(ctx, `SELECT pg_backend_pid(), current_setting('idle_in_transaction_session_timeout')`).Scan(&server, &limit)
	return server != conn.PgConn().PID(), limit != "0", err
}

// sameDatabase reports whether both connections use one database of one server.
func sameDatabase(ctx context.Context, a, b *pgx.Conn) (bool, error) {
	var known [2]string
	for i, conn := range []*pgx.Conn{a, b} {
		err := conn.QueryRow(ctx, `SELECT pg_postmaster_start_time()::text || ' ' || oid FROM pg_database WHERE datname = current_database()`).Scan(&known[i])
		if err != nil {
			return false, err
		}
	}
	return known[0] == known[1], nil
}

// databaseClock compares the server's clock and ours.
func (x *examination) databaseClock(ctx context.Context) Result {
	var theirs time.Time
	before := x.Clock()
	if err := x.conn.QueryRow(ctx, `SELECT clock_timestamp()`).Scan(&theirs); err != nil {
		return failed(describeDatabase(err), readServerLog)
	}
	after := x.Clock()
	skew := theirs.Sub(before.Add(after.Sub(before) / 2))
	if skew.Abs() > maxSkew {
		return warning(fmt.Sprintf("the database's clock is off by %s", skew.Round(time.Second)),
			"Synchronize both machines with NTP. Leases between replicas don't depend on it, but the broker's time follows the fastest clock.")
	}
	return passed("the database's clock and this machine's agree")
}

// connections counts how many are left for the role.
func (x *examination) connections(ctx context.Context) Result {
	var left int
	err := x.conn.QueryRow(ctx, `SELECT least(
		current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int - (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
		(SELECT CASE WHEN datconnlimit < 0 THEN 2147483647 ELSE datconnlimit - (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()) END FROM pg_database WHERE datname = current_database()),
		(SELECT CASE WHEN rolconnlimit < 0 THEN 2147483647 ELSE rolconnlimit - (SELECT count(*) FROM pg_stat_activity WHERE usename = current_user) END FROM pg_roles WHERE rolname = current_user)
	)`).Scan(&left)
	if err != nil {
		return failed(describeDatabase(err), readServerLog)
	}
	found := strconv.Itoa(max(left, 0)) + " are left; a replica uses up to " + strconv.Itoa(perReplica)
	if left < perReplica {
		return warning(found, "Raise max_connections, or the limit of the role or the database, or put a pooler in between.")
	}
	return passed(found)
}

// connectDatabase connects in a way that a pooler in transaction mode allows.
func connectDatabase(ctx context.Context, url string) (*pgx.Conn, error) {
	_, config, err := postgres.Parse(url, "")
	if err != nil {
		return nil, err
	}
	config.DefaultQueryExecMode = pgx.QueryExecModeExec
	return pgx.ConnectConfig(ctx, config)
}

// describeDatabase returns an error's text for people, without the URL's user and
// host.
func describeDatabase(err error) string {
	var server *pgconn.PgError
	var connect *pgconn.ConnectError
	switch {
	case errors.As(err, &server):
		return server.Message
	case errors.As(err, &connect):
		return "can't connect: " + connect.Unwrap().Error()
	}
	return err.Error()
}
