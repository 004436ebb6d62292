package trace

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/devonartis/medassist-go/internal/cluster"
)

// runTopic is the topic under which changes of a run are announced by its ID.
const runTopic = "run"

// saveTimeout limits the time for rows to be stored, after which they are tried
// again.
const saveTimeout = 5 * time.Second

// postgresSchema holds the steps of the schema. Released ones are never edited,
// only appended to. Times are Unix nanoseconds. The public forms are bytes, because
// what a model or a server returned may not be valid text.
var postgresSchema = []string{`
	CREATE TABLE runs.run (
		id      TEXT PRIMARY KEY,
		started BIGINT NOT NULL,
		open    BOOLEAN NOT NULL,
		owner   TEXT NOT NULL,
		term    BIGINT NOT NULL,
		json    BYTEA NOT NULL
	);
	CREATE INDEX ON runs.run (started, id);
	CREATE INDEX ON runs.run (owner) WHERE open;

	CREATE TABLE runs.event (
		run_id TEXT NOT NULL,
		seq    BIGINT NOT NULL,
		json   BYTEA NOT NULL,
		PRIMARY KEY (run_id, seq)
	)`,
}

// SchemaVersion returns the version of the schema "runs" that this program knows.
func SchemaVersion() int { return len(postgresSchema) }

// firstTerm is the term of the replica that creates a run.
const firstTerm = 1

// A postgres is a [storage] that several replicas share. Each run has an owner, the
// only replica whose rows for it are stored.
type postgres struct {
	cluster *cluster.Cluster
}

var _ storage = (*postgres)(nil)

// close implements [storage]. The connections belong to the cluster.
func (db *postgres) close() error { return nil }

// validID reports whether id can be the ID of a stored run. The database refuses
// other strings with an error.
func validID(id string) bool { return utf8.ValidString(id) && !strings.Contains(id, "\x00") }

// create stores a new run of this replica. It fails with ErrExists.
func (db *postgres) create(ctx context.Context, run Run) error {
	if !validID(run.ID) {
		return fmt.Errorf("%.40q is not a run ID", run.ID)
	}
	b, err := json.Marshal(run)
	if err != nil {
		return err
	}
	var created bool
	var batch pgx.Batch
	batch.Queue(`INSERT INTO runs.run (id, started, open, owner, term, json) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`,
		run.ID, run.Started.UnixNano(), run.Live(), db.cluster.ID(), firstTerm, b).
		Exec(func(tag pgconn.CommandTag) error { created = tag.RowsAffected() == 1; return nil })
	if err := db.send(ctx, &batch, run.ID); err != nil {
		return err
	}
	if !created {
		return fmt.Errorf("%w: %s", ErrExists, run.ID)
	}
	return nil
}

// save implements [storage]. All of it is one message to the server, so a process
// that is frozen in the middle holds no lock. A row that is already stored, by an
// attempt whose answer was lost, stays as it is.
func (db *postgres) save(rows []row) (over []tenure, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), saveTimeout)
	defer cancel()
	owner := db.cluster.ID()
	c, err := columnsOf(rows)
	if err != nil {
		return nil, err
	}
	held := make(map[tenure]bool)
	var batch pgx.Batch
	// The lock keeps another replica from taking over the runs before the commit.
	batch.Queue(`SELECT r.id, r.term FROM unnest($1::text[], $2::bigint[]) AS t (id, term)
		JOIN runs.run r ON r.id = t.id AND r.term = t.term AND r.owner = $3
		ORDER BY r.id FOR SHARE OF r`, c.runs, c.terms, owner).
		Query(func(rows pgx.Rows) error {
			var t tenure
			_, err := pgx.ForEachRow(rows, []any{&t.runID, &t.term}, func() error { held[t] = true; return nil })
			return err
		})
	batch.Queue(`INSERT INTO runs.event (run_id, seq, json)
		SELECT e.run_id, e.seq, e.json
		FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bytea[]) AS e (run_id, term, seq, json)
		JOIN runs.run r ON r.id = e.run_id AND r.term = e.term AND r.owner = $5
		ON CONFLICT DO NOTHING`, c.events.runs, c.events.terms, c.seqs, c.events.json, owner)
	batch.Queue(`UPDATE runs.run r SET open = s.open, json = s.json
		FROM unnest($1::text[], $2::bigint[], $3::boolean[], $4::bytea[]) AS s (id, term, open, json)
		WHERE r.id = s.id AND r.term = s.term AND r.owner = $5`, c.states.runs, c.states.terms, c.open, c.states.json, owner)
	if err := db.send(ctx, &batch, c.runs...); err != nil {
		return nil, err
	}
	for i, id := range c.runs {
		if t := (tenure{id, c.terms[i]}); !held[t] {
			over = append(over, t)
		}
	}
	return over, nil
}

// send runs a batch as one transaction that announces changes of runs.
func (db *postgres) send(ctx context.Context, batch *pgx.Batch, runs ...string) error {
	for _, id := range runs {
		if err := db.cluster.Announce(ctx, cluster.Queue{Batch: batch}, runTopic, id); err != nil {
			return err
		}
	}
	return db.exchange(ctx, batch)
}

// exchange sends a batch and handles its results. What breaks one connection has
// probably broken all of them, and each of them would cost an attempt, so after a
// failure the next attempt gets a new one.
func (db *postgres) exchange(ctx context.Context, batch *pgx.Batch) error {
	err := db.cluster.Pool().SendBatch(ctx, batch).Close()
	if err != nil && !errors.Is(err, context.Canceled) {
		db.cluster.Pool().Reset()
	}
	return err
}

// columns hold rows as the arrays that the database unpacks.
type columns struct {
	runs  []string // with terms: each tenure once
	terms []int64

	events part
	seqs   []int64
	states part
	open   []bool
}

// A part holds the columns that events and states of runs have in common.
type part struct {
	runs  []string
	terms []int64
	json  [][]byte
}

func (p *part) add(t tenure, encoded []byte) {
	p.runs, p.terms, p.json = append(p.runs, t.runID), append(p.terms, t.term), append(p.json, encoded)
}

func columnsOf(rows []row) (c columns, err error) {
	seen := make(map[tenure]bool)
	for _, r := range rows {
		t := r.tenure()
		if !seen[t] {
			seen[t] = true
			c.runs, c.terms = append(c.runs, t.runID), append(c.terms, t.term)
		}
		if r.event != nil {
			c.events.add(t, r.event.encoded)
			c.seqs = append(c.seqs, r.event.Seq)
			continue
		}
		b, err := json.Marshal(r.run)
		if err != nil {
			return columns{}, err
		}
		c.states.add(t, b)
		c.open = append(c.open, r.run.Live())
	}
	return c, nil
}

// run implements [storage].
func (db *postgres) run(ctx context.Context, id string) (Run, bool, error) {
	if !validID(id) {
		return Run{}, false, nil
	}
	runs, err := selected(ctx, db, decodeRun, `SELECT json FROM runs.run WHERE id = $1`, id)
	if err != nil || len(runs) == 0 {
		return Run{}, false, err
	}
	return runs[0], true, nil
}

// runs implements [storage].
func (db *postgres) runs(ctx context.Context, before time.Time, limit int) ([]Run, error) {
	if before.IsZero() {
		return selected(ctx, db, decodeRun, `SELECT json FROM runs.run ORDER BY started DESC, id DESC LIMIT $1`, limit)
	}
	return selected(ctx, db, decodeRun,
		`SELECT json FROM runs.run WHERE started < $1 ORDER BY started DESC, id DESC LIMIT $2`, before.UnixNano(), limit)
}

// events implements [storage].
func (db *postgres) events(ctx context.Context, runID string) ([]Event, error) {
	return selected(ctx, db, decodeEvent, `SELECT json FROM runs.event WHERE run_id = $1 ORDER BY seq`, runID)
}

// news returns what is stored about runs after an event of each: those that have
// ended, and the events. The runs are read first, so the events of an ended run are
// complete.
func (db *postgres) news(ctx context.Context, after map[string]int64) (ended map[string]Run, events map[string][]Event, err error) {
	ids, seqs := make([]string, 0, len(after)), make([]int64, 0, len(after))
	for id, seq := range after {
		ids, seqs = append(ids, id), append(seqs, seq)
	}
	ended, events = make(map[string]Run), make(map[string][]Event)
	var batch pgx.Batch
	batch.Queue(`SELECT json FROM runs.run WHERE id = ANY($1) AND NOT open`, ids).Query(func(rows pgx.Rows) error {
		all, err := decoded(rows, decodeRun)
		for _, run := range all {
			ended[run.ID] = run
		}
		return err
	})
	batch.Queue(`SELECT e.json FROM unnest($1::text[], $2::bigint[]) AS read (run_id, seq)
		JOIN runs.event e ON e.run_id = read.run_id AND e.seq > read.seq
		ORDER BY e.run_id, e.seq`, ids, seqs).Query(func(rows pgx.Rows) error {
		all, err := decoded(rows, decodeEvent)
		for _, e := range all {
			events[e.RunID] = append(events[e.RunID], e)
		}
		return err
	})
	err = db.exchange(ctx, &batch)
	return ended, events, err
}

// A claim is a run that this replica has become the owner of.
type claim struct {
	run  Run
	term int64
}

// claim makes this replica the owner of the open runs whose owner is gone, and of
// those that it has lost: runs that are its own in the storage only.
func (db *postgres) claim(ctx context.Context, lost []string) ([]claim, error) {
	rows, err := db.cluster.Pool().Query(ctx, `
		WITH orphan AS MATERIALIZED (
			SELECT id FROM runs.run
			WHERE open AND (owner = $1 AND id = ANY ($2) OR owner <> $1 AND owner NOT IN (SELECT id FROM app.live_replicas))
			AND EXISTS (SELECT FROM app.live_replicas WHERE id = $1)
			FOR UPDATE SKIP LOCKED
		)
		UPDATE runs.run r SET owner = $1, term = r.term + 1
		FROM orphan WHERE r.id = orphan.id
		RETURNING r.json, r.term`, db.cluster.ID(), lost)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (c claim, err error) {
		var b []byte
		if err := row.Scan(&b, &c.term); err != nil {
			return c, err
		}
		c.run, err = decodeRun(b)
		return c, err
	})
}

// owned returns the IDs of the open runs of this replica.
func (db *postgres) owned(ctx context.Context) ([]string, error) {
	rows, err := db.cluster.Pool().Query(ctx, `SELECT id FROM runs.run WHERE open AND owner = $1`, db.cluster.ID())
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// selected decodes the only column of a query. The time is limited, so that readers
// do not use up the connections while the database does not answer.
func selected[T any](ctx context.Context, db *postgres, decode func([]byte) (T, error), query string, args ...any) ([]T, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	rows, err := db.cluster.Pool().Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return decoded(rows, decode)
}

func decoded[T any](rows pgx.Rows, decode func([]byte) (T, error)) ([]T, error) {
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (v T, err error) {
		var b []byte
		if err := row.Scan(&b); err != nil {
			return v, err
		}
		return decode(b)
	})
}
