package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/devonartis/medassist-go/broker"
)

// brokerCmd runs the embedded broker alone.
type brokerCmd struct {
	Addr        string `help:"Address (127.0.0.1:8080, or the next free port)." env:"MEDASSIST_BROKER_ADDR" placeholder:"HOST:PORT"`
	Data        string `help:"Folder for its database, in broker/ below it, as in the demo." env:"MEDASSIST_DATA" default:"data" type:"path"`
	Ephemeral   bool   `help:"Keep everything in memory; nothing is left behind." env:"MEDASSIST_EPHEMERAL"`
	AdminSecret string `help:"The admin secret, 16 characters or more; one is made and stored if none is given. Better set in the environment." env:"AGENTWRIT_ADMIN_SECRET" placeholder:"SECRET"`

	TrustDomain string   `help:"SPIFFE trust domain of the agents." env:"MEDASSIST_BROKER_TRUST_DOMAIN" default:"agentwrit.local" placeholder:"NAME"`
	Issuer      string   `help:"The tokens' issuer claim." env:"MEDASSIST_BROKER_ISSUER" placeholder:"URL"`
	Audience    []string `help:"The tokens' audience claim." env:"MEDASSIST_BROKER_AUDIENCE" placeholder:"NAME"`

	AdminTokenTTL  time.Duration `help:"Life of the admin's tokens." env:"MEDASSIST_BROKER_ADMIN_TOKEN_TTL" default:"5m"`
	AgentTTL       time.Duration `help:"Life of agents' tokens, where a launch token doesn't say." env:"MEDASSIST_BROKER_AGENT_TTL" default:"5m"`
	LaunchTokenTTL time.Duration `help:"Life of launch tokens, where the request doesn't say." env:"MEDASSIST_BROKER_LAUNCH_TOKEN_TTL" default:"30s"`
	DelegationTTL  time.Duration `help:"Life of delegated tokens, where the request doesn't say." env:"MEDASSIST_BROKER_DELEGATION_TTL" default:"1m"`

	TLSCert      string         `help:"Certificate, PEM; with it the broker serves HTTPS." env:"MEDASSIST_BROKER_TLS_CERT" type:"path" and:"tls" placeholder:"FILE"`
	TLSKey       string         `help:"Its private key, PEM." env:"MEDASSIST_BROKER_TLS_KEY" type:"path" and:"tls" placeholder:"FILE"`
	TrustedProxy []netip.Prefix `help:"Proxies whose X-Forwarded-For is believed; nobody's is by default." env:"MEDASSIST_BROKER_TRUSTED_PROXIES" placeholder:"CIDR"`
	LogLevel     string         `help:"debug, info, warn or error." env:"MEDASSIST_LOG_LEVEL" default:"info" enum:"debug,info,warn,error"`

	ready func(url string) // called once it answers; for tests
}

// gcPercent: the broker's live heap is a few megabytes, and at Go's default it
// would be collected twenty times a second. Worth a fifth of the throughput.
const gcPercent = 400

// Run serves until ctx ends.
func (c *brokerCmd) Run(ctx context.Context, io stdio) error {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	cfg, err := c.config(io)
	if err != nil {
		return err
	}
	ln, note, err := listen(c.Addr, defaultBrokerAddr, "--addr or MEDASSIST_BROKER_ADDR")
	if err != nil {
		return err
	}
	b, err := broker.Open(ctx, cfg)
	if err != nil {
		ln.Close()
		return err
	}
	defer b.Close()

	url := reachable(ln.Addr())
	if cfg.TLS != nil {
		url = "https" + strings.TrimPrefix(url, "http")
	}
	fmt.Fprintf(io.out, "broker  %s%s\n", url, note)
	fmt.Fprintf(io.out, "data    %s\n", c.where(cfg.Dir))
	fmt.Fprintf(io.out, "admin   %s\n", c.secretIs(cfg.Dir, b.AdminSecret()))
	if cfg.TLS == nil && !isLoopback(ln.Addr()) {
		fmt.Fprintln(io.out, "warning tokens and secrets travel unencrypted beyond this machine: give --tls-cert and --tls-key, or put a proxy in front")
	}
	if c.ready != nil {
		c.ready(url)
	}
	if err := b.Serve(ctx, ln); err != nil {
		return err
	}
	return b.Close()
}

func (c *brokerCmd) config(io stdio) (broker.Config, error) {
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
		AgentTTL:       c.AgentTTL,
		LaunchTokenTTL: c.LaunchTokenTTL,
		DelegationTTL:  c.DelegationTTL,
		TrustedProxies: c.TrustedProxy,
		Logger:         slog.New(slog.NewTextHandler(io.err, &slog.HandlerOptions{Level: level})),
		Version:        version(),
	}
	if !c.Ephemeral {
		cfg.Dir = filepath.Join(c.Data, "broker")
	}
	if c.TLSCert != "" {
		cert, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey)
		if err != nil {
			return cfg, fmt.Errorf("TLS certificate: %w", err)
		}
		cfg.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	}
	return cfg, nil
}

func (c *brokerCmd) where(dir string) string {
	if dir == "" {
		return "in memory, gone when it stops"
	}
	return dir
}

// secretIs says where the admin secret is to be found; one that is nowhere else
// is shown.
func (c *brokerCmd) secretIs(dir, secret string) string {
	switch {
	case c.AdminSecret != "":
		return "with the secret that was given"
	case dir != "":
		return "with the secret in " + filepath.Join(dir, broker.AdminSecretFile)
	default:
		return "with the secret " + secret
	}
}
