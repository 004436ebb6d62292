package main

import (
	"context"
	"log/slog"

	"github.com/devonartis/medassist-go/agents"
	"github.com/devonartis/medassist-go/agents/shared"
	"github.com/devonartis/medassist-go/decisions"
	"github.com/devonartis/medassist-go/internal/cluster"
	"github.com/devonartis/medassist-go/records"
	"github.com/devonartis/medassist-go/trace"
)

// stores holds the open stores of the demo.
type stores struct {
	records   *records.Store
	runs      *trace.Store
	decisions *decisions.Log
	cluster   agents.Cluster // nil without other replicas
}

// openStores opens the stores in the data folder, or in memory. With a database it
// opens those that replicas share.
func openStores(ctx context.Context, cfg Config, replicas *cluster.Cluster, log *slog.Logger, closing *closers) (s stores, err error) {
	if replicas != nil {
		s.records, err = records.OpenShared(ctx, replicas, cfg.clock)
	} else {
		s.records, err = records.OpenStore(ctx, cfg.file("records.db"), cfg.clock)
	}
	if err != nil {
		return s, err
	}
	closing.add(s.records.Close)
	if replicas != nil {
		s.runs, err = trace.OpenShared(ctx, replicas, log)
	} else {
		s.runs, err = trace.OpenStore(ctx, cfg.file("runs.db"), log)
	}
	if err != nil {
		return s, err
	}
	closing.add(s.runs.Close)
	if replicas != nil {
		s.decisions, err = decisions.OpenShared(ctx, replicas, cfg.clock, log)
	} else {
		s.decisions, err = decisions.Open(ctx, cfg.file("decisions.db"), cfg.clock, log)
	}
	if err != nil {
		return s, err
	}
	closing.add(s.decisions.Close)
	if replicas != nil {
		s.cluster, err = shared.New(ctx, replicas, s.runs)
	}
	return s, err
}
