package decisions

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/devonartis/medassist-go/internal/cluster"
	"github.com/devonartis/medassist-go/internal/postgres"
)

// sharedMigrations build the schema in PostgreSQL. Released ones are never edited, only
// appended to. A task's ID is bytea, because text can't contain every character.
var sharedMigrations = []string{`
	CREATE TABLE decisions.decision (
		position BIGINT PRIMARY KEY,
		task_id  BYTEA NOT NULL,
		json     TEXT NOT NULL
	);
	CREATE INDEX ON decisions.decision (task_id, position);
	CREATE TABLE decisions.head (
		id      INTEGER PRIMARY KEY CHECK (id = 1),
		size    BIGINT NOT NULL,
		dropped BIGINT NOT NULL,
		hash    TEXT NOT NULL
	);
	INSERT INTO decisions.head VALUES (1, 0, 0, repeat('0', 64))`,
}

// topic is the topic under which replicas announce that they have stored entries.
const topic = "decisions"

const (
	answerTime = 2 * time.Second  // limits the wait for the database
	loadTime   = 30 * time.Second // limits reading all entries
)

// shared keeps a log in the database of the replicas. They lock the head while they
// append, so that all entries are one chain.
type shared struct {
	cluster *cluster.Cluster
	wake    chan struct{}
}

var _ storage = (*shared)(nil)

// OpenShared opens or creates the log of all replicas of the app, and verifies what it
// holds. A chain that is broken is reported by the State; the log continues after it.
func OpenShared(ctx context.Context, c *cluster.Cluster, now func() time.Time, logger *slog.Logger) (*Log, error) {
	if err := c.Migrate(ctx, "decisions", sharedMigrations); err != nil {
		return nil, fmt.Errorf("decisions: %w", err)
	}
	s := &shared{c, make(chan struct{}, 1)}
	c.Subscribe(topic, func(string) {
		select {
		case s.wake <- struct{}{}:
		default: // a call is due already
		}
	})
	return open(ctx, s, now, logger)
}

func (s *shared) Close() error { return nil }

func (s *shared) changed() <-chan struct{} { return s.wake }

const selectHead = "SELECT size, dropped, hash FROM decisions.head WHERE id = 1"

func scanHead(row pgx.Row) (h head, err error) {
	err = row.Scan(&h.size, &h.dropped, &h.hash)
	return h, err
}

// head implements [storage].
func (s *shared) head(ctx context.Context) (head, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	return scanHead(s.cluster.Pool().QueryRow(ctx, selectHead))
}

// load implements [storage].
func (s *shared) load(ctx context.Context, f func(Entry)) (h head, err error) {
	ctx, cancel := context.WithTimeout(ctx, loadTime)
	defer cancel()
	snapshot := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err = pgx.BeginTxFunc(ctx, s.cluster.Pool(), snapshot, func(tx pgx.Tx) error {
		if h, err = scanHead(tx.QueryRow(ctx, selectHead)); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, "SELECT position, json FROM decisions.decision ORDER BY position")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			e, err := scanEntry(rows)
			if err != nil {
				return err
			}
			f(e)
		}
		return rows.Err()
	})
	return h, err
}

// read implements [storage].
func (s *shared) read(ctx context.Context, taskID string, after int64) ([]Entry, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	query, args := "SELECT position, json FROM decisions.decision WHERE position > $1 ORDER BY position LIMIT $2", []any{after, page}
	if taskID != "" {
		query, args = "SELECT position, json FROM decisions.decision WHERE position > $1 AND task_id = $3 ORDER BY position LIMIT $2", append(args, []byte(taskID))
	}
	rows, _ := s.cluster.Pool().Query(ctx, query, args...) // the error is the rows' too
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Entry, error) { return scanEntry(row) })
}

// append implements [storage].
func (s *shared) append(ctx context.Context, f func(head) ([]Entry, head)) error {
	if !s.cluster.Current() {
		return postgres.ErrAway // without waiting again before a heartbeat is answered
	}
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	return pgx.BeginFunc(ctx, s.cluster.Pool(), func(tx pgx.Tx) error {
		h, err := scanHead(tx.QueryRow(ctx, selectHead+" FOR UPDATE"))
		if err != nil {
			return err
		}
		entries, next := f(h)
		var positions []int64
		var tasks [][]byte
		var texts []string
		for _, e := range entries {
			text, err := json.Marshal(e.Event)
			if err != nil {
				return err
			}
			positions, tasks, texts = append(positions, e.Position), append(tasks, []byte(e.Event.TaskID)), append(texts, string(text))
		}
		var batch pgx.Batch
		batch.Queue("INSERT INTO decisions.decision (position, task_id, json) SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::text[])", positions, tasks, texts)
		batch.Queue("UPDATE decisions.head SET size = $1, dropped = $2, hash = $3 WHERE id = 1", next.size, next.dropped, next.hash)
		if next.dropped > h.dropped {
			batch.Queue("DELETE FROM decisions.decision WHERE position <= $1", next.dropped)
		}
		if err := tx.SendBatch(ctx, &batch).Close(); err != nil {
			return err
		}
		return s.cluster.Announce(ctx, tx, topic, "stored")
	})
}

// SchemaVersion returns the version of the schema "decisions" that this program
// knows.
func SchemaVersion() int { return len(sharedMigrations) }
