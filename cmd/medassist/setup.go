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

type setupCmd struct {
	BrokerURL   string `help:"The broker." env:"AGENTWRIT_BROKER_URL" default:"http://127.0.0.1:8080" placeholder:"URL"`
	AdminSecret string `help:"Its admin secret; better set in the environment." env:"AGENTWRIT_ADMIN_SECRET" placeholder:"SECRET"`
	ClientID    string `help:"The app's client ID, if it was registered before." env:"AGENTWRIT_CLIENT_ID" placeholder:"ID"`
	Write       bool   `help:"Write the credentials to .env, keeping what else is there."`
	Update      bool   `help:"Bring the ceiling of an app that is already registered up to date."`
	New         bool   `help:"Register another app even if there is one: the way on when its secret is lost."`
}

// Run registers the app, or says what it found.
func (c *setupCmd) Run(ctx context.Context, io stdio) error {
	if c.AdminSecret == "" {
		return errors.New("the broker's admin secret is needed: set AGENTWRIT_ADMIN_SECRET")
	}
	admin, err := agentwrit.NewAdmin(c.BrokerURL, c.AdminSecret)
	if err != nil {
		return err
	}
	health, err := admin.Health(ctx)
	if err != nil {
		return fmt.Errorf("%w; is the broker running, and is AGENTWRIT_BROKER_URL right?", err)
	}
	fmt.Fprintf(io.out, "broker   %s is %s (version %s)\n", c.BrokerURL, health.Status, health.Version)
	if err := admin.Login(ctx); err != nil {
		if errors.Is(err, agentwrit.ErrAuthentication) {
			return fmt.Errorf("%w; check AGENTWRIT_ADMIN_SECRET", err)
		}
		return err
	}
	known, err := c.known(ctx, admin)
	if err != nil {
		return err
	}
	r, err := setup.Register(ctx, admin, tools.Ceiling(), known, c.Update)
	if err != nil {
		return err
	}
	c.report(io, r)
	if r.Found != setup.FoundNothing {
		return nil
	}
	if !c.Write {
		fmt.Fprintln(io.out, "\nAdd these to .env or the environment; the secret is shown this once:")
		for _, key := range envOrder {
			fmt.Fprintf(io.out, "%s=%s\n", key, c.env(r)[key])
		}
		return nil
	}
	if err := setup.WriteEnv(".env", c.env(r), envOrder); err != nil {
		return fmt.Errorf("write .env: %w", err)
	}
	fmt.Fprintln(io.out, "written  .env")
	return nil
}

// known is the app to look for: the one that is named, else the one that bears
// our name, so that a second run does not register a second app.
func (c *setupCmd) known(ctx context.Context, admin *agentwrit.Admin) (setup.Credentials, error) {
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

var envOrder = []string{"AGENTWRIT_BROKER_URL", "AGENTWRIT_CLIENT_ID", "AGENTWRIT_CLIENT_SECRET"}

func (c *setupCmd) env(r setup.Result) map[string]string {
	return map[string]string{"AGENTWRIT_BROKER_URL": c.BrokerURL,
		"AGENTWRIT_CLIENT_ID": r.Credentials.ClientID, "AGENTWRIT_CLIENT_SECRET": r.Credentials.ClientSecret}
}

func (c *setupCmd) report(io stdio, r setup.Result) {
	switch {
	case r.Found == setup.FoundNothing:
		fmt.Fprintf(io.out, "app      %s registered as %s\n", r.App.Name, r.App.AppID)
	case r.Changed:
		fmt.Fprintf(io.out, "app      %s was there; its ceiling is up to date now\n", r.App.Name)
	case r.Found == setup.FoundOther:
		fmt.Fprintf(io.out, "app      %s is there with another ceiling; add --update to change it\n", r.App.Name)
		fmt.Fprintf(io.out, "has      %s\nneeds    %s\n", strings.Join(r.App.Scopes, " "), strings.Join(tools.Ceiling(), " "))
		return
	default:
		fmt.Fprintf(io.out, "app      %s is there, as it should be; nothing to do\n", r.App.Name)
	}
	fmt.Fprintf(io.out, "ceiling  %s\n", strings.Join(r.App.Scopes, " "))
	if r.Found != setup.FoundNothing && c.ClientID == "" {
		fmt.Fprintf(io.out, "client   %s; its secret was shown when it was registered. If it is lost, add --new for another app\n", r.App.ClientID)
	}
}
