package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/devonartis/medassist-go/broker"
	"github.com/devonartis/medassist-go/internal/boundedlog"
)

// brokerCmd runs the embedded broker on its own.
type brokerCmd struct {
	Addr           string `help:"Address (default 127.0.0.1:8080, or the next free port)." env:"MEDASSIST_BROKER_ADDR" placeholder:"HOST:PORT"`
	Data           string `help:"Data folder; the broker uses its subfolder broker, as the demo does." env:"MEDASSIST_DATA" default:"data" type:"path"`
	Ephemeral      bool   `help:"Keep no data after the process ends." env:"MEDASSIST_EPHEMERAL"`
	Database       string `help:"PostgreSQL database that several brokers share, instead of a data folder. Prefer the environment variable, since the URL can contain a password." env:"MEDASSIST_DATABASE_URL" placeholder:"URL"`
	DatabaseDirect string `help:"The same database without a pooler in between, if the URL leads to one in transaction mode." env:"MEDASSIST_DATABASE_DIRECT_URL" placeholder:"URL"`
	AdminSecret    string `help:"The admin secret, at least 16 characters; generated and stored if empty. Prefer the environment variable." env:"AGENTWRIT_ADMIN_SECRET" placeholder:"SECRET"`

	TrustDomain string   `help:"SPIFFE trust domain of the agents." env:"MEDASSIST_BROKER_TRUST_DOMAIN" default:"agentwrit.local" placeholder:"NAME"`
	Issuer      string   `help:"Issuer claim of the tokens." env:"MEDASSIST_BROKER_ISSUER" placeholder:"URL"`
	Audience    []string `help:"Audience claim of the tokens." env:"MEDASSIST_BROKER_AUDIENCE" placeholder:"NAME"`

	AdminTokenTTL  time.Duration `help:"Lifetime of admin tokens." env:"MEDASSIST_BROKER_ADMIN_TOKEN_TTL" default:"5m"`
	AppTokenTTL    time.Duration `help:"Lifetime of app tokens if the registration does not set one." env:"MEDASSIST_BROKER_APP_TOKEN_TTL" default:"30m"`
	AgentTTL       time.Duration `help:"Lifetime of agent tokens if the launch token does not set one." env:"MEDASSIST_BROKER_AGENT_TTL" default:"5m"`
	LaunchTokenTTL time.Duration `help:"Lifetime of launch tokens if the request does not set one." env:"MEDASSIST_BROKER_LAUNCH_TOKEN_TTL" default:"30s"`
	DelegationTTL  time.Duration `help:"Lifetime of delegated tokens if the request does not set one." env:"MEDASSIST_BROKER_DELEGATION_TTL" default:"1m"`
	MaxTTL         time.Duration `help:"Longest lifetime of any token; longer ones are shortened to it." env:"MEDASSIST_BROKER_MAX_TTL" default:"24h"`

	TLSCert      string         `help:"Certificate (PEM). With it the broker serves HTTPS." env:"MEDASSIST_BROKER_TLS_CERT" type:"path" and:"tls" placeholder:"FILE"`
	TLSKey       string         `help:"Private key of the certificate (PEM)." env:"MEDASSIST_BROKER_TLS_KEY" type:"path" and:"tls" placeholder:"FILE"`
	TLSClientCA  string         `name:"tls-client-ca" help:"CA certificates (PEM). With them, clients must present a certificate that one of them signed." env:"MEDASSIST_BROKER_TLS_CLIENT_CA" type:"path" placeholder:"FILE"`
	TrustedProxy []netip.Prefix `help:"Proxies whose X-Forwarded-For header is trusted; none by default." env:"MEDASSIST_BROKER_TRUSTED_PROXIES" placeholder:"CIDR"`
	Host         []string       `help:"Further host names under which a proxy on this machine serves the broker." env:"MEDASSIST_BROKER_HOSTS" placeholder:"NAME"`
	LogLevel     string         `help:"Log level: debug, info, warn or error." env:"MEDASSIST_LOG_LEVEL" default:"info" enum:"debug,info,warn,error"`

	ready func(url string) // called when the broker accepts requests; for tests
}

// gcPercent is the broker's GOGC. Its live heap is a few megabytes, so at Go's
// default of 100 it would be collected twenty times a second under load, which
// costs a fifth of the throughput.
const gcPercent = 400

// Run serves the broker until ctx ends.
func (c *brokerCmd) Run(ctx context.Context, std stdio) (err error) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	cfg, err := c.config(std)
	if err != nil {
		return err
	}
	ln, note, err := listen(c.Addr, defaultBrokerAddr, "--addr or MEDASSIST_BROKER_ADDR")
	if err != nil {
		return err
	}
	b, err := broker.Open(ctx, cfg)
	if err != nil {
		_ = ln.Close() // the first error counts
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()

	url := localURL(ln.Addr())
	if cfg.TLS != nil {
		url = "https" + strings.TrimPrefix(url, "http")
	}
	printf(std.out, "broker  %s%s\n", url, note)
	if cfg.Database != "" {
		printf(std.out, "data    PostgreSQL, shared with other brokers\n")
	} else {
		printf(std.out, "data    %s\n", location(cfg.Dir))
	}
	printf(std.out, "admin   %s\n", c.adminSecret(cfg.Dir, b.AdminSecret()))
	if cfg.TLS == nil && !isLoopback(ln.Addr()) {
		printf(std.out, "warning tokens and secrets are sent unencrypted beyond this machine: use --tls-cert and --tls-key, or a TLS proxy\n")
	}
	if c.ready != nil {
		c.ready(url)
	}
	return b.Serve(ctx, ln)
}

// config returns the broker's configuration.
func (c *brokerCmd) config(std stdio) (broker.Config, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.LogLevel)); err != nil {
		return broker.Config{}, err
	}
	cfg := broker.Config{
		AdminSecret:    c.AdminSecret,
		TrustDomain:    c.TrustDomain,
		Issuer:         c.Issuer,
		Audience:       c.Audience,
		AdminTokenTTL:  c.AdminTokenTTL,
		AppTokenTTL:    c.AppTokenTTL,
		AgentTTL:       c.AgentTTL,
		LaunchTokenTTL: c.LaunchTokenTTL,
		DelegationTTL:  c.DelegationTTL,
		MaxTTL:         c.MaxTTL,
		TrustedProxies: c.TrustedProxy,
		Hosts:          c.Host,
		Logger:         slog.New(boundedlog.New(slog.NewTextHandler(std.err, &slog.HandlerOptions{Level: level}))),
		Version:        version(),
	}
	if cfg.Database, cfg.DirectDatabase = c.Database, c.DatabaseDirect; c.Database == "" && !c.Ephemeral {
		cfg.Dir = filepath.Join(c.Data, "broker")
	}
	var err error
	cfg.TLS, err = c.tls()
	return cfg, err
}

// tls returns the TLS configuration, nil for plain HTTP.
func (c *brokerCmd) tls() (*tls.Config, error) {
	if c.TLSCert == "" {
		if c.TLSClientCA != "" {
			return nil, errors.New("client certificates need TLS: set --tls-cert and --tls-key")
		}
		return nil, nil
	}
	cert, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey)
	if err != nil {
		return nil, fmt.Errorf("TLS certificate: %w", err)
	}
	cfg := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	if c.TLSClientCA == "" {
		return cfg, nil
	}
	pem, err := os.ReadFile(c.TLSClientCA)
	if err != nil {
		return nil, fmt.Errorf("CA of client certificates: %w", err)
	}
	cfg.ClientCAs, cfg.ClientAuth = x509.NewCertPool(), tls.RequireAndVerifyClientCert
	if !cfg.ClientCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("CA of client certificates: %s contains no certificate", c.TLSClientCA)
	}
	return cfg, nil
}

// location describes where the broker keeps its data.
func location(dir string) string {
	if dir == "" {
		return "temporary, deleted when the broker stops"
	}
	return dir
}

// adminSecret describes where to find the admin secret. It contains the secret
// only if it is stored nowhere else.
func (c *brokerCmd) adminSecret(dir, secret string) string {
	switch {
	case c.AdminSecret != "":
		return "uses the configured secret"
	case dir != "":
		return "secret stored in " + filepath.Join(dir, broker.AdminSecretFile)
	default:
		return "secret " + secret
	}
}
