package postgres

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/broker/internal/store"
)

const eventColumns = `seq, at, event_type, agent_id, task_id, orch_id, detail, resource, outcome,
	deleg_depth, deleg_chain_hash, bytes, hash, prev_hash`

// snapshot is a transaction that sees one moment.
var snapshot = pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}

// storable reports whether text can be stored, and so be found.
func storable(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

// Apps implements [store.Store].
func (s *Store) Apps(ctx context.Context) ([]store.App, error) {
	rows, _ := s.pool.Query(ctx, `SELECT `+appColumns+` FROM broker.apps ORDER BY created_at, app_id`) // the error is the rows' too
	return pgx.CollectRows(rows, scanApp)
}

// App implements [store.Store].
func (s *Store) App(ctx context.Context, id string) (store.App, bool, error) {
	if !storable(id) {
		return store.App{}, false, nil
	}
	rows, _ := s.pool.Query(ctx, `SELECT `+appColumns+` FROM broker.apps WHERE app_id = $1`, id)
	a, err := pgx.CollectOneRow(rows, scanApp)
	if errors.Is(err, pgx.ErrNoRows) {
		return store.App{}, false, nil
	}
	return a, err == nil, err
}

// ActiveAgents implements [store.Store].
func (s *Store) ActiveAgents(ctx context.Context, now time.Time) (n int64, err error) {
	err = s.pool.QueryRow(ctx, `SELECT count(*) FROM broker.agents WHERE expires_at > $1`, store.Nanos(now)).Scan(&n)
	return n, err
}

// Revocations implements [store.Store].
func (s *Store) Revocations(ctx context.Context) ([]store.Revocation, error) {
	rows, _ := s.pool.Query(ctx, `SELECT kind, target, cutoff, keep_until FROM broker.revocations`)
	return pgx.CollectRows(rows, scanRevocation)
}

// Log implements [store.Store].
func (s *Store) Log(ctx context.Context, fn func(seq int64, e wire.AuditEvent) error) (head wire.Chain, err error) {
	err = pgx.BeginTxFunc(ctx, s.pool, snapshot, func(tx pgx.Tx) error {
		var hash []byte
		if err := tx.QueryRow(ctx, `SELECT size, hash FROM broker.head WHERE id = 1`).Scan(&head.Size, &hash); err != nil {
			return err
		}
		head.Head = hex.EncodeToString(hash)
		rows, err := tx.Query(ctx, `SELECT `+eventColumns+` FROM broker.audit_events ORDER BY seq`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			e, seq, err := scanEvent(rows)
			if err != nil {
				return err
			}
			if err := fn(seq, e); err != nil {
				return err
			}
		}
		return rows.Err()
	})
	return head, err
}

func scanEvent(row pgx.CollectableRow) (e wire.AuditEvent, seq int64, err error) {
	var at int64
	var hash, prev []byte
	err = row.Scan(&seq, &at, &e.EventType, &e.AgentID, &e.TaskID, &e.OrchID, &e.Detail, &e.Resource, &e.Outcome,
		&e.DelegDepth, &e.DelegChainHash, &e.BytesTransferred, &hash, &prev)
	e.ID = store.EventID(seq)
	e.Timestamp = time.Unix(0, at).UTC()
	e.Hash, e.PrevHash = hex.EncodeToString(hash), hex.EncodeToString(prev)
	return e, seq, err
}

// Events implements [store.Store].
func (s *Store) Events(ctx context.Context, f store.EventFilter) (events []wire.AuditEvent, total int, err error) {
	var where []string
	var args []any
	add := func(condition string, arg any) {
		args = append(args, arg)
		where = append(where, fmt.Sprintf(condition, len(args)))
	}
	for _, text := range []struct{ condition, value string }{
		{"agent_id <> '' AND agent_id = $%d", f.AgentID}, // matches the condition of the partial index
		{"task_id <> '' AND task_id = $%d", f.TaskID},
		{"event_type = $%d", f.EventType},
		{"outcome = $%d", f.Outcome},
	} {
		switch {
		case !storable(text.value):
			return []wire.AuditEvent{}, 0, nil
		case text.value != "":
			add(text.condition, text.value)
		}
	}
	if !f.Since.IsZero() {
		add("at >= $%d", f.Since.UnixNano())
	}
	if !f.Until.IsZero() {
		add("at <= $%d", f.Until.UnixNano())
	}
	from := ` FROM broker.audit_events`
	if len(where) > 0 {
		from += ` WHERE ` + strings.Join(where, " AND ")
	}
	page := fmt.Sprintf(`SELECT %s%s ORDER BY seq LIMIT $%d OFFSET $%d`, eventColumns, from, len(args)+1, len(args)+2)
	err = pgx.BeginTxFunc(ctx, s.pool, snapshot, func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, `SELECT count(*)`+from, args...).Scan(&total); err != nil {
			return err
		}
		rows, _ := tx.Query(ctx, page, append(args, f.Limit, f.Offset)...)
		events, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (wire.AuditEvent, error) {
			e, _, err := scanEvent(row)
			return e, err
		})
		return err
	})
	if events == nil {
		events = []wire.AuditEvent{}
	}
	return events, total, err
}
