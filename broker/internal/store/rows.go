package store

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"
)

// App is a registered application.
type App struct {
	ID             string
	Name           string
	ClientID       string
	SecretHash     []byte // bcrypt
	Scopes         []string
	TokenTTL       time.Duration
	CreatedAt      time.Time
	UpdatedAt      time.Time
	DeregisteredAt time.Time // zero while active
}

// LaunchToken is a credential for registering agents.
type LaunchToken struct {
	Hash      [32]byte // SHA-256 of the token
	AppID     string   // "" when the admin issued it
	AgentName string
	Scope     []string
	MaxTTL    time.Duration
	SingleUse bool
	Spent     bool
	ExpiresAt time.Time
}

// Agent is a registered agent.
type Agent struct {
	ID        string // SPIFFE ID
	AppID     string // "" when launched by the admin
	Name      string
	PublicKey []byte
	Delegated bool      // it has delegated
	ExpiresAt time.Time // expiry of the last of its tokens
}

// Token is an unexpired access token.
type Token struct {
	ID         string // jti
	Subject    string
	ChainHash  string    // chain_hash of a delegated token, otherwise ""
	AppID      string    // the app whose ceiling applies; "" for none
	RenewUntil time.Time // limit on the expiry of renewals; zero for none
	ExpiresAt  time.Time
}

// Revocation is one entry of the revocation list.
type Revocation struct {
	Kind      string
	Target    string
	Cutoff    int64 // Unix nanoseconds; see package revocation
	KeepUntil time.Time
}

func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func fromNanos(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

const appColumns = `app_id, name, client_id, secret_hash, scopes, token_ttl, created_at, updated_at, deregistered_at`

func scanApp(scan func(...any) error) (App, error) {
	var a App
	var scopes string
	var ttl, created, updated int64
	var deregistered sql.NullInt64
	err := scan(&a.ID, &a.Name, &a.ClientID, &a.SecretHash, &scopes, &ttl, &created, &updated, &deregistered)
	a.Scopes = strings.Fields(scopes)
	a.TokenTTL = time.Duration(ttl)
	a.CreatedAt, a.UpdatedAt, a.DeregisteredAt = fromNanos(created), fromNanos(updated), fromNanos(deregistered.Int64)
	return a, err
}

// Apps lists all apps, oldest first.
func (s *Store) Apps(ctx context.Context) ([]App, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT `+appColumns+` FROM apps ORDER BY created_at, app_id`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var apps []App
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
func (s *Store) App(ctx context.Context, id string) (App, bool, error) {
	a, err := scanApp(s.read.QueryRowContext(ctx, `SELECT `+appColumns+` FROM apps WHERE app_id = ?`, id).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return App{}, false, nil
	}
	return a, err == nil, err
}

// AppNamed reports whether an active app has the name.
func (t *Tx) AppNamed(name string) (bool, error) {
	var one int
	return t.get(`SELECT 1 FROM apps WHERE name = ? AND deregistered_at IS NULL`, []any{name}, &one)
}

// PutApp inserts an app or replaces it.
func (t *Tx) PutApp(a App) error {
	var deregistered any
	if !a.DeregisteredAt.IsZero() {
		deregistered = nanos(a.DeregisteredAt)
	}
	_, err := t.exec(`INSERT INTO apps (`+appColumns+`) VALUES (?,?,?,?,?,?,?,?,?)
		ON CONFLICT (app_id) DO UPDATE SET scopes = excluded.scopes, token_ttl = excluded.token_ttl,
			updated_at = excluded.updated_at, deregistered_at = excluded.deregistered_at`,
		a.ID, a.Name, a.ClientID, a.SecretHash, strings.Join(a.Scopes, " "), int64(a.TokenTTL),
		nanos(a.CreatedAt), nanos(a.UpdatedAt), deregistered)
	return err
}

// InsertLaunchToken stores a new launch token.
func (t *Tx) InsertLaunchToken(l LaunchToken) error {
	_, err := t.exec(`INSERT INTO launch_tokens VALUES (?,?,?,?,?,?,?,?)`,
		l.Hash[:], l.AppID, l.AgentName, strings.Join(l.Scope, " "), int64(l.MaxTTL), l.SingleUse, l.Spent, nanos(l.ExpiresAt))
	return err
}

// LaunchToken returns a launch token by its hash.
func (t *Tx) LaunchToken(hash [32]byte) (LaunchToken, bool, error) {
	l := LaunchToken{Hash: hash}
	var scope string
	var ttl, expires int64
	ok, err := t.get(`SELECT app_id, agent_name, scope, max_ttl, single_use, spent, expires_at
		FROM launch_tokens WHERE hash = ?`, []any{hash[:]},
		&l.AppID, &l.AgentName, &scope, &ttl, &l.SingleUse, &l.Spent, &expires)
	l.Scope, l.MaxTTL, l.ExpiresAt = strings.Fields(scope), time.Duration(ttl), fromNanos(expires)
	return l, ok, err
}

// SpendLaunchToken marks a launch token as spent.
func (t *Tx) SpendLaunchToken(hash [32]byte) error {
	_, err := t.exec(`UPDATE launch_tokens SET spent = 1 WHERE hash = ?`, hash[:])
	return err
}

// InsertAgent stores a new agent.
func (t *Tx) InsertAgent(a Agent) error {
	_, err := t.exec(`INSERT INTO agents VALUES (?,?,?,?,?,?)`,
		a.ID, a.AppID, a.Name, a.PublicKey, a.Delegated, nanos(a.ExpiresAt))
	return err
}

// Agent returns an agent, or false if there is none.
func (t *Tx) Agent(id string) (Agent, bool, error) {
	a := Agent{ID: id}
	var expires int64
	ok, err := t.get(`SELECT app_id, agent_name, public_key, delegated, expires_at FROM agents WHERE agent_id = ?`,
		[]any{id}, &a.AppID, &a.Name, &a.PublicKey, &a.Delegated, &expires)
	a.ExpiresAt = fromNanos(expires)
	return a, ok, err
}

// UpdateAgent stores whether an agent has delegated, and its expiry.
func (t *Tx) UpdateAgent(a Agent) error {
	_, err := t.exec(`UPDATE agents SET delegated = ?, expires_at = ? WHERE agent_id = ?`,
		a.Delegated, nanos(a.ExpiresAt), a.ID)
	return err
}

// AgentsOf returns the IDs of an app's agents.
func (t *Tx) AgentsOf(appID string) ([]string, error) {
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
func (t *Tx) DeleteAgent(id string) error {
	_, err := t.exec(`DELETE FROM agents WHERE agent_id = ?`, id)
	return err
}

// ActiveAgents counts the agents that are unexpired at now.
func (s *Store) ActiveAgents(ctx context.Context, now time.Time) (int64, error) {
	var n int64
	err := s.read.QueryRowContext(ctx, `SELECT count(*) FROM agents WHERE expires_at > ?`, nanos(now)).Scan(&n)
	return n, err
}

// InsertToken stores a new token.
func (t *Tx) InsertToken(k Token) error {
	_, err := t.exec(`INSERT INTO tokens (jti, subject, app_id, renew_until, expires_at, chain_hash) VALUES (?,?,?,?,?,?)`,
		k.ID, k.Subject, k.AppID, nanos(k.RenewUntil), nanos(k.ExpiresAt), k.ChainHash)
	return err
}

// Token returns a token by its jti, or false if there is none.
func (t *Tx) Token(id string) (Token, bool, error) {
	k := Token{ID: id}
	var until, expires int64
	ok, err := t.get(`SELECT subject, app_id, renew_until, expires_at, chain_hash FROM tokens WHERE jti = ?`,
		[]any{id}, &k.Subject, &k.AppID, &until, &expires, &k.ChainHash)
	k.RenewUntil, k.ExpiresAt = fromNanos(until), fromNanos(expires)
	return k, ok, err
}

// Revoke stores a revocation. Of two with one target the later cutoff and the
// longer retention apply.
func (t *Tx) Revoke(r Revocation) error {
	_, err := t.exec(`INSERT INTO revocations VALUES (?,?,?,?)
		ON CONFLICT (kind, target) DO UPDATE SET cutoff = max(cutoff, excluded.cutoff),
			keep_until = max(keep_until, excluded.keep_until)`,
		r.Kind, r.Target, r.Cutoff, nanos(r.KeepUntil))
	return err
}

// Revocations returns the revocation list.
func (s *Store) Revocations(ctx context.Context) ([]Revocation, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT kind, target, cutoff, keep_until FROM revocations`)
	if err != nil {
		return nil, err
	}
	return scanRevocations(rows)
}

func scanRevocations(rows *sql.Rows) ([]Revocation, error) {
	defer rows.Close()
	var out []Revocation
	for rows.Next() {
		var r Revocation
		var until int64
		if err := rows.Scan(&r.Kind, &r.Target, &r.Cutoff, &until); err != nil {
			return nil, err
		}
		r.KeepUntil = fromNanos(until)
		out = append(out, r)
	}
	return out, rows.Err()
}

// Meta returns a named value, or "" if it was never set.
func (t *Tx) Meta(name string) (value string, err error) {
	_, err = t.get(`SELECT value FROM meta WHERE name = ?`, []any{name}, &value)
	return value, err
}

// SetMeta stores a named value.
func (t *Tx) SetMeta(name, value string) error {
	_, err := t.exec(`INSERT INTO meta VALUES (?,?) ON CONFLICT (name) DO UPDATE SET value = excluded.value`, name, value)
	return err
}
