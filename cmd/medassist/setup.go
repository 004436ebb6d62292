package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/setup"
	"github.com/devonartis/medassist-go/tools"
)

// setupCmd registers the app with a broker.
type setupCmd struct {
	BrokerURL   string `help:"URL of the broker." env:"AGENTWRIT_BROKER_URL" default:"http://127.0.0.1:8080" placeholder:"URL"`
	AdminSecret string `help:"The broker's admin secret. Prefer the environment variable." env:"AGENTWRIT_ADMIN_SECRET" placeholder:"SECRET"`
	ClientID    string `help:"The app's client ID, if it is already registered." env:"AGENTWRIT_CLIENT_ID" placeholder:"ID"`
	brokerTLS   `embed:""`
	Write       bool `help:"Write the credentials to .env. Other lines stay as they are."`
	Update      bool `help:"Update the ceiling of an app that is already registered."`
	New         bool `help:"Register another app even if one exists, for example because its secret is lost."`
}

// Run registers the app, or reports the one that is registered.
func (c *setupCmd) Run(ctx context.Context, std stdio) error {
	if c.AdminSecret == "" {
		return errors.New("no admin secret: set AGENTWRIT_ADMIN_SECRET")
	}
	options, err := c.brokerTLS.options()
	if err != nil {
		return err
	}
	admin, err := agentwrit.NewAdmin(c.BrokerURL, c.AdminSecret, options...)
	if err != nil {
		return err
	}
	health, err := admin.Health(ctx)
	if err != nil {
		return fmt.Errorf("%w; check that the broker is running and that AGENTWRIT_BROKER_URL is correct", err)
	}
	printf(std.out, "broker   %s, status %s, version %s\n", c.BrokerURL, health.Status, health.Version)
	if err := admin.Login(ctx); err != nil {
		if errors.Is(err, agentwrit.ErrAuthentication) {
			return fmt.Errorf("%w; check AGENTWRIT_ADMIN_SECRET", err)
		}
		return err
	}
	if c.Write { // before there is a secret that must not be lost
		if err := setup.CheckEnv(envFile); err != nil {
			return fmt.Errorf("can't write %s: %w; nothing was registered", envFile, err)
		}
	}
	existing, err := c.existing(ctx, admin)
	if err != nil {
		return err
	}
	r, err := setup.Register(ctx, admin, tools.Ceiling(), existing, c.Update)
	if err != nil {
		return err
	}
	c.report(std, r)
	if r.Found != setup.FoundNothing {
		return nil
	}
	if !c.Write {
		printf(std.out, "\nAdd these to %s or the environment. The secret is shown only once:\n", envFile)
		c.printEnv(std, r)
		return nil
	}
	if err := setup.WriteEnv(envFile, c.env(r), envOrder); err != nil {
		printf(std.out, "\nThe app is registered, but %s was not written. Add these lines yourself; the secret is shown only once:\n", envFile)
		c.printEnv(std, r)
		return fmt.Errorf("can't write %s: %w", envFile, err)
	}
	printf(std.out, "written  %s\n", envFile)
	return nil
}

// printEnv prints the variables for a .env file.
func (c *setupCmd) printEnv(std stdio, r setup.Result) {
	for _, key := range envOrder {
		printf(std.out, "%s=%s\n", key, c.env(r)[key])
	}
}

// existing returns the client ID of the app to look for: the configured one, or
// else that of the active app named AppName, so that a second run does not
// register a second app.
func (c *setupCmd) existing(ctx context.Context, admin *agentwrit.Admin) (setup.Credentials, error) {
	switch {
	case c.New:
		return setup.Credentials{}, nil
	case c.ClientID != "":
		return setup.Credentials{ClientID: c.ClientID}, nil
	}
	apps, err := admin.Apps(ctx)
	if err != nil {
		return setup.Credentials{}, fmt.Errorf("list the broker's apps: %w", err)
	}
	for _, a := range apps {
		if a.Name == setup.AppName && a.Status == "active" {
			return setup.Credentials{ClientID: a.ClientID}, nil
		}
	}
	return setup.Credentials{}, nil
}

// envOrder lists the variables that setup writes, in order.
var envOrder = []string{"AGENTWRIT_BROKER_URL", "AGENTWRIT_CLIENT_ID", "AGENTWRIT_CLIENT_SECRET"}

// env returns the values of these variables.
func (c *setupCmd) env(r setup.Result) map[string]string {
	return map[string]string{"AGENTWRIT_BROKER_URL": c.BrokerURL,
		"AGENTWRIT_CLIENT_ID": r.Credentials.ClientID, "AGENTWRIT_CLIENT_SECRET": r.Credentials.ClientSecret}
}

// report prints what Register found and did.
func (c *setupCmd) report(std stdio, r setup.Result) {
	switch {
	case r.Found == setup.FoundNothing:
		printf(std.out, "app      %s registered as %s\n", r.App.Name, r.App.AppID)
	case r.Changed:
		printf(std.out, "app      %s: ceiling updated\n", r.App.Name)
	case r.Found == setup.FoundOther:
		printf(std.out, "app      %s is registered with a different ceiling; use --update to change it\n", r.App.Name)
		printf(std.out, "current  %s\nrequired %s\n", strings.Join(r.App.Scopes, " "), strings.Join(tools.Ceiling(), " "))
		return
	default:
		printf(std.out, "app      %s is already registered; nothing to do\n", r.App.Name)
	}
	printf(std.out, "ceiling  %s\n", strings.Join(r.App.Scopes, " "))
	if r.Found != setup.FoundNothing && c.ClientID == "" {
		printf(std.out, "client   %s; its secret was shown at registration. If it is lost, register another app with --new\n", r.App.ClientID)
	}
}
