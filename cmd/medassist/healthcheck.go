package main

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
)

// healthcheckCmd checks a running MedAssist or broker.
type healthcheckCmd struct {
	URL        string        `arg:"" optional:"" help:"URL of MedAssist or the broker; by default the configured address on this machine."`
	Broker     bool          `help:"Check a broker instead of MedAssist."`
	Wait       time.Duration `help:"Repeat the check for this long until it succeeds." placeholder:"DURATION"`
	Addr       string        `help:"Address that MedAssist listens on (default 127.0.0.1:5000)." env:"MEDASSIST_ADDR" placeholder:"HOST:PORT"`
	BrokerAddr string        `help:"Address that the broker listens on (default 127.0.0.1:8080)." env:"MEDASSIST_BROKER_ADDR" placeholder:"HOST:PORT"`
	TLSCert    string        `help:"Certificate of the broker (PEM). With it the check uses HTTPS." env:"MEDASSIST_BROKER_TLS_CERT" type:"path" placeholder:"FILE"`
	TLSKey     string        `help:"Private key of the certificate (PEM)." env:"MEDASSIST_BROKER_TLS_KEY" type:"path" placeholder:"FILE"`
	brokerTLS  `embed:""`
}

const (
	healthTimeout = 3 * time.Second // limits one check
	healthPause   = 250 * time.Millisecond
)

// Run requests /healthz, or /v1/health of a broker. It is the container images'
// health check.
func (c *healthcheckCmd) Run(ctx context.Context) error {
	url, err := c.target()
	if err != nil {
		return err
	}
	transport, err := c.transport()
	if err != nil {
		return err
	}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	deadline := time.Now().Add(c.Wait)
	for {
		err := c.check(ctx, client, url)
		if err == nil || ctx.Err() != nil || !time.Now().Before(deadline) {
			return err
		}
		select {
		case <-time.After(healthPause):
		case <-ctx.Done():
		}
	}
}

// check makes one request.
func (c *healthcheckCmd) check(ctx context.Context, client *http.Client, url string) error {
	what, path := "MedAssist", "/healthz"
	if c.Broker {
		what, path = "the broker", "/v1/health"
	}
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+path, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("%s is unreachable: %w", what, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s at %s is not ready: %s", what, url, resp.Status)
	}
	return nil
}

// target returns the base URL to check.
func (c *healthcheckCmd) target() (string, error) {
	if c.URL != "" {
		return strings.TrimRight(c.URL, "/"), nil
	}
	addr := cmp.Or(c.Addr, defaultAddr)
	if c.Broker {
		addr = cmp.Or(c.BrokerAddr, defaultBrokerAddr)
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil || port == "0" {
		return "", fmt.Errorf("can't tell the URL from the address %s; give the URL as an argument", addr)
	}
	url := localHostURL(host, port)
	if c.tls() {
		url = "https" + strings.TrimPrefix(url, "http")
	}
	return url, nil
}

// tls reports whether the broker at the configured address serves HTTPS.
func (c *healthcheckCmd) tls() bool { return c.Broker && c.TLSCert != "" }

// transport returns the transport of the check. It does not verify the certificate
// of a server at the configured address: that certificate names the broker as its
// clients do, not this machine, and the check sends no secret. A URL that is given
// as an argument is verified as usual. To a broker that requires a client certificate
// it presents the configured one, or the broker's own.
func (c *healthcheckCmd) transport() (*http.Transport, error) {
	client := c.brokerTLS
	if client.ClientCert == "" && c.tls() {
		client.ClientCert, client.ClientKey = c.TLSCert, c.TLSKey
	}
	cfg, err := client.config()
	if err != nil {
		return nil, err
	}
	cfg.InsecureSkipVerify = c.URL == "" && c.tls()
	t := directTransport()
	t.TLSClientConfig = cfg
	return t, nil
}
