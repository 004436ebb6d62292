package main

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// healthcheckCmd checks a running MedAssist.
type healthcheckCmd struct {
	URL string `arg:"" optional:"" help:"Address of MedAssist." default:"http://127.0.0.1:5000"`
}

// Run requests /healthz. It is the container image's health check.
func (c *healthcheckCmd) Run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.URL+"/healthz", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("MedAssist is unreachable: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("MedAssist is not ready: %s", resp.Status)
	}
	return nil
}
