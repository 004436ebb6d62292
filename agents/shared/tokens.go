package shared

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/devonartis/medassist-go/agents"
)

// description is the part of a saved token that is no secret.
type description struct {
	agents.Token
	Issued   bool `json:"issued,omitempty"` // there is a token
	Ended    bool `json:"ended,omitempty"`
	Unstable bool `json:"unstable,omitempty"`
}

// purpose is what the tokens of a run are sealed for.
func purpose(runID string) string { return "agents/token/" + runID }

// SaveToken implements [agents.Cluster].
func (c *Cluster) SaveToken(ctx context.Context, t agents.SavedToken) error {
	encoded, err := json.Marshal(description{t.Token, t.Secret != "", t.Ended, t.Unstable})
	if err != nil {
		return err
	}
	sealed, err := c.replicas.Seal(purpose(t.RunID), []byte(t.Secret))
	if err != nil {
		return err
	}
	rows, err := c.change(ctx, t.RunID, `
		WITH own AS MATERIALIZED (SELECT id FROM runs.run WHERE id = $1 AND owner = $2 AND open FOR SHARE)
		INSERT INTO agents.token (run_id, category, delegated, description, sealed)
		SELECT id, $3, $4, $5, $6 FROM own
		ON CONFLICT (run_id, category, delegated) DO UPDATE SET description = excluded.description, sealed = excluded.sealed`,
		t.RunID, c.replicas.ID(), t.Category, t.Delegated, encoded, sealed)
	if err == nil && rows == 0 {
		return agents.ErrNotOwner
	}
	return err
}

// Tokens implements [agents.Cluster].
func (c *Cluster) Tokens(ctx context.Context, runID string) ([]agents.SavedToken, error) {
	rows, err := c.replicas.Pool().Query(ctx, `SELECT description, sealed FROM agents.token WHERE run_id = $1 ORDER BY issue`, runID)
	if err != nil {
		return nil, fmt.Errorf("agents: %w", err)
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (t agents.SavedToken, err error) {
		var encoded, sealed []byte
		if err := row.Scan(&encoded, &sealed); err != nil {
			return t, err
		}
		var d description
		if err := json.Unmarshal(encoded, &d); err != nil {
			return t, err
		}
		secret, err := c.replicas.Unseal(purpose(runID), sealed)
		return agents.SavedToken{Token: d.Token, Secret: string(secret), Ended: d.Ended, Unstable: d.Unstable}, err
	})
}

// Others implements [agents.Cluster].
func (c *Cluster) Others(ctx context.Context) (runs []agents.OtherRun, err error) {
	at := make(map[string]int)
	var batch pgx.Batch
	batch.Queue(`
		SELECT r.id, s.json FROM runs.run r LEFT JOIN agents.state s ON s.run_id = r.id
		WHERE r.open AND r.owner <> $1 ORDER BY r.started, r.id`, c.replicas.ID()).Query(func(rows pgx.Rows) error {
		var id string
		var state []byte
		_, err := pgx.ForEachRow(rows, []any{&id, &state}, func() error {
			run := agents.OtherRun{ID: id}
			at[id] = len(runs)
			if state != nil {
				if err := json.Unmarshal(state, &run.State); err != nil {
					return err
				}
			}
			runs = append(runs, run)
			return nil
		})
		return err
	})
	batch.Queue(`
		SELECT t.run_id, t.description FROM agents.token t JOIN runs.run r ON r.id = t.run_id
		WHERE r.open AND r.owner <> $1 ORDER BY t.issue`, c.replicas.ID()).Query(func(rows pgx.Rows) error {
		var id string
		var encoded []byte
		_, err := pgx.ForEachRow(rows, []any{&id, &encoded}, func() error {
			var d description
			if err := json.Unmarshal(encoded, &d); err != nil {
				return err
			}
			if i, ok := at[id]; ok && d.Issued && !d.Ended {
				runs[i].Tokens = append(runs[i].Tokens, d.Token)
			}
			return nil
		})
		return err
	})
	if err := c.replicas.Pool().SendBatch(ctx, &batch).Close(); err != nil {
		return nil, fmt.Errorf("agents: %w", err)
	}
	return runs, nil
}
