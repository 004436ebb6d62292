package agentwrit_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"testing"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/agentwrit/brokertest"
)

// exampleBroker is the broker of all examples. It runs until the test binary
// ends.
var exampleBroker *brokertest.Broker

func TestMain(m *testing.M) {
	code := m.Run()
	exampleTB.cleanup()
	os.Exit(code)
}

// startBroker returns the address of a running broker and the credentials of an
// application that is registered there.
func startBroker() (brokerURL, clientID, clientSecret string) {
	if exampleBroker == nil {
		exampleBroker = brokertest.Start(exampleTB)
	}
	rec := exampleBroker.Register(exampleTB, "read:records:*", "write:records:*")
	return exampleBroker.URL, rec.ClientID, rec.ClientSecret
}

// exampleBrokerAdmin returns the address and the admin secret of a running broker.
func exampleBrokerAdmin() (brokerURL, adminSecret string) {
	startBroker()
	return exampleBroker.URL, exampleBroker.AdminSecret
}

// newApp returns a client for a newly registered application, and its broker's
// operator.
func newApp() (*agentwrit.App, *agentwrit.Admin) {
	url, id, secret := startBroker()
	app, err := agentwrit.NewApp(url, id, secret)
	if err != nil {
		log.Fatal(err)
	}
	return app, exampleBroker.Admin(exampleTB)
}

// newAgent returns an agent with these scopes.
func newAgent(app *agentwrit.App, task string, scope ...string) *agentwrit.Agent {
	agent, err := app.CreateAgent(context.Background(), agentwrit.AgentRequest{OrchID: "clinic", TaskID: task, Scope: scope})
	if err != nil {
		log.Fatal(err)
	}
	return agent
}

// exampleTB lets brokertest serve examples, which have no testing.TB.
var exampleTB = &fakeTB{}

type fakeTB struct {
	testing.TB
	cleanups []func()
}

func (t *fakeTB) Helper()                           {}
func (t *fakeTB) Context() context.Context          { return context.Background() }
func (t *fakeTB) Cleanup(f func())                  { t.cleanups = append(t.cleanups, f) }
func (t *fakeTB) Fatalf(format string, args ...any) { log.Fatalf(format, args...) }
func (t *fakeTB) Errorf(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

func (t *fakeTB) cleanup() {
	for i := len(t.cleanups) - 1; i >= 0; i-- {
		t.cleanups[i]()
	}
}
