package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/devonartis/medassist-go/preflight"
)

// doctorCmd runs the operator page's preflight checks in a terminal.
type doctorCmd struct {
	Config `embed:""`
}

// Run starts the demo in memory, with the configured broker and model, and runs
// the preflight checks. It only reads the database.
func (c *doctorCmd) Run(ctx context.Context, std stdio) error {
	c.LLMRecord = "" // the running demo may be recording to this file
	c.examined = c.database()
	return withDemo(ctx, c.Config, std, func(ctx context.Context, page string) error {
		return runPreflight(ctx, page, std.out)
	})
}

// stateMarks are the marks before each line.
var stateMarks = map[preflight.State]string{preflight.OK: "✓", preflight.Warning: "!", preflight.Failed: "✕", preflight.Skipped: "·"}

// runPreflight prints each check's result as it arrives. It returns errCheckFailed
// if a check failed.
func runPreflight(ctx context.Context, page string, out io.Writer) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, page+"/api/preflight", nil)
	if err != nil {
		return err
	}
	resp, err := localClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("unexpected response: %s", resp.Status)
	}
	failed := false
	for lines := json.NewDecoder(resp.Body); ; {
		var r preflight.Result
		switch err := lines.Decode(&r); {
		case errors.Is(err, io.EOF) && failed:
			return errCheckFailed
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		printf(out, "%s %-32s %s\n", stateMarks[r.State], r.Name, r.Found)
		if r.Do != "" {
			printf(out, "  %-32s → %s\n", "", r.Do)
		}
		failed = failed || r.State == preflight.Failed
	}
}
