package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/devonartis/medassist-go/scenario"
	"github.com/devonartis/medassist-go/trace"
)

type checkCmd struct {
	Config    `embed:""`
	Attacks   bool     `help:"Run the corpus of prompt injections instead, and print its score."`
	Scenarios []string `arg:"" optional:"" help:"Scenarios to run (default: all)."`
}

// Run starts the demo in memory, runs each scenario over HTTP and reports whether
// its outcome was the expected one.
func (c *checkCmd) Run(ctx context.Context, std stdio) error {
	if c.Attacks {
		return c.runAttacks(ctx, std)
	}
	chosen, err := choose(c.Scenarios)
	if err != nil {
		return err
	}
	return withDemo(ctx, c.Config, std, func(ctx context.Context, page string) error {
		return runAll(ctx, page, chosen, std.out)
	})
}

// withDemo starts the demo in memory, calls f with its URL, and stops it. The demo
// listens on free loopback ports, so that it can run beside the one that uses the
// configured addresses.
func withDemo(ctx context.Context, cfg Config, std stdio, f func(ctx context.Context, page string) error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if cfg.BrokerURL != "" && cfg.ClientID == "" {
		var err error
		if cfg.stored, err = storedCredentials(cfg); err != nil {
			return err
		}
	}
	cfg.inMemory()
	cfg.PresenterKey = ""
	cfg.Addr, cfg.BrokerAddr = "127.0.0.1:0", "127.0.0.1:0"
	ready, ended := make(chan Addresses, 1), make(chan error, 1)
	cfg.ready = func(a Addresses) { ready <- a }
	go func() { ended <- Run(ctx, cfg, stdio{std.err, std.err}) }()
	var err error
	select {
	case err := <-ended:
		return err
	case a := <-ready:
		err = f(ctx, a.Page)
	}
	stop()
	return errors.Join(err, <-ended)
}

// choose returns the scenarios with these IDs, or all of them.
func choose(ids []string) ([]scenario.Scenario, error) {
	if len(ids) == 0 {
		return scenario.All(), nil
	}
	var out []scenario.Scenario
	for _, id := range ids {
		s, ok := scenario.ByID(id)
		if !ok {
			return nil, fmt.Errorf("unknown scenario %q", id)
		}
		out = append(out, s)
	}
	return out, nil
}

// runAll runs the scenarios and prints a line for each. It returns errCheckFailed
// if the outcome of one was not the expected one.
func runAll(ctx context.Context, page string, chosen []scenario.Scenario, out io.Writer) error {
	failures := 0
	for _, s := range chosen {
		verdict, err := runScenario(ctx, page, s)
		switch {
		case err != nil:
			return fmt.Errorf("%s: %w", s.ID, err)
		case verdict.AsExpected():
			printf(out, "✓ %-14s passed\n", s.ID)
		default:
			failures++
			printf(out, "✕ %-14s %s\n", s.ID, strings.Join(verdict.Surprises, "; "))
		}
	}
	if failures > 0 {
		return errCheckFailed
	}
	return nil
}

// localClient calls the demo that withDemo started.
var localClient = &http.Client{Transport: directTransport()}

// runScenario runs one scenario to its end.
func runScenario(ctx context.Context, page string, s scenario.Scenario) (scenario.Verdict, error) {
	body, err := json.Marshal(map[string]string{"patient_id": s.Patient, "request": s.Request, "scenario": s.ID})
	if err != nil {
		return scenario.Verdict{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, page+"/api/request", bytes.NewReader(body))
	if err != nil {
		return scenario.Verdict{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := localClient.Do(req)
	if err != nil {
		return scenario.Verdict{}, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return scenario.Verdict{}, fmt.Errorf("unexpected response: %s", resp.Status)
	}
	var answer struct {
		Trace []trace.Event `json:"trace"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return scenario.Verdict{}, err
	}
	return s.Expect.Judge(answer.Trace), nil
}
