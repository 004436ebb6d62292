package sqlite

// migrations are the steps of the schema, for sqlitedb.Migrate.
//
// Times are Unix nanoseconds, scopes are joined by a space (which no scope may
// contain), hashes are raw bytes. The tables with random keys are WITHOUT ROWID:
// one B-tree each instead of a table and an index.
var migrations = []string{
	`CREATE TABLE meta (
		name  TEXT PRIMARY KEY,
		value TEXT NOT NULL
	) STRICT;

	CREATE TABLE apps (
		app_id          TEXT PRIMARY KEY,
		name            TEXT NOT NULL,
		client_id       TEXT NOT NULL UNIQUE,
		secret_hash     BLOB NOT NULL,
		scopes          TEXT NOT NULL,
		token_ttl       INTEGER NOT NULL,
		created_at      INTEGER NOT NULL,
		updated_at      INTEGER NOT NULL,
		deregistered_at INTEGER
	) STRICT;
	CREATE UNIQUE INDEX apps_name ON apps (name) WHERE deregistered_at IS NULL;

	CREATE TABLE launch_tokens (
		hash       BLOB PRIMARY KEY,
		app_id     TEXT NOT NULL,
		agent_name TEXT NOT NULL,
		scope      TEXT NOT NULL,
		max_ttl    INTEGER NOT NULL,
		single_use INTEGER NOT NULL,
		spent      INTEGER NOT NULL,
		expires_at INTEGER NOT NULL
	) STRICT, WITHOUT ROWID;
	CREATE INDEX launch_tokens_expiry ON launch_tokens (expires_at);

	CREATE TABLE agents (
		agent_id   TEXT PRIMARY KEY,
		app_id     TEXT NOT NULL,
		agent_name TEXT NOT NULL,
		public_key BLOB NOT NULL,
		delegated  INTEGER NOT NULL,
		expires_at INTEGER NOT NULL
	) STRICT, WITHOUT ROWID;
	CREATE INDEX agents_expiry ON agents (expires_at);

	CREATE TABLE tokens (
		jti         TEXT PRIMARY KEY,
		subject     TEXT NOT NULL,
		app_id      TEXT NOT NULL,
		renew_until INTEGER NOT NULL,
		expires_at  INTEGER NOT NULL
	) STRICT, WITHOUT ROWID;
	CREATE INDEX tokens_expiry ON tokens (expires_at);

	CREATE TABLE revocations (
		kind       TEXT NOT NULL,
		target     TEXT NOT NULL,
		cutoff     INTEGER NOT NULL,
		keep_until INTEGER NOT NULL,
		PRIMARY KEY (kind, target)
	) STRICT, WITHOUT ROWID;
	CREATE INDEX revocations_expiry ON revocations (keep_until);

	CREATE TABLE audit_events (
		seq              INTEGER PRIMARY KEY,
		at               INTEGER NOT NULL,
		event_type       TEXT NOT NULL,
		agent_id         TEXT NOT NULL,
		task_id          TEXT NOT NULL,
		orch_id          TEXT NOT NULL,
		detail           TEXT NOT NULL,
		resource         TEXT NOT NULL,
		outcome          TEXT NOT NULL,
		deleg_depth      INTEGER NOT NULL,
		deleg_chain_hash TEXT NOT NULL,
		bytes            INTEGER NOT NULL,
		hash             BLOB NOT NULL,
		prev_hash        BLOB NOT NULL
	) STRICT;
	CREATE INDEX audit_events_agent ON audit_events (agent_id) WHERE agent_id <> '';
	CREATE INDEX audit_events_task ON audit_events (task_id) WHERE task_id <> '';

	CREATE TABLE audit_head (
		id   INTEGER PRIMARY KEY CHECK (id = 1),
		size INTEGER NOT NULL,
		hash BLOB NOT NULL
	) STRICT;
	INSERT INTO audit_head VALUES (1, 0, zeroblob(32));`,

	`ALTER TABLE tokens ADD COLUMN chain_hash TEXT NOT NULL DEFAULT '';`,
}
