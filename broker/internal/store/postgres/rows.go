package postgres

import (
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/devonartis/medassist-go/broker/internal/store"
)

const appColumns = `app_id, name, client_id, secret_hash, scopes, token_ttl, created_at, updated_at, deregistered_at`

func scanApp(row pgx.CollectableRow) (store.App, error) {
	var a store.App
	var scopes string
	var ttl, created, updated, deregistered int64
	err := row.Scan(&a.ID, &a.Name, &a.ClientID, &a.SecretHash, &scopes, &ttl, &created, &updated, &deregistered)
	a.Scopes = strings.Fields(scopes)
	a.TokenTTL = time.Duration(ttl)
	a.CreatedAt, a.UpdatedAt, a.DeregisteredAt = store.Time(created), store.Time(updated), store.Time(deregistered)
	return a, err
}

func scanRevocation(row pgx.CollectableRow) (store.Revocation, error) {
	var r store.Revocation
	var until int64
	err := row.Scan(&r.Kind, &r.Target, &r.Cutoff, &until)
	r.KeepUntil = store.Time(until)
	return r, err
}

func (t *transaction) AppNamed(name string) (bool, error) {
	var one int
	return t.row(`SELECT 1 FROM broker.apps WHERE name = $1 AND deregistered_at = 0`, []any{name}, &one)
}

func (t *transaction) PutApp(a store.App) error {
	t.tell = true
	t.exec(`INSERT INTO broker.apps (`+appColumns+`, version) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10)
		ON CONFLICT (app_id) DO UPDATE SET scopes = excluded.scopes, token_ttl = excluded.token_ttl,
			updated_at = excluded.updated_at, deregistered_at = excluded.deregistered_at, version = excluded.version`,
		a.ID, a.Name, a.ClientID, a.SecretHash, strings.Join(a.Scopes, " "), int64(a.TokenTTL),
		store.Nanos(a.CreatedAt), store.Nanos(a.UpdatedAt), store.Nanos(a.DeregisteredAt), t.next)
	return nil
}

func (t *transaction) InsertLaunchToken(l store.LaunchToken) error {
	t.exec(`INSERT INTO broker.launch_tokens VALUES ($1,$2,$3,$4,$5,$6,$7,$8)`,
		l.Hash[:], l.AppID, []byte(l.AgentName), strings.Join(l.Scope, " "), int64(l.MaxTTL), l.SingleUse, l.Spent, store.Nanos(l.ExpiresAt))
	return nil
}

func (t *transaction) LaunchToken(hash [32]byte) (store.LaunchToken, bool, error) {
	l := store.LaunchToken{Hash: hash}
	var name []byte
	var scope string
	var ttl, expires int64
	ok, err := t.row(`SELECT app_id, agent_name, scope, max_ttl, single_use, spent, expires_at
		FROM broker.launch_tokens WHERE hash = $1`, []any{hash[:]},
		&l.AppID, &name, &scope, &ttl, &l.SingleUse, &l.Spent, &expires)
	l.AgentName, l.Scope, l.MaxTTL, l.ExpiresAt = string(name), strings.Fields(scope), time.Duration(ttl), store.Time(expires)
	return l, ok, err
}

func (t *transaction) SpendLaunchToken(hash [32]byte) error {
	t.exec(`UPDATE broker.launch_tokens SET spent = true WHERE hash = $1`, hash[:])
	return nil
}

func (t *transaction) SpendNonce(nonce []byte, expires time.Time) error {
	t.exec(`INSERT INTO broker.nonces VALUES ($1,$2,$3)`, nonce, store.Nanos(expires), t.next)
	return nil
}

func (t *transaction) InsertAgent(a store.Agent) error {
	t.exec(`INSERT INTO broker.agents VALUES ($1,$2,$3,$4,$5,$6)`,
		a.ID, a.AppID, []byte(a.Name), a.PublicKey, a.Delegated, store.Nanos(a.ExpiresAt))
	return nil
}

func (t *transaction) Agent(id string) (store.Agent, bool, error) {
	a := store.Agent{ID: id}
	if !storable(id) {
		return a, false, nil
	}
	var name []byte
	var expires int64
	ok, err := t.row(`SELECT app_id, agent_name, public_key, delegated, expires_at FROM broker.agents WHERE agent_id = $1`,
		[]any{id}, &a.AppID, &name, &a.PublicKey, &a.Delegated, &expires)
	a.Name, a.ExpiresAt = string(name), store.Time(expires)
	return a, ok, err
}

func (t *transaction) AgentsOf(appID string) (ids []string, err error) {
	err = t.query(`SELECT agent_id FROM broker.agents WHERE app_id = $1 ORDER BY agent_id`, []any{appID}, func(rows pgx.Rows) (err error) {
		ids, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	return ids, err
}

func (t *transaction) UpdateAgent(a store.Agent) error {
	t.exec(`UPDATE broker.agents SET delegated = $1, expires_at = $2 WHERE agent_id = $3`,
		a.Delegated, store.Nanos(a.ExpiresAt), a.ID)
	return nil
}

func (t *transaction) DeleteAgent(id string) error {
	t.exec(`DELETE FROM broker.agents WHERE agent_id = $1`, id)
	return nil
}

func (t *transaction) InsertToken(k store.Token) error {
	t.exec(`INSERT INTO broker.tokens (jti, subject, app_id, renew_until, expires_at, chain_hash) VALUES ($1,$2,$3,$4,$5,$6)`,
		k.ID, k.Subject, k.AppID, store.Nanos(k.RenewUntil), store.Nanos(k.ExpiresAt), k.ChainHash)
	return nil
}

func (t *transaction) Token(id string) (store.Token, bool, error) {
	k := store.Token{ID: id}
	var until, expires int64
	ok, err := t.row(`SELECT subject, app_id, renew_until, expires_at, chain_hash FROM broker.tokens WHERE jti = $1`,
		[]any{id}, &k.Subject, &k.AppID, &until, &expires, &k.ChainHash)
	k.RenewUntil, k.ExpiresAt = store.Time(until), store.Time(expires)
	return k, ok, err
}

func (t *transaction) Revoke(r store.Revocation) error {
	t.tell = true
	t.exec(`INSERT INTO broker.revocations VALUES ($1,$2,$3,$4,$5)
		ON CONFLICT (kind, target) DO UPDATE SET cutoff = greatest(revocations.cutoff, excluded.cutoff),
			keep_until = greatest(revocations.keep_until, excluded.keep_until), version = excluded.version`,
		r.Kind, r.Target, r.Cutoff, store.Nanos(r.KeepUntil), t.next)
	return nil
}

func (t *transaction) Meta(name string) (value string, err error) {
	_, err = t.row(`SELECT value FROM broker.meta WHERE name = $1`, []any{name}, &value)
	return value, err
}

func (t *transaction) SetMeta(name, value string) error {
	t.exec(`INSERT INTO broker.meta VALUES ($1,$2) ON CONFLICT (name) DO UPDATE SET value = excluded.value`, name, value)
	return nil
}

func (t *transaction) Expire(now time.Time, limit int) (dropped []store.Revocation, more bool, err error) {
	args := []any{store.Nanos(now), limit}
	for _, table := range []struct{ name, key string }{
		{"launch_tokens", "hash"}, {"tokens", "jti"}, {"agents", "agent_id"}, {"nonces", "nonce"},
	} {
		var deleted int
		_, err := t.row(`WITH gone AS (DELETE FROM broker.`+table.name+` WHERE `+table.key+` IN
			(SELECT `+table.key+` FROM broker.`+table.name+` WHERE expires_at <= $1 LIMIT $2) RETURNING 1) SELECT count(*) FROM gone`, args, &deleted)
		if err != nil {
			return nil, false, err
		}
		more = more || deleted == limit
	}
	err = t.query(`DELETE FROM broker.revocations WHERE (kind, target) IN (SELECT kind, target FROM broker.revocations r
		WHERE keep_until <= $1 AND NOT (kind = 'chain' AND EXISTS (SELECT 1 FROM broker.agents WHERE agent_id = r.target)) LIMIT $2)
		RETURNING kind, target, cutoff, keep_until`, args, func(rows pgx.Rows) (err error) {
		dropped, err = pgx.CollectRows(rows, scanRevocation)
		return err
	})
	t.writes++
	return dropped, more || len(dropped) == limit, err
}
