package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
)

// healthcheckCmd checks a running MedAssist.
type healthcheckCmd struct {
	URL  string `arg:"" optional:"" help:"URL of MedAssist; by default the configured address on this machine."`
	Addr string `help:"Address that MedAssist listens on (default 127.0.0.1:5000)." env:"MEDASSIST_ADDR" placeholder:"HOST:PORT"`
}

// healthTimeout limits the whole check.
const healthTimeout = 3 * time.Second

// Run requests /healthz. It is the container image's health check.
func (c *healthcheckCmd) Run(ctx context.Context) error {
	url, err := c.target()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/healthz", nil)
	if err != nil {
		return err
	}
	client := &http.Client{Transport: directTransport()}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("MedAssist is unreachable: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("MedAssist at %s is not ready: %s", url, resp.Status)
	}
	return nil
}

// target returns the base URL to check.
func (c *healthcheckCmd) target() (string, error) {
	if c.URL != "" {
		return strings.TrimRight(c.URL, "/"), nil
	}
	addr := c.Addr
	if addr == "" {
		addr = defaultAddr
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil || port == "0" {
		return "", fmt.Errorf("can't tell the URL from the address %s; give the URL as an argument", addr)
	}
	return localHostURL(host, port), nil
}
