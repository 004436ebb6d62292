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
	Scenarios []string `arg:"" optional:"" help:"Scenarios to play; all if none is named."`
}

// Run starts the demo in memory, plays each scenario over HTTP as anybody
// would, and says whether it came as expected.
func (c *checkCmd) Run(ctx context.Context, io stdio) error {
	chosen, err := choose(c.Scenarios)
	if err != nil {
		return err
	}
	return withDemo(ctx, c.Config, io, func(ctx context.Context, page string) error {
		return playAll(ctx, page, chosen, io.out)
	})
}

// withDemo starts the demo in memory, on free ports if none are named, calls f
// while it runs, and stops it.
func withDemo(ctx context.Context, cfg Config, io stdio, f func(ctx context.Context, page string) error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	cfg.Ephemeral = true
	if cfg.Addr == "" {
		cfg.Addr = "127.0.0.1:0"
	}
	if cfg.BrokerAddr == "" {
		cfg.BrokerAddr = "127.0.0.1:0"
	}
	ready, ended := make(chan Addresses, 1), make(chan error, 1)
	cfg.ready = func(a Addresses) { ready <- a }
	go func() { ended <- Run(ctx, cfg, stdio{io.err, io.err}) }()
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

func choose(ids []string) ([]scenario.Scenario, error) {
	if len(ids) == 0 {
		return scenario.All(), nil
	}
	var out []scenario.Scenario
	for _, id := range ids {
		s, ok := scenario.ByID(id)
		if !ok {
			return nil, fmt.Errorf("there is no scenario %q", id)
		}
		out = append(out, s)
	}
	return out, nil
}

// playAll fails with errUnexpected when one came otherwise.
func playAll(ctx context.Context, page string, chosen []scenario.Scenario, out io.Writer) error {
	surprises := 0
	for _, s := range chosen {
		verdict, err := play(ctx, page, s)
		switch {
		case errors.Is(err, errNotHere):
			fmt.Fprintf(out, "· %-14s not played: %v\n", s.ID, err)
		case err != nil:
			return fmt.Errorf("%s: %w", s.ID, err)
		case verdict.AsExpected():
			fmt.Fprintf(out, "✓ %-14s as expected\n", s.ID)
		default:
			surprises++
			fmt.Fprintf(out, "✕ %-14s %s\n", s.ID, strings.Join(verdict.Surprises, "; "))
		}
	}
	if surprises > 0 {
		return errUnexpected
	}
	return nil
}

// errNotHere is a scenario that needs what this configuration has not.
var errNotHere = errors.New("revoking needs the broker's admin secret: set AGENTWRIT_ADMIN_SECRET")

// play runs one scenario to its end.
func play(ctx context.Context, page string, s scenario.Scenario) (scenario.Verdict, error) {
	body, err := json.Marshal(map[string]string{"patient_id": s.Patient, "request": s.Request, "scenario": s.ID})
	if err != nil {
		return scenario.Verdict{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, page+"/api/request", bytes.NewReader(body))
	if err != nil {
		return scenario.Verdict{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return scenario.Verdict{}, err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusBadRequest && s.Incident == trace.IncidentRevocation {
		return scenario.Verdict{}, errNotHere
	}
	if resp.StatusCode != http.StatusOK {
		return scenario.Verdict{}, fmt.Errorf("the demo answered %s", resp.Status)
	}
	var answer struct {
		Trace []trace.Event `json:"trace"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return scenario.Verdict{}, err
	}
	return s.Expect.Judge(answer.Trace), nil
}
