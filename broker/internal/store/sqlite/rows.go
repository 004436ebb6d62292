package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/devonartis/medassist-go/broker/internal/store"
)

const appColumns = `app_id, name, client_id, secret_hash, scopes, token_ttl, created_at, updated_at, deregistered_at`

func scanApp(scan func(...any) error) (store.App, error) {
	var a store.App
	var scopes string
	var ttl, created, updated int64
	var deregistered sql.NullInt64
	err := scan(&a.ID, &a.Name, &a.ClientID, &a.SecretHash, &scopes, &ttl, &created, &updated, &deregistered)
	a.Scopes = strings.Fields(scopes)
	a.TokenTTL = time.Duration(ttl)
	a.CreatedAt, a.UpdatedAt, a.DeregisteredAt = store.Time(created), store.Time(updated), store.Time(deregistered.Int64)
	return a, err
}

// Apps lists all apps, oldest first.
func (s *Store) Apps(ctx context.Context) ([]store.App, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT `+appColumns+` FROM apps ORDER BY created_at, app_id`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var apps []store.App
	for rows.Next() {
		a, err := scanApp(rows.Scan)
		if err != nil {
			return nil, err
		}
		apps = append(apps, a)
	}
	return apps, rows.Err()
}

// App returns an app, including a deregistered one, or false if there is none.
func (s *Store) App(ctx context.Context, id string) (store.App, bool, error) {
	a, err := scanApp(s.read.QueryRowContext(ctx, `SELECT `+appColumns+` FROM apps WHERE app_id = ?`, id).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return store.App{}, false, nil
	}
	return a, err == nil, err
}

// AppNamed reports whether an active app has the name.
func (t *transaction) AppNamed(name string) (bool, error) {
	var one int
	return t.get(`SELECT 1 FROM apps WHERE name = ? AND deregistered_at IS NULL`, []any{name}, &one)
}

// PutApp inserts an app or replaces it.
func (t *transaction) PutApp(a store.App) error {
	var deregistered any
	if !a.DeregisteredAt.IsZero() {
		deregistered = store.Nanos(a.DeregisteredAt)
	}
	_, err := t.exec(`INSERT INTO apps (`+appColumns+`) VALUES (?,?,?,?,?,?,?,?,?)
		ON CONFLICT (app_id) DO UPDATE SET scopes = excluded.scopes, token_ttl = excluded.token_ttl,
			updated_at = excluded.updated_at, deregistered_at = excluded.deregistered_at`,
		a.ID, a.Name, a.ClientID, a.SecretHash, strings.Join(a.Scopes, " "), int64(a.TokenTTL),
		store.Nanos(a.CreatedAt), store.Nanos(a.UpdatedAt), deregistered)
	return err
}

// InsertLaunchToken stores a new launch token.
func (t *transaction) InsertLaunchToken(l store.LaunchToken) error {
	_, err := t.exec(`INSERT INTO launch_tokens VALUES (?,?,?,?,?,?,?,?)`,
		l.Hash[:], l.AppID, l.AgentName, strings.Join(l.Scope, " "), int64(l.MaxTTL), l.SingleUse, l.Spent, store.Nanos(l.ExpiresAt))
	return err
}

// LaunchToken returns a launch token by its hash.
func (t *transaction) LaunchToken(hash [32]byte) (store.LaunchToken, bool, error) {
	l := store.LaunchToken{Hash: hash}
	var scope string
	var ttl, expires int64
	ok, err := t.get(`SELECT app_id, agent_name, scope, max_ttl, single_use, spent, expires_at
		FROM launch_tokens WHERE hash = ?`, []any{hash[:]},
		&l.AppID, &l.AgentName, &scope, &ttl, &l.SingleUse, &l.Spent, &expires)
	l.Scope, l.MaxTTL, l.ExpiresAt = strings.Fields(scope), time.Duration(ttl), store.Time(expires)
	return l, ok, err
}

// SpendLaunchToken marks a launch token as spent.
func (t *transaction) SpendLaunchToken(hash [32]byte) error {
	_, err := t.exec(`UPDATE launch_tokens SET spent = 1 WHERE hash = ?`, hash[:])
	return err
}

// InsertAgent stores a new agent.
func (t *transaction) InsertAgent(a store.Agent) error {
	_, err := t.exec(`INSERT INTO agents VALUES (?,?,?,?,?,?)`,
		a.ID, a.AppID, a.Name, a.PublicKey, a.Delegated, store.Nanos(a.ExpiresAt))
	return err
}

// Agent returns an agent, or false if there is none.
func (t *transaction) Agent(id string) (store.Agent, bool, error) {
	a := store.Agent{ID: id}
	var expires int64
	ok, err := t.get(`SELECT app_id, agent_name, public_key, delegated, expires_at FROM agents WHERE agent_id = ?`,
		[]any{id}, &a.AppID, &a.Name, &a.PublicKey, &a.Delegated, &expires)
	a.ExpiresAt = store.Time(expires)
	return a, ok, err
}

// UpdateAgent stores whether an agent has delegated, and its expiry.
func (t *transaction) UpdateAgent(a store.Agent) error {
	_, err := t.exec(`UPDATE agents SET delegated = ?, expires_at = ? WHERE agent_id = ?`,
		a.Delegated, store.Nanos(a.ExpiresAt), a.ID)
	return err
}

// AgentsOf returns the IDs of an app's agents.
func (t *transaction) AgentsOf(appID string) ([]string, error) {
	rows, err := t.query(`SELECT agent_id FROM agents WHERE app_id = ? ORDER BY agent_id`, appID)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var ids []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

// DeleteAgent deletes an agent.
func (t *transaction) DeleteAgent(id string) error {
	_, err := t.exec(`DELETE FROM agents WHERE agent_id = ?`, id)
	return err
}

// ActiveAgents counts the agents that are unexpired at now.
func (s *Store) ActiveAgents(ctx context.Context, now time.Time) (int64, error) {
	var n int64
	err := s.read.QueryRowContext(ctx, `SELECT count(*) FROM agents WHERE expires_at > ?`, store.Nanos(now)).Scan(&n)
	return n, err
}

// InsertToken stores a new token.
func (t *transaction) InsertToken(k store.Token) error {
	_, err := t.exec(`INSERT INTO tokens (jti, subject, app_id, renew_until, expires_at, chain_hash) VALUES (?,?,?,?,?,?)`,
		k.ID, k.Subject, k.AppID, store.Nanos(k.RenewUntil), store.Nanos(k.ExpiresAt), k.ChainHash)
	return err
}

// Token returns a token by its jti, or false if there is none.
func (t *transaction) Token(id string) (store.Token, bool, error) {
	k := store.Token{ID: id}
	var until, expires int64
	ok, err := t.get(`SELECT subject, app_id, renew_until, expires_at, chain_hash FROM tokens WHERE jti = ?`,
		[]any{id}, &k.Subject, &k.AppID, &until, &expires, &k.ChainHash)
	k.RenewUntil, k.ExpiresAt = store.Time(until), store.Time(expires)
	return k, ok, err
}

// Revoke stores a revocation. Of two with one target the later cutoff and the
// longer retention apply.
func (t *transaction) Revoke(r store.Revocation) error {
	_, err := t.exec(`INSERT INTO revocations VALUES (?,?,?,?)
		ON CONFLICT (kind, target) DO UPDATE SET cutoff = max(cutoff, excluded.cutoff),
			keep_until = max(keep_until, excluded.keep_until)`,
		r.Kind, r.Target, r.Cutoff, store.Nanos(r.KeepUntil))
	return err
}

// Revocations returns the revocation list.
func (s *Store) Revocations(ctx context.Context) ([]store.Revocation, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT kind, target, cutoff, keep_until FROM revocations`)
	if err != nil {
		return nil, err
	}
	return scanRevocations(rows)
}

func scanRevocations(rows *sql.Rows) ([]store.Revocation, error) {
	defer rows.Close()
	var out []store.Revocation
	for rows.Next() {
		var r store.Revocation
		var until int64
		if err := rows.Scan(&r.Kind, &r.Target, &r.Cutoff, &until); err != nil {
			return nil, err
		}
		r.KeepUntil = store.Time(until)
		out = append(out, r)
	}
	return out, rows.Err()
}

// Meta returns a named value, or "" if it was never set.
func (t *transaction) Meta(name string) (value string, err error) {
	_, err = t.get(`SELECT value FROM meta WHERE name = ?`, []any{name}, &value)
	return value, err
}

// SetMeta stores a named value.
func (t *transaction) SetMeta(name, value string) error {
	_, err := t.exec(`INSERT INTO meta VALUES (?,?) ON CONFLICT (name) DO UPDATE SET value = excluded.value`, name, value)
	return err
}
