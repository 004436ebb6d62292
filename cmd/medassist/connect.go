package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/devonartis/medassist-go/agents"
	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/broker"
	"github.com/devonartis/medassist-go/internal/cluster"
	"github.com/devonartis/medassist-go/setup"
	"github.com/devonartis/medassist-go/tools"
)

// connection is the demo's connection to its broker.
type connection struct {
	url      string
	embedded bool
	note     string // that the default port is taken
	app      *agentwrit.App
	admin    *agentwrit.Admin // nil without the admin secret
}

// The embedded broker's tokens name their issuer and who they are for. The gate and
// the records API refuse any others.
const (
	issuer   = "agentwrit"
	audience = "medassist"
)

// kind returns the label of the start-up line.
func (c connection) kind() string {
	if c.embedded {
		return "(embedded)"
	}
	return "(remote)"
}

// operator returns the admin client as an interface, or nil without the admin
// secret.
func (c connection) operator() agents.Operator {
	if c.admin == nil {
		return nil
	}
	return c.admin
}

// connect logs in to the configured broker, or starts the embedded one. The cluster
// is nil if there is no database.
func connect(ctx context.Context, cfg Config, replicas *cluster.Cluster, log *slog.Logger, closing *closers) (c connection, err error) {
	c.url = cfg.BrokerURL
	secret := cfg.AdminSecret
	if c.url == "" {
		if c, secret, err = embed(ctx, cfg, log, closing); err != nil {
			return c, err
		}
	}
	options, err := cfg.brokerTLS.options()
	if err != nil {
		return c, err
	}
	options = append(options, agentwrit.WithClock(cfg.clock))
	if c.embedded {
		options = append(options, agentwrit.WithHTTPClient(&http.Client{Transport: directTransport()}), agentwrit.WithIssuer(issuer), agentwrit.WithAudience(audience))
	}
	known := setup.Credentials{ClientID: cfg.ClientID, ClientSecret: cfg.ClientSecret}
	if secret != "" {
		if c.admin, err = agentwrit.NewAdmin(c.url, secret, options...); err != nil {
			return c, err
		}
	}
	if c.admin != nil && (c.embedded || known.ClientID == "") {
		if known, err = register(ctx, c, newCredentialStore(cfg, replicas, log), log, closing); err != nil {
			return c, err
		}
	}
	if replicas != nil && !c.embedded {
		options = append(options, agentwrit.WithTokenCache(sharedSession{replicas, "session" + brokerSuffix(cfg), log}))
	}
	if c.app, err = agentwrit.NewApp(c.url, known.ClientID, known.ClientSecret, options...); err != nil {
		return c, err
	}
	// Log in now so that the first run does not have to.
	switch err := c.app.Login(ctx); {
	case errors.Is(err, agentwrit.ErrAuthentication):
		return c, fmt.Errorf("the broker at %s rejects the app's credentials: check AGENTWRIT_CLIENT_ID and AGENTWRIT_CLIENT_SECRET, or run `medassist setup`: %w", c.url, err)
	case errors.Is(err, agentwrit.ErrRateLimited):
		log.WarnContext(ctx, "the broker limits the app's logins; runs wait until the next one is possible", "error", err)
	case err != nil:
		log.WarnContext(ctx, "login at the broker failed; runs will fail until it succeeds", "error", err)
	}
	return c, nil
}

// embed starts a broker in this process on its own port and returns its admin
// secret.
func embed(ctx context.Context, cfg Config, log *slog.Logger, closing *closers) (connection, string, error) {
	ln, note, err := listen(cfg.BrokerAddr, defaultBrokerAddr, "--broker-addr or MEDASSIST_BROKER_ADDR")
	if err != nil {
		return connection{}, "", err
	}
	b, err := broker.Open(ctx, broker.Config{Dir: cfg.file("broker"), Database: cfg.Database, DirectDatabase: cfg.DatabaseDirect, AdminSecret: cfg.AdminSecret,
		Issuer: issuer, Audience: []string{audience}, SecretCost: cfg.secretCost, Clock: cfg.clock, Logger: log, Version: version()})
	if err != nil {
		_ = ln.Close() // the first error counts
		return connection{}, "", fmt.Errorf("start the embedded broker: %w", err)
	}
	closing.add(b.Close)
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	served := make(chan error, 1)
	go func() { served <- b.Serve(serving, ln) }()
	closing.add(func() error {
		stop()
		return <-served
	})
	return connection{url: localURL(ln.Addr()), embedded: true, note: note}, b.AdminSecret(), nil
}

// credentialsFile returns the file with the credentials of the app that the demo
// registered at the configured broker, or "" if all data is kept in memory.
func credentialsFile(cfg Config) string { return cfg.file("app" + brokerSuffix(cfg) + ".json") }

// storedCredentials returns those credentials, or none.
func storedCredentials(cfg Config) (setup.Credentials, error) {
	path := credentialsFile(cfg)
	if path == "" {
		return setup.Credentials{}, nil
	}
	return setup.ReadFile(path)
}

// register returns the app's credentials from the store. If the broker does not know
// them it registers the app and stores the new ones. An app that a demo in memory
// registers at a remote broker is deleted when the demo stops.
func register(ctx context.Context, c connection, store credentialStore, log *slog.Logger, closing *closers) (setup.Credentials, error) {
	return store.update(ctx, func(stored setup.Credentials) (setup.Credentials, error) {
		r, err := setup.Register(ctx, c.admin, tools.Ceiling(), stored, true)
		if err == nil && r.Found == setup.FoundNothing && !c.embedded && !store.permanent() {
			closing.add(func() error {
				ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
				defer cancel()
				if _, err := c.admin.DeleteApp(ctx, r.App.AppID); err != nil {
					log.WarnContext(ctx, "can't delete the app that this demo registered", "app", r.App.AppID, "error", err)
				}
				return nil
			})
		}
		return r.Credentials, err
	})
}
