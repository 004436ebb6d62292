package postgres

// migrations are the steps of the schema.
//
// Times are Unix nanoseconds, scopes are joined by a space (which no scope may
// contain), hashes are raw bytes. Names that callers choose freely are bytea,
// because text can't contain every character that a name can. version is the
// version of the database that wrote the row.
var migrations = []string{
	`CREATE TABLE broker.meta (
		name  TEXT PRIMARY KEY,
		value TEXT NOT NULL
	);

	CREATE TABLE broker.apps (
		app_id          TEXT PRIMARY KEY,
		name            TEXT NOT NULL,
		client_id       TEXT NOT NULL UNIQUE,
		secret_hash     BYTEA NOT NULL,
		scopes          TEXT NOT NULL,
		token_ttl       BIGINT NOT NULL,
		created_at      BIGINT NOT NULL,
		updated_at      BIGINT NOT NULL,
		deregistered_at BIGINT NOT NULL,
		version         BIGINT NOT NULL
	);
	CREATE UNIQUE INDEX ON broker.apps (name) WHERE deregistered_at = 0;
	CREATE INDEX ON broker.apps (version);

	CREATE TABLE broker.launch_tokens (
		hash       BYTEA PRIMARY KEY,
		app_id     TEXT NOT NULL,
		agent_name BYTEA NOT NULL,
		scope      TEXT NOT NULL,
		max_ttl    BIGINT NOT NULL,
		single_use BOOLEAN NOT NULL,
		spent      BOOLEAN NOT NULL,
		expires_at BIGINT NOT NULL
	);
	CREATE INDEX ON broker.launch_tokens (expires_at);

	CREATE TABLE broker.nonces (
		nonce      BYTEA PRIMARY KEY,
		expires_at BIGINT NOT NULL,
		version    BIGINT NOT NULL
	);
	CREATE INDEX ON broker.nonces (expires_at);
	CREATE INDEX ON broker.nonces (version);

	CREATE TABLE broker.agents (
		agent_id   TEXT PRIMARY KEY,
		app_id     TEXT NOT NULL,
		agent_name BYTEA NOT NULL,
		public_key BYTEA NOT NULL,
		delegated  BOOLEAN NOT NULL,
		expires_at BIGINT NOT NULL
	);
	CREATE INDEX ON broker.agents (expires_at);

	CREATE TABLE broker.tokens (
		jti         TEXT PRIMARY KEY,
		subject     TEXT NOT NULL,
		chain_hash  TEXT NOT NULL,
		app_id      TEXT NOT NULL,
		renew_until BIGINT NOT NULL,
		expires_at  BIGINT NOT NULL
	);
	CREATE INDEX ON broker.tokens (expires_at);

	CREATE TABLE broker.revocations (
		kind       TEXT NOT NULL,
		target     TEXT NOT NULL,
		cutoff     BIGINT NOT NULL,
		keep_until BIGINT NOT NULL,
		version    BIGINT NOT NULL,
		PRIMARY KEY (kind, target)
	);
	CREATE INDEX ON broker.revocations (keep_until);
	CREATE INDEX ON broker.revocations (version);

	CREATE TABLE broker.audit_events (
		seq              BIGINT PRIMARY KEY,
		at               BIGINT NOT NULL,
		event_type       TEXT NOT NULL,
		agent_id         TEXT NOT NULL,
		task_id          TEXT NOT NULL,
		orch_id          TEXT NOT NULL,
		detail           TEXT NOT NULL,
		resource         TEXT NOT NULL,
		outcome          TEXT NOT NULL,
		deleg_depth      INTEGER NOT NULL,
		deleg_chain_hash TEXT NOT NULL,
		bytes            BIGINT NOT NULL,
		hash             BYTEA NOT NULL,
		prev_hash        BYTEA NOT NULL
	);
	CREATE INDEX ON broker.audit_events (agent_id, seq) WHERE agent_id <> '';
	CREATE INDEX ON broker.audit_events (task_id, seq) WHERE task_id <> '';

	CREATE TABLE broker.head (
		id      INTEGER PRIMARY KEY CHECK (id = 1),
		size    BIGINT NOT NULL,
		hash    BYTEA NOT NULL,
		at      BIGINT NOT NULL,
		version BIGINT NOT NULL
	);
	INSERT INTO broker.head VALUES (1, 0, decode(repeat('00', 32), 'hex'), 0, 0);

	CREATE TABLE broker.replicas (
		id      TEXT PRIMARY KEY,
		expires TIMESTAMPTZ NOT NULL,
		seen    BIGINT NOT NULL
	);`,
}

// SchemaVersion returns the version of the schema that this program knows.
func SchemaVersion() int { return len(migrations) }
