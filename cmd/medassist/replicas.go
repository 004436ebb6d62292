package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5"

	"github.com/devonartis/medassist-go/agents/shared"
	"github.com/devonartis/medassist-go/broker"
	"github.com/devonartis/medassist-go/decisions"
	"github.com/devonartis/medassist-go/internal/cluster"
	"github.com/devonartis/medassist-go/internal/random"
	"github.com/devonartis/medassist-go/internal/values"
	"github.com/devonartis/medassist-go/preflight"
	"github.com/devonartis/medassist-go/records"
	"github.com/devonartis/medassist-go/trace"
)

// joinReplicas joins the replicas that share the configured database. It returns nil
// if there is none.
func joinReplicas(ctx context.Context, cfg Config, log *slog.Logger, closing *closers) (*cluster.Cluster, error) {
	if cfg.Database == "" {
		return nil, nil
	}
	replicas, err := cluster.Open(ctx, cluster.Config{URL: cfg.Database, DirectURL: cfg.DatabaseDirect,
		Secret: cmp.Or(cfg.AdminSecret, cfg.ClientSecret), Logger: log})
	if err != nil {
		return nil, err
	}
	closing.add(replicas.Close)
	return replicas, nil
}

// turnTimeout limits how long a replica that fails in the middle of an update keeps
// the others waiting.
const turnTimeout = "30s"

// updateShared calls change with a sealed value of the database, nil if there is
// none, and stores what it returns. Replicas take turns, so that change can do
// something that must be done once.
func updateShared(ctx context.Context, replicas *cluster.Cluster, name string, change func(value []byte) ([]byte, error)) error {
	return pgx.BeginFunc(ctx, replicas.Pool(), func(turn pgx.Tx) error {
		if _, err := turn.Exec(ctx, `SET LOCAL idle_in_transaction_session_timeout = '`+turnTimeout+`'`); err != nil {
			return err
		}
		if _, err := turn.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtext('medassist'), hashtext($1))`, name); err != nil {
			return err
		}
		sealed, version, err := replicas.Load(ctx, name)
		if err != nil {
			return err
		}
		var value []byte
		if version > 0 {
			if value, err = replicas.Unseal(name, sealed); err != nil {
				return fmt.Errorf("%s: %w All of them need the same AGENTWRIT_ADMIN_SECRET", name, err)
			}
		}
		changed, err := change(value)
		if err != nil || bytes.Equal(changed, value) {
			return err
		}
		if sealed, err = replicas.Seal(name, changed); err != nil {
			return err
		}
		return replicas.Save(ctx, name, version, sealed)
	})
}

// sharedRandom returns a random value of so many bytes, in hexadecimal, that all
// replicas have in common.
func sharedRandom(ctx context.Context, replicas *cluster.Cluster, name string, size int) (string, error) {
	var value []byte
	err := updateShared(ctx, replicas, name, func(stored []byte) ([]byte, error) {
		if value = stored; stored == nil {
			value = []byte(random.Hex(size))
		}
		return value, nil
	})
	return string(value), err
}

// sharedSession is the app's login at a remote broker, which all replicas use. It
// implements [agentwrit.TokenCache].
type sharedSession struct {
	replicas *cluster.Cluster
	name     string
	log      *slog.Logger
}

// Load returns the session that a replica has saved, or nil.
func (s sharedSession) Load(ctx context.Context) []byte {
	sealed, version, err := s.replicas.Load(ctx, s.name)
	if err == nil && version == 0 {
		return nil
	}
	var session []byte
	if err == nil {
		session, err = s.replicas.Unseal(s.name, sealed)
	}
	if err != nil {
		s.log.WarnContext(ctx, "can't read the login that replicas share", "error", err)
		return nil
	}
	return session
}

// Save replaces the session. If another replica does so at the same time, its
// session is as good.
func (s sharedSession) Save(ctx context.Context, session []byte) {
	_, version, err := s.replicas.Load(ctx, s.name)
	var sealed []byte
	if err == nil {
		sealed, err = s.replicas.Seal(s.name, session)
	}
	if err == nil {
		err = s.replicas.Save(ctx, s.name, version, sealed)
	}
	if err != nil && !errors.Is(err, cluster.ErrConflict) {
		s.log.WarnContext(ctx, "can't store the login that replicas share", "error", err)
	}
}

// sharedValues returns where replicas keep what their pages show, nil if there are no
// replicas.
func sharedValues(replicas *cluster.Cluster) values.Store {
	if replicas == nil {
		return nil
	}
	return replicas
}

// schemas lists what this program keeps in the database.
func schemas() []preflight.Schema {
	return []preflight.Schema{
		{Name: "agents", Steps: shared.SchemaVersion()},
		{Name: "app", Steps: cluster.SchemaVersion()},
		{Name: "broker", Steps: broker.SchemaVersion()},
		{Name: "decisions", Steps: decisions.SchemaVersion()},
		{Name: "records", Steps: records.SchemaVersion()},
		{Name: "runs", Steps: trace.SchemaVersion()},
	}
}
