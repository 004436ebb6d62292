package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/devonartis/medassist-go/attack"
)

// keepReport saves the score for the page of the attacks, if there is a data folder.
func (c *checkCmd) keepReport(ctx context.Context, r attack.Report, log *slog.Logger) {
	path := c.Config.file(attack.ReportFile)
	if path == "" || c.Config.Ephemeral {
		return
	}
	if _, err := os.Stat(filepath.Dir(path)); err != nil {
		return
	}
	if err := r.Save(path); err != nil {
		log.WarnContext(ctx, "can't store the score for the page", "error", err)
	}
}

// runAttacks runs the corpus of attacks against the configured broker, or against an
// embedded one in memory, and prints the score. It returns errCheckFailed if an attack
// reached another patient or got hold of a token. The configured model takes no part:
// the attacks are played by one that obeys every instruction it reads.
func (c *checkCmd) runAttacks(ctx context.Context, std stdio) (err error) {
	cfg := c.Config
	cfg.inMemory()
	cfg.BrokerAddr = "127.0.0.1:0"
	if err := cfg.complete(); err != nil {
		return err
	}
	log := cfg.logger(stdio{std.err, std.err})
	var closing closers
	defer func() { err = errors.Join(err, closing.close()) }()
	broker, err := connect(ctx, cfg, nil, log, &closing)
	if err != nil {
		return err
	}
	lab, err := attack.NewLab(ctx, attack.Config{Broker: broker.app, Operator: broker.operator(), BrokerURL: broker.url, Clock: cfg.clock, Logger: log})
	if err != nil {
		return err
	}
	closing.add(lab.Close)

	var results []attack.Result
	for _, a := range attack.All() {
		res, err := lab.Run(ctx, a)
		if err != nil {
			return err
		}
		results = append(results, res)
		for _, how := range res.Reached {
			printf(std.out, "✕ %s: %s\n", a.ID, how)
		}
		if res.Disclosed {
			printf(std.out, "✕ %s: an access token was disclosed\n", a.ID)
		}
	}
	score := attack.ScoreOf(results)
	if err := score.Write(std.out); err != nil {
		return err
	}
	c.keepReport(ctx, attack.Report{Checked: time.Now().UTC(), Broker: strings.Trim(broker.kind(), "()"), Score: score}, log)
	printf(std.out, "\nwithin scope: the token allowed the call, which was for the run's own patient. See docs/security.md.\n")
	if !score.Contained() {
		return errCheckFailed
	}
	return nil
}
