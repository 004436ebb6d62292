package cluster

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// ErrConflict is the error of [Cluster.Save] for a value that was saved since it was
// loaded.
var ErrConflict = errors.New("another replica has saved the value")

// ValueTopic is the topic under which saved values are announced by name.
const ValueTopic = "value"

// Load returns a named value and its version, which is 0 if there is none.
func (c *Cluster) Load(ctx context.Context, name string) (value []byte, version int64, err error) {
	err = c.pool.QueryRow(ctx, `SELECT value, version FROM app.shared_values WHERE name = $1`, name).Scan(&value, &version)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, 0, nil
	case err != nil:
		return nil, 0, fmt.Errorf("load %s: %w", name, err)
	}
	return value, version, nil
}

// Save replaces a value that still has the version with which it was loaded; the
// new one has the next version. It fails with ErrConflict.
func (c *Cluster) Save(ctx context.Context, name string, version int64, value []byte) error {
	err := pgx.BeginFunc(ctx, c.pool, func(tx pgx.Tx) error {
		query := `UPDATE app.shared_values SET value = $3, version = $2 + 1 WHERE name = $1 AND version = $2`
		if version == 0 {
			query = `INSERT INTO app.shared_values (name, version, value) VALUES ($1, $2 + 1, $3) ON CONFLICT DO NOTHING`
		}
		tag, err := tx.Exec(ctx, query, name, version, value)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return ErrConflict
		}
		return c.Announce(ctx, tx, ValueTopic, name)
	})
	if err != nil {
		return fmt.Errorf("save %s: %w", name, err)
	}
	return nil
}
