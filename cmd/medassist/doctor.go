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

// doctorCmd is the operator's preflight, in a terminal.
type doctorCmd struct {
	Config `embed:""`
}

// Run starts the demo in memory, with the broker and the model that are
// configured, and looks whether it will work.
func (c *doctorCmd) Run(ctx context.Context, io stdio) error {
	return withDemo(ctx, c.Config, io, func(ctx context.Context, page string) error {
		return examine(ctx, page, io.out)
	})
}

var stateSigns = map[preflight.State]string{preflight.OK: "✓", preflight.Warning: "!", preflight.Failed: "✕", preflight.Skipped: "·"}

// examine prints each check as it is made. It fails with errUnexpected when one
// failed.
func examine(ctx context.Context, page string, out io.Writer) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, page+"/api/preflight", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the demo answered %s", resp.Status)
	}
	failed := false
	for lines := json.NewDecoder(resp.Body); ; {
		var r preflight.Result
		switch err := lines.Decode(&r); {
		case errors.Is(err, io.EOF) && failed:
			return errUnexpected
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		fmt.Fprintf(out, "%s %-32s %s\n", stateSigns[r.State], r.Name, r.Found)
		if r.Do != "" {
			fmt.Fprintf(out, "  %-32s → %s\n", "", r.Do)
		}
		failed = failed || r.State == preflight.Failed
	}
}
