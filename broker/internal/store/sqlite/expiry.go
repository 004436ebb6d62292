package sqlite

import (
	"time"

	"github.com/devonartis/medassist-go/broker/internal/store"
)

// Expire deletes at most limit expired rows of each table. It returns the deleted
// revocations, and whether expired rows may be left.
//
// A revocation is deleted once every token that it revokes has expired. A
// revocation that forbids an agent to delegate is kept as long as the agent.
func (t *transaction) Expire(now time.Time, limit int) (dropped []store.Revocation, more bool, err error) {
	at := store.Nanos(now)
	for _, query := range []string{
		`DELETE FROM launch_tokens WHERE hash IN (SELECT hash FROM launch_tokens WHERE expires_at <= ? LIMIT ?)`,
		`DELETE FROM tokens WHERE jti IN (SELECT jti FROM tokens WHERE expires_at <= ? LIMIT ?)`,
		`DELETE FROM agents WHERE agent_id IN (SELECT agent_id FROM agents WHERE expires_at <= ? LIMIT ?)`,
	} {
		n, err := t.exec(query, at, limit)
		if err != nil {
			return nil, false, err
		}
		more = more || n == int64(limit)
	}
	rows, err := t.query(`SELECT kind, target, cutoff, keep_until FROM revocations
		WHERE keep_until <= ? AND NOT (kind = 'chain' AND target IN (SELECT agent_id FROM agents)) LIMIT ?`, at, limit)
	if err != nil {
		return nil, false, err
	}
	if dropped, err = scanRevocations(rows); err != nil {
		return nil, false, err
	}
	for _, r := range dropped {
		if _, err := t.exec(`DELETE FROM revocations WHERE kind = ? AND target = ?`, r.Kind, r.Target); err != nil {
			return nil, false, err
		}
	}
	return dropped, more || len(dropped) == limit, nil
}
