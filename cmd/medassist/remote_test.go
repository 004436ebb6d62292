package main

import (
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/devonartis/medassist-go/agentwrit/brokertest"
	"github.com/devonartis/medassist-go/scenario"
	"github.com/devonartis/medassist-go/setup"
	"github.com/devonartis/medassist-go/tools"
)

// remoteConfig configures a demo with a remote broker.
func remoteConfig(b *brokertest.Broker) Config {
	return Config{BrokerURL: b.URL, LogLevel: "error", Data: "data", secretCost: bcrypt.MinCost}
}

// Every scenario passes with each kind of broker, with the admin secret and with an
// app's credentials alone.
func TestCheckWithEachBroker(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("TestScenarios runs the scenarios with the embedded broker")
	}
	brokertest.EachKind(t, func(t *testing.T, start brokertest.Starter) {
		t.Parallel()
		for name, login := range map[string]func(*Config, *brokertest.Broker){
			"admin secret": func(c *Config, b *brokertest.Broker) { c.AdminSecret = b.AdminSecret },
			"credentials": func(c *Config, b *brokertest.Broker) {
				rec := b.Register(t, tools.Ceiling()...)
				c.ClientID, c.ClientSecret = rec.ClientID, rec.ClientSecret
			},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				b := start(t)
				c := checkCmd{Config: remoteConfig(b)}
				c.Data = t.TempDir()
				login(&c.Config, b)
				before := activeApps(t, b)
				var out, log strings.Builder
				if err := c.Run(t.Context(), stdio{&out, &log}); err != nil {
					t.Errorf("%v\n%s\n%s", err, out.String(), log.String())
				}
				if n := strings.Count(out.String(), "✓"); n != len(scenario.All()) {
					t.Errorf("%d of %d scenarios passed:\n%s", n, len(scenario.All()), out.String())
				}
				if after := activeApps(t, b); after != before {
					t.Errorf("%d apps are registered, %d were before", after, before)
				}
			})
		}
	})
}

func activeApps(t *testing.T, b *brokertest.Broker) (n int) {
	t.Helper()
	apps, err := b.Admin(t).Apps(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range apps {
		if a.Status == "active" {
			n++
		}
	}
	return n
}

// doctor names the promises that the broker does not keep, uses the app that the
// demo has registered, and leaves none of its own behind.
func TestDoctorAtTheReferenceBroker(t *testing.T) {
	b := brokertest.StartReference(t)
	c := doctorCmd{Config: remoteConfig(b)}
	c.AdminSecret, c.Data = b.AdminSecret, t.TempDir()
	doctor := func() string {
		t.Helper()
		var out, log strings.Builder
		if err := c.Run(t.Context(), stdio{&out, &log}); err != nil {
			t.Errorf("%v\n%s\n%s", err, out.String(), log.String())
		}
		return out.String()
	}
	if said := doctor(); !strings.Contains(said, "! promises") || !strings.Contains(said, "docs/agentwrit.md") || strings.Contains(said, "✕") {
		t.Error(said)
	}
	if n := activeApps(t, b); n != 0 {
		t.Errorf("%d apps are left", n)
	}
	// The app of a demo that runs there is used.
	r, err := setup.Register(t.Context(), b.Admin(t), tools.Ceiling(), setup.Credentials{}, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := setup.WriteFile(credentialsFile(c.Config), r.Credentials); err != nil {
		t.Fatal(err)
	}
	all, err := b.Admin(t).Apps(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	doctor()
	if after, err := b.Admin(t).Apps(t.Context()); err != nil || len(after) != len(all) || activeApps(t, b) != 1 {
		t.Errorf("%d apps before, %d after: %v", len(all), len(after), err)
	}
}

// What the demo states about the embedded broker is what that answers.
func TestEmbeddedPromises(t *testing.T) {
	got, err := brokertest.Start(t).App(t, "read:data:*").Promises(t.Context(), "read:data:x")
	if err != nil || got != embeddedPromises {
		t.Errorf("%+v, %v, want %+v", got, err, embeddedPromises)
	}
}
