package sqlite

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/broker/internal/store"
)

const eventColumns = `seq, at, event_type, agent_id, task_id, orch_id, detail, resource, outcome,
	deleg_depth, deleg_chain_hash, bytes, hash, prev_hash`

// AppendEvent stores the event at position seq of the log.
func (t *transaction) AppendEvent(seq int64, e wire.AuditEvent) error {
	hash, err := hex.DecodeString(e.Hash)
	if err != nil {
		return fmt.Errorf("event hash: %w", err)
	}
	prev, err := hex.DecodeString(e.PrevHash)
	if err != nil {
		return fmt.Errorf("event prev_hash: %w", err)
	}
	_, err = t.exec(`INSERT INTO audit_events (`+eventColumns+`) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)`,
		seq, e.Timestamp.UnixNano(), string(e.EventType), e.AgentID, e.TaskID, e.OrchID, e.Detail, e.Resource,
		string(e.Outcome), e.DelegDepth, e.DelegChainHash, e.BytesTransferred, hash, prev)
	return err
}

// SetHead stores the log's size and the hash of its last event.
func (t *transaction) SetHead(h store.Head) error {
	hash, err := hex.DecodeString(h.Chain.Head)
	if err != nil {
		return fmt.Errorf("head hash: %w", err)
	}
	_, err = t.exec(`UPDATE audit_head SET size = ?, hash = ? WHERE id = 1`, h.Chain.Size, hash)
	return err
}

func scanEvent(scan func(...any) error) (e wire.AuditEvent, seq int64, err error) {
	var at int64
	var hash, prev []byte
	err = scan(&seq, &at, &e.EventType, &e.AgentID, &e.TaskID, &e.OrchID, &e.Detail, &e.Resource, &e.Outcome,
		&e.DelegDepth, &e.DelegChainHash, &e.BytesTransferred, &hash, &prev)
	e.ID = store.EventID(seq)
	e.Timestamp = time.Unix(0, at).UTC()
	e.Hash, e.PrevHash = hex.EncodeToString(hash), hex.EncodeToString(prev)
	return e, seq, err
}

// Log implements [store.Store].
func (s *Store) Log(ctx context.Context, fn func(seq int64, e wire.AuditEvent) error) (head wire.Chain, err error) {
	tx, err := s.read.BeginTx(ctx, nil) // head and events of one moment
	if err != nil {
		return head, err
	}
	defer tx.Rollback() // read only
	var hash []byte
	if err := tx.QueryRowContext(ctx, `SELECT size, hash FROM audit_head WHERE id = 1`).Scan(&head.Size, &hash); err != nil {
		return head, err
	}
	head.Head = hex.EncodeToString(hash)
	rows, err := tx.QueryContext(ctx, `SELECT `+eventColumns+` FROM audit_events ORDER BY seq`)
	if err != nil {
		return head, err
	}
	defer rows.Close()
	for rows.Next() {
		e, seq, err := scanEvent(rows.Scan)
		if err != nil {
			return head, err
		}
		if err := fn(seq, e); err != nil {
			return head, err
		}
	}
	return head, rows.Err()
}

// Events returns one page of the matching events, oldest first, and the total
// number of matches.
func (s *Store) Events(ctx context.Context, f store.EventFilter) ([]wire.AuditEvent, int, error) {
	var where []string
	var args []any
	add := func(condition string, arg any) {
		where, args = append(where, condition), append(args, arg)
	}
	if f.AgentID != "" {
		add("agent_id <> '' AND agent_id = ?", f.AgentID) // matches the condition of the partial index
	}
	if f.TaskID != "" {
		add("task_id <> '' AND task_id = ?", f.TaskID)
	}
	if f.EventType != "" {
		add("event_type = ?", f.EventType)
	}
	if f.Outcome != "" {
		add("outcome = ?", f.Outcome)
	}
	if !f.Since.IsZero() {
		add("at >= ?", f.Since.UnixNano())
	}
	if !f.Until.IsZero() {
		add("at <= ?", f.Until.UnixNano())
	}
	from := ` FROM audit_events`
	if len(where) > 0 {
		from += ` WHERE ` + strings.Join(where, " AND ")
	}

	// One transaction, so that the count and the page are consistent.
	tx, err := s.read.BeginTx(ctx, nil)
	if err != nil {
		return nil, 0, err
	}
	defer tx.Rollback() // read only
	var total int
	if err := tx.QueryRowContext(ctx, `SELECT count(*)`+from, args...).Scan(&total); err != nil {
		return nil, 0, err
	}
	rows, err := tx.QueryContext(ctx, `SELECT `+eventColumns+from+` ORDER BY seq LIMIT ? OFFSET ?`,
		append(args, f.Limit, f.Offset)...)
	if err != nil {
		return nil, 0, err
	}
	defer rows.Close()
	events := []wire.AuditEvent{}
	for rows.Next() {
		e, _, err := scanEvent(rows.Scan)
		if err != nil {
			return nil, 0, err
		}
		events = append(events, e)
	}
	return events, total, rows.Err()
}
