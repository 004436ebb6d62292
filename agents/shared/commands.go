package shared

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/devonartis/medassist-go/agents"
	"github.com/devonartis/medassist-go/internal/random"
)

const (
	// takeWithin is how long a question may wait until the owner of the run takes it.
	takeWithin = 2 * time.Second
	// answerTimeout limits the time for storing an answer, and for clearing up.
	answerTimeout = 3 * time.Second
)

// Ask implements [agents.Cluster].
func (c *Cluster) Ask(ctx context.Context, runID string, question []byte) (answer []byte, err error) {
	if !valid(runID) {
		return nil, fmt.Errorf("%w: %.40q", agents.ErrNotLive, runID)
	}
	id := random.Hex(16)
	news := c.wait(id)
	defer c.clear(id)
	sealed, err := c.replicas.Seal("agents/question/"+id, question)
	if err != nil {
		return nil, err
	}
	var live bool
	var batch pgx.Batch
	batch.Queue(`INSERT INTO agents.command (id, run_id, asked, question)
		SELECT $1, id, clock_timestamp(), $3 FROM runs.run WHERE id = $2 AND open`, id, runID, sealed).
		Exec(func(tag pgconn.CommandTag) error { live = tag.RowsAffected() > 0; return nil })
	if err := c.send(ctx, &batch, questionTopic, id); err != nil {
		return nil, err
	}
	if !live {
		return nil, fmt.Errorf("%w: %s", agents.ErrNotLive, runID)
	}
	limit := time.NewTimer(takeWithin)
	defer limit.Stop()
	for {
		select {
		case <-news:
			sealed, err := c.answer(ctx, id)
			switch {
			case err != nil:
				return nil, err
			case sealed != nil:
				return c.replicas.Unseal("agents/answer/"+id, sealed)
			}
		case <-limit.C:
			if withdrawn, err := c.withdraw(ctx, id); err != nil || withdrawn {
				return nil, errors.Join(err, fmt.Errorf("%w: %s", agents.ErrNoAnswer, runID))
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// wait registers a question; the channel receives a value when there may be an
// answer.
func (c *Cluster) wait(id string) <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	news := make(chan struct{}, 1)
	c.waiting[id] = news
	return news
}

// answered handles the announcement of an answer, or the chance that some were
// missed.
func (c *Cluster) answered(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for waiting, news := range c.waiting {
		if id == "" || id == waiting {
			signal(news)
		}
	}
}

// answer returns the sealed answer to a question; nil if there is none yet.
func (c *Cluster) answer(ctx context.Context, id string) (sealed []byte, err error) {
	if err := c.replicas.Pool().QueryRow(ctx, `SELECT answer FROM agents.command WHERE id = $1`, id).Scan(&sealed); err != nil {
		return nil, fmt.Errorf("agents: %w", err)
	}
	return sealed, nil
}

// withdraw deletes a question that nobody has taken, so that nobody will. It reports
// false if the owner has taken it.
func (c *Cluster) withdraw(ctx context.Context, id string) (bool, error) {
	tag, err := c.replicas.Pool().Exec(ctx, `DELETE FROM agents.command WHERE id = $1 AND NOT taken`, id)
	if err != nil {
		return false, fmt.Errorf("agents: %w", err)
	}
	return tag.RowsAffected() > 0, nil
}

// clear forgets a question.
func (c *Cluster) clear(id string) {
	c.mu.Lock()
	delete(c.waiting, id)
	c.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), answerTimeout)
	defer cancel()
	// Otherwise it is deleted at the next start of a replica.
	_, _ = c.replicas.Pool().Exec(ctx, `DELETE FROM agents.command WHERE id = $1`, id)
}

// A command is a question that this replica has taken.
type command struct {
	id, runID string
	question  []byte
}

// Serve implements [agents.Cluster].
func (c *Cluster) Serve(ctx context.Context, answer func(context.Context, string, []byte) []byte) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.asked:
		}
		for _, q := range c.take(ctx) {
			go c.reply(ctx, q, answer)
		}
	}
}

// take returns the questions about runs of this replica, each once. Without the
// database there are none, and the next heartbeat has them looked for again.
func (c *Cluster) take(ctx context.Context) []command {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	rows, err := c.replicas.Pool().Query(ctx, `
		UPDATE agents.command c SET taken = true FROM runs.run r
		WHERE r.id = c.run_id AND r.owner = $1 AND NOT c.taken AND c.asked > clock_timestamp() - $2::interval
		RETURNING c.id, c.run_id, c.question`, c.replicas.ID(), takeWithin)
	if err != nil {
		return nil
	}
	taken, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (q command, err error) {
		return q, row.Scan(&q.id, &q.runID, &q.question)
	})
	if err != nil {
		return nil
	}
	return taken
}

// reply answers a question. One that can't be read was asked by somebody who does not
// know the replicas' secret, and gets no answer.
func (c *Cluster) reply(ctx context.Context, q command, answer func(context.Context, string, []byte) []byte) {
	question, err := c.replicas.Unseal("agents/question/"+q.id, q.question)
	if err != nil {
		return
	}
	sealed, err := c.replicas.Seal("agents/answer/"+q.id, answer(ctx, q.runID, question))
	if err != nil {
		return
	}
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerTimeout)
	defer cancel()
	var batch pgx.Batch
	batch.Queue(`UPDATE agents.command SET answer = $2 WHERE id = $1`, q.id, sealed)
	_ = c.send(limited, &batch, answerTopic, q.id) // otherwise the replica that has asked gives up
}
