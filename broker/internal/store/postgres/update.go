package postgres

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/broker/internal/store"
)

// transaction is a write transaction. Its methods are described in [store.Tx].
type transaction struct {
	s    *Store
	ctx  context.Context
	conn *pgx.Conn

	queued pgx.Batch // statements to send with the next one that has a result
	events events    // to be inserted before the commit
	writes int

	head    store.Head // at the start, then as set
	version int64      // of the database
	next    int64      // of the database after this transaction
	tell    bool       // other brokers must know before it is answered
}

// Update implements [store.Store].
func (s *Store) Update(fn func(store.Tx) error) (durable func() error, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), updateTimeout)
	defer cancel()
	session := s.flusher.session.Load()
	t, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	if err = fn(t); err == nil {
		err = t.commit()
	}
	if err != nil {
		s.rollBack(ctx)
		return nil, err
	}
	if t.writes == 0 {
		return func() error { return nil }, nil
	}
	if s.known == t.version { // nothing of others is missing in memory
		s.known = t.next
	}
	return func() error {
		if err := s.flusher.wait(session); err != nil || !t.tell {
			return err
		}
		return s.replica.barrier(t.next)
	}, nil
}

// begin begins a transaction. A connection that was lost since the last one is
// replaced.
func (s *Store) begin(ctx context.Context) (*transaction, error) {
	for {
		before := s.write
		if s.write == nil {
			var err error
			if s.write, err = s.connectWriter(ctx); err != nil {
				return nil, err
			}
		}
		t := &transaction{s: s, ctx: ctx, conn: s.write}
		err := t.begin()
		if err == nil {
			return t, nil
		}
		if s.rollBack(ctx); s.write != nil || before == nil {
			return nil, err
		}
	}
}

// rollBack ends a transaction, or else the connection.
func (s *Store) rollBack(ctx context.Context) {
	if _, err := s.write.Exec(ctx, `ROLLBACK`); err != nil {
		_ = s.write.Close(ctx)
		s.write = nil
	}
}

// begin locks the head. Versions follow the database's clock, so that after a crash
// no version means something else than before it.
func (t *transaction) begin() error {
	t.s.reading = *t.s.replica.offered.Load()
	t.queued.Queue(`BEGIN`)
	t.queued.Queue(`SET LOCAL synchronous_commit = off`)
	var hash []byte
	var at int64
	found, err := t.row(`SELECT size, hash, at, version, greatest(version + 1, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)
		FROM broker.head WHERE id = 1 FOR UPDATE`, nil, &t.head.Chain.Size, &hash, &at, &t.version, &t.next)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	if !found {
		return errors.New("begin: the audit log has no head")
	}
	t.head.Chain.Head, t.head.At = hex.EncodeToString(hash), store.Time(at)
	return nil
}

func (t *transaction) commit() error {
	if t.writes > 0 {
		hash, err := hex.DecodeString(t.head.Chain.Head)
		if err != nil {
			return fmt.Errorf("head hash: %w", err)
		}
		t.events.queue(&t.queued)
		t.queued.Queue(`UPDATE broker.head SET size = $1, hash = $2, at = $3, version = $4 WHERE id = 1`,
			t.head.Chain.Size, hash, store.Nanos(t.head.At), t.next)
		t.queued.Queue(`SELECT pg_notify($1, $2)`, channel, announce(t.s.id, t.next))
	}
	t.queued.Queue(`COMMIT`)
	if err := t.send(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// Changes implements [store.Tx].
func (t *transaction) Changes() (*store.Changes, error) {
	if t.version == t.s.known {
		t.s.replica.applied(t.version, t.s.reading)
		return nil, nil
	}
	c := &store.Changes{Head: t.head, Version: t.version}
	if err := readChanges(t.ctx, t.conn, t.s.known, c); err != nil {
		return nil, err
	}
	t.s.known = t.version
	return c, nil
}

// Changes implements [store.Store].
func (s *Store) Changes(ctx context.Context) (*store.Changes, error) {
	s.reading = *s.replica.offered.Load()
	c := new(store.Changes)
	var hash []byte
	var at int64
	err := s.pool.QueryRow(ctx, `SELECT size, hash, at, version FROM broker.head WHERE id = 1`).Scan(&c.Head.Chain.Size, &hash, &at, &c.Version)
	if err != nil {
		return nil, fmt.Errorf("read the head: %w", err)
	}
	c.Head.Chain.Head, c.Head.At = hex.EncodeToString(hash), store.Time(at)
	if c.Version != s.known {
		if err := readChanges(ctx, s.pool, s.known, c); err != nil {
			return nil, err
		}
		s.known = c.Version
	}
	return c, nil
}

type querier interface {
	SendBatch(context.Context, *pgx.Batch) pgx.BatchResults
}

// readChanges reads what was committed after a version.
func readChanges(ctx context.Context, db querier, after int64, c *store.Changes) (err error) {
	var batch pgx.Batch
	batch.Queue(`SELECT `+appColumns+` FROM broker.apps WHERE version > $1`, after)
	batch.Queue(`SELECT kind, target, cutoff, keep_until FROM broker.revocations WHERE version > $1`, after)
	batch.Queue(`SELECT nonce FROM broker.nonces WHERE version > $1`, after)
	results := db.SendBatch(ctx, &batch)
	defer func() { err = errors.Join(err, results.Close()) }()
	rows, _ := results.Query() // the error is the rows' too
	if c.Apps, err = pgx.CollectRows(rows, scanApp); err != nil {
		return fmt.Errorf("read apps: %w", err)
	}
	rows, _ = results.Query()
	if c.Revocations, err = pgx.CollectRows(rows, scanRevocation); err != nil {
		return fmt.Errorf("read revocations: %w", err)
	}
	rows, _ = results.Query()
	if c.Nonces, err = pgx.CollectRows(rows, pgx.RowTo[[]byte]); err != nil {
		return fmt.Errorf("read nonces: %w", err)
	}
	return nil
}

// exec queues a statement that has no result.
func (t *transaction) exec(sql string, args ...any) {
	t.queued.Queue(sql, args...)
	t.writes++
}

// send sends the queued statements.
func (t *transaction) send() error {
	batch := t.queued
	t.queued = pgx.Batch{}
	return t.conn.SendBatch(t.ctx, &batch).Close()
}

// query sends the queued statements and one with a result, which read reads.
func (t *transaction) query(sql string, args []any, read func(pgx.Rows) error) (err error) {
	t.queued.Queue(sql, args...)
	batch := t.queued
	t.queued = pgx.Batch{}
	results := t.conn.SendBatch(t.ctx, &batch)
	defer func() { err = errors.Join(err, results.Close()) }()
	for range batch.Len() - 1 {
		if _, err := results.Exec(); err != nil {
			return err
		}
	}
	rows, err := results.Query()
	if err != nil {
		return err
	}
	defer rows.Close()
	if err := read(rows); err != nil {
		return err
	}
	return rows.Err()
}

// row scans the first row into dest, or returns false if there is none.
func (t *transaction) row(sql string, args []any, dest ...any) (found bool, err error) {
	err = t.query(sql, args, func(rows pgx.Rows) error {
		if !rows.Next() {
			return nil
		}
		found = true
		return rows.Scan(dest...)
	})
	return found && err == nil, err
}

// AppendEvent implements [store.Tx].
func (t *transaction) AppendEvent(seq int64, e wire.AuditEvent) error {
	hash, err := hex.DecodeString(e.Hash)
	if err != nil {
		return fmt.Errorf("event hash: %w", err)
	}
	prev, err := hex.DecodeString(e.PrevHash)
	if err != nil {
		return fmt.Errorf("event prev_hash: %w", err)
	}
	t.writes++
	t.events.add(seq, e, hash, prev)
	return nil
}

// events are columns of the audit log, to be inserted by one statement.
type events struct {
	seq, at, depth, bytes                     []int64
	kind, agent, task, orch, detail, resource []string
	outcome, chainHash                        []string
	hash, prev                                [][]byte
}

func (v *events) add(seq int64, e wire.AuditEvent, hash, prev []byte) {
	v.seq, v.at = append(v.seq, seq), append(v.at, e.Timestamp.UnixNano())
	v.kind, v.outcome = append(v.kind, string(e.EventType)), append(v.outcome, string(e.Outcome))
	v.agent, v.task, v.orch = append(v.agent, e.AgentID), append(v.task, e.TaskID), append(v.orch, e.OrchID)
	v.detail, v.resource = append(v.detail, e.Detail), append(v.resource, e.Resource)
	v.depth, v.chainHash = append(v.depth, int64(e.DelegDepth)), append(v.chainHash, e.DelegChainHash)
	v.bytes, v.hash, v.prev = append(v.bytes, int64(e.BytesTransferred)), append(v.hash, hash), append(v.prev, prev)
}

func (v *events) queue(batch *pgx.Batch) {
	if len(v.seq) == 0 {
		return
	}
	batch.Queue(`INSERT INTO broker.audit_events (`+eventColumns+`) SELECT * FROM unnest($1::bigint[], $2::bigint[],
		$3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
		$10::integer[], $11::text[], $12::bigint[], $13::bytea[], $14::bytea[])`,
		v.seq, v.at, v.kind, v.agent, v.task, v.orch, v.detail, v.resource, v.outcome, v.depth, v.chainHash, v.bytes, v.hash, v.prev)
}

// SetHead implements [store.Tx].
func (t *transaction) SetHead(h store.Head) error {
	t.head = h
	t.writes++
	return nil
}
