// Package shared implements [agents.Cluster] on PostgreSQL, where several replicas of
// the program run encounters. Which replica owns a run is stored by package trace.
//
// Tokens, questions and answers are sealed: the database alone reveals none. What is
// saved about a run is written by its owner only. Each change is one message to the
// server, so a replica that is frozen in the middle holds no lock that others need.
package shared

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/devonartis/medassist-go/agents"
	"github.com/devonartis/medassist-go/internal/cluster"
	"github.com/devonartis/medassist-go/trace"
)

// schema holds the steps of the schema. Released ones are never edited, only
// appended to.
var schema = []string{`
	CREATE TABLE agents.state (
		run_id TEXT PRIMARY KEY,
		json   BYTEA NOT NULL
	);
	CREATE TABLE agents.token (
		run_id      TEXT NOT NULL,
		category    TEXT NOT NULL,
		delegated   BOOLEAN NOT NULL,
		issue       BIGINT GENERATED ALWAYS AS IDENTITY,
		description BYTEA NOT NULL,
		sealed      BYTEA NOT NULL,
		PRIMARY KEY (run_id, category, delegated)
	);
	CREATE TABLE agents.command (
		id       TEXT PRIMARY KEY,
		run_id   TEXT NOT NULL,
		asked    TIMESTAMPTZ NOT NULL,
		question BYTEA NOT NULL,
		taken    BOOLEAN NOT NULL DEFAULT false,
		answer   BYTEA
	);
	CREATE TABLE agents.start (
		key     BYTEA PRIMARY KEY,
		at      TIMESTAMPTZ NOT NULL,
		digest  TEXT NOT NULL,
		run_id  TEXT NOT NULL
	)`,
}

// forgetStarts deletes old starts. It waits for no other replica that does the same.
const forgetStarts = `DELETE FROM agents.start WHERE key IN (
	SELECT key FROM agents.start WHERE at < clock_timestamp() - interval '1 hour' FOR UPDATE SKIP LOCKED)`

// The topics of announcements.
const (
	changeTopic   = "agents"         // what is saved about a run, by its ID
	questionTopic = "agents.command" // a question, by its ID
	answerTopic   = "agents.answer"  // the answer to one
)

// A Cluster connects this replica's service with those of the others.
type Cluster struct {
	replicas *cluster.Cluster
	runs     *trace.Store
	changed  chan struct{} // holds a value if Others may have changed
	asked    chan struct{} // holds a value if there may be questions

	mu      sync.Mutex
	waiting map[string]chan struct{} // by question: holds a value if there may be an answer
}

var _ agents.Cluster = (*Cluster)(nil)

// New returns the connection to the replicas that share runs. It creates or updates
// its tables, and deletes what is left of runs that have ended.
func New(ctx context.Context, replicas *cluster.Cluster, runs *trace.Store) (*Cluster, error) {
	if err := replicas.Migrate(ctx, "agents", schema); err != nil {
		return nil, fmt.Errorf("agents: %w", err)
	}
	c := &Cluster{replicas: replicas, runs: runs, changed: make(chan struct{}, 1), asked: make(chan struct{}, 1),
		waiting: make(map[string]chan struct{})}
	for _, cleanUp := range []string{
		`DELETE FROM agents.state s WHERE NOT EXISTS (SELECT FROM runs.run r WHERE r.id = s.run_id AND r.open)`,
		`DELETE FROM agents.token t WHERE NOT EXISTS (SELECT FROM runs.run r WHERE r.id = t.run_id AND r.open)`,
		`DELETE FROM agents.command WHERE asked < clock_timestamp() - interval '1 minute'`,
		forgetStarts,
	} {
		if _, err := replicas.Pool().Exec(ctx, cleanUp); err != nil {
			return nil, fmt.Errorf("agents: %w", err)
		}
	}
	replicas.Subscribe(changeTopic, func(string) { signal(c.changed) })
	replicas.Subscribe(questionTopic, func(string) { signal(c.asked) })
	replicas.Subscribe(answerTopic, c.answered)
	return c, nil
}

// Claim implements [agents.Cluster].
func (c *Cluster) Claim(ctx context.Context) ([]trace.Run, error) { return c.runs.Claim(ctx) }

// Lost implements [agents.Cluster].
func (c *Cluster) Lost(ctx context.Context, runIDs []string) ([]string, error) {
	rows, err := c.replicas.Pool().Query(ctx, `SELECT id FROM runs.run WHERE id = ANY ($1) AND owner <> $2`, runIDs, c.replicas.ID())
	if err != nil {
		return nil, fmt.Errorf("agents: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// Changed implements [agents.Cluster].
func (c *Cluster) Changed() <-chan struct{} { return c.changed }

// SaveState implements [agents.Cluster]. It has no effect on a run of another
// replica.
func (c *Cluster) SaveState(ctx context.Context, runID string, s agents.State) error {
	encoded, err := json.Marshal(s)
	if err != nil {
		return err
	}
	_, err = c.change(ctx, runID, `
		INSERT INTO agents.state (run_id, json)
		SELECT id, $3 FROM runs.run WHERE id = $1 AND owner = $2 FOR SHARE
		ON CONFLICT (run_id) DO UPDATE SET json = excluded.json`, runID, c.replicas.ID(), encoded)
	return err
}

// Forget implements [agents.Cluster]. It also deletes the starts that are too old to
// be repeated.
func (c *Cluster) Forget(ctx context.Context, runID string) error {
	var batch pgx.Batch
	batch.Queue(`DELETE FROM agents.token WHERE run_id = $1`, runID)
	batch.Queue(`DELETE FROM agents.state WHERE run_id = $1`, runID)
	batch.Queue(forgetStarts)
	return c.send(ctx, &batch, changeTopic, runID)
}

// FirstStart implements [agents.Cluster]. A run that is not created within a few
// seconds does not count.
func (c *Cluster) FirstStart(ctx context.Context, key, digest, runID string, within time.Duration) (first string, err error) {
	var found string
	var batch pgx.Batch
	batch.Queue(`
		INSERT INTO agents.start AS s (key, at, digest, run_id) VALUES ($1, clock_timestamp(), $2, $3)
		ON CONFLICT (key) DO UPDATE SET at = excluded.at, digest = excluded.digest, run_id = excluded.run_id
		WHERE s.at < clock_timestamp() - $4::interval
		OR s.at < clock_timestamp() - interval '2 seconds' AND NOT EXISTS (SELECT FROM runs.run WHERE id = s.run_id)`,
		[]byte(key), digest, runID, within)
	batch.Queue(`SELECT digest, run_id FROM agents.start WHERE key = $1`, []byte(key)).
		QueryRow(func(row pgx.Row) error { return row.Scan(&found, &first) })
	if err := c.replicas.Pool().SendBatch(ctx, &batch).Close(); err != nil {
		return "", fmt.Errorf("agents: %w", err)
	}
	if found != digest {
		return "", agents.ErrKeyUsed
	}
	return first, nil
}

// change executes a statement about a run, tells the other replicas, and returns how
// many rows it has changed.
func (c *Cluster) change(ctx context.Context, runID, statement string, args ...any) (rows int64, err error) {
	var batch pgx.Batch
	batch.Queue(statement, args...).Exec(func(tag pgconn.CommandTag) error { rows = tag.RowsAffected(); return nil })
	return rows, c.send(ctx, &batch, changeTopic, runID)
}

// send executes a batch as one transaction, with an announcement.
func (c *Cluster) send(ctx context.Context, batch *pgx.Batch, topic, payload string) error {
	if err := c.replicas.Announce(ctx, cluster.Queue{Batch: batch}, topic, payload); err != nil {
		return err
	}
	if err := c.replicas.Pool().SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("agents: %w", err)
	}
	return nil
}

// valid reports whether s can be stored as text. The database refuses other strings
// with an error.
func valid(s string) bool { return strings.ToValidUTF8(s, "") == s && !strings.Contains(s, "\x00") }

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// SchemaVersion returns the version of the schema "agents" that this program knows.
func SchemaVersion() int { return len(schema) }
