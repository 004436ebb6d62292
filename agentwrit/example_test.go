package agentwrit_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"sync"

	"github.com/devonartis/medassist-go/agentwrit"
)

func ExampleNewApp() {
	brokerURL, clientID, clientSecret := startBroker()

	app, err := agentwrit.NewApp(brokerURL, clientID, clientSecret)
	if err != nil {
		log.Fatal(err)
	}
	defer app.Close()
	fmt.Println(app.Login(context.Background()))

	// The address is checked at once; the credentials when they are used.
	_, err = agentwrit.NewApp("broker.example", clientID, clientSecret)
	fmt.Println(err)
	// Output:
	// <nil>
	// agentwrit: parse broker URL: invalid broker URL: it must have the form https://broker.example
}

func ExampleApp_CreateAgent() {
	app, _ := newApp()

	agent, err := app.CreateAgent(context.Background(), agentwrit.AgentRequest{
		OrchID: "clinic", TaskID: "visit-17", Scope: []string{"read:records:P-1042"},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(agent.TaskID(), agent.Scope(), agent.ExpiresIn() > 0)
	// Output: visit-17 [read:records:P-1042] true
}

// The broker refuses an agent whose scope exceeds the application's ceiling.
func ExampleApp_CreateAgent_ceiling() {
	app, _ := newApp()

	_, err := app.CreateAgent(context.Background(), agentwrit.AgentRequest{
		OrchID: "clinic", TaskID: "visit-17", Scope: []string{"read:payroll:*"},
	})
	fmt.Println(errors.Is(err, agentwrit.ErrAuthorization))
	// Output: true
}

func ExampleApp_Close() {
	app, _ := newApp()
	agent := newAgent(app, "visit-17", "read:records:P-1042")

	if err := app.Close(); err != nil {
		log.Fatal(err)
	}
	err := app.Login(context.Background())
	fmt.Println(errors.Is(err, agentwrit.ErrClosed))

	// Agents keep their tokens.
	fmt.Println(agent.Release(context.Background()))
	// Output:
	// true
	// <nil>
}

func ExampleAgent_Renew() {
	app, _ := newApp()
	ctx := context.Background()
	agent := newAgent(app, "visit-17", "read:records:P-1042")

	old := agent.AccessToken()
	if err := agent.Renew(ctx); err != nil {
		log.Fatal(err)
	}
	_, err := app.Validate(ctx, old)
	fmt.Println("old token invalid:", errors.Is(err, agentwrit.ErrTokenInvalid))
	_, err = app.Validate(ctx, agent.AccessToken())
	fmt.Println("new token:", err)
	// Output:
	// old token invalid: true
	// new token: <nil>
}

func ExampleAgent_Release() {
	app, _ := newApp()
	ctx := context.Background()
	agent := newAgent(app, "visit-17", "read:records:P-1042")

	if err := agent.Release(ctx); err != nil {
		log.Fatal(err)
	}
	_, err := app.Validate(ctx, agent.AccessToken())
	fmt.Println("invalid:", errors.Is(err, agentwrit.ErrTokenInvalid))
	err = agent.Renew(ctx)
	fmt.Println("can't be renewed:", errors.Is(err, agentwrit.ErrReleased))
	// Output:
	// invalid: true
	// can't be renewed: true
}

func ExampleAgent_Delegate() {
	app, _ := newApp()
	ctx := context.Background()
	doctor := newAgent(app, "visit", "read:records:P-1042", "write:records:P-1042")
	scribe := newAgent(app, "dictation", "read:records:P-1042")

	// The scribe receives a second token, with which it may write.
	delegated, err := doctor.Delegate(ctx, scribe.ID(), []string{"write:records:P-1042"}, 0)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(delegated.Scope(), delegated.ID() == scribe.ID())

	// An agent can't delegate scopes that it does not hold.
	_, err = doctor.Delegate(ctx, scribe.ID(), []string{"write:records:P-2187"}, 0)
	fmt.Println(errors.Is(err, agentwrit.ErrAuthorization))

	// Releasing the doctor's token revokes what was delegated from it.
	if err := doctor.Release(ctx); err != nil {
		log.Fatal(err)
	}
	_, err = app.Validate(ctx, delegated.AccessToken())
	fmt.Println(errors.Is(err, agentwrit.ErrTokenInvalid))
	// Output:
	// [write:records:P-1042] true
	// true
	// true
}

func ExampleNewValidator() {
	brokerURL, clientID, clientSecret := startBroker()
	app, err := agentwrit.NewApp(brokerURL, clientID, clientSecret)
	if err != nil {
		log.Fatal(err)
	}
	agent := newAgent(app, "visit-17", "read:records:P-1042")

	// A service needs the broker's address, and no credential.
	validator, err := agentwrit.NewValidator(brokerURL)
	if err != nil {
		log.Fatal(err)
	}
	claims, err := validator.Validate(context.Background(), agent.AccessToken())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(claims.TaskID, claims.Scope)

	_, err = validator.Validate(context.Background(), "forged")
	fmt.Println(errors.Is(err, agentwrit.ErrTokenInvalid))
	// Output:
	// visit-17 [read:records:P-1042]
	// true
}

func ExampleValidate() {
	brokerURL, clientID, clientSecret := startBroker()
	app, err := agentwrit.NewApp(brokerURL, clientID, clientSecret)
	if err != nil {
		log.Fatal(err)
	}
	agent := newAgent(app, "visit-17", "read:records:P-1042")

	claims, err := agentwrit.Validate(context.Background(), brokerURL, agent.AccessToken())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(claims.Subject == agent.ID())
	// Output: true
}

func ExampleScopeIsSubset() {
	held := []string{"read:records:*", "write:records:P-1042"}
	fmt.Println(agentwrit.ScopeIsSubset([]string{"read:records:P-2187"}, held))
	fmt.Println(agentwrit.ScopeIsSubset([]string{"write:records:P-2187"}, held))
	// Output:
	// true
	// false
}

func ExampleMissingScopes() {
	held := []string{"read:records:P-1042"}
	fmt.Println(agentwrit.MissingScopes([]string{"read:records:P-1042", "read:labs:P-1042"}, held))
	// Output: [read:labs:P-1042]
}

func ExampleParseScope() {
	scope, err := agentwrit.ParseScope("read:data:acme:reports")
	fmt.Println(scope.Action, scope.Resource, scope.Identifier, err)

	_, err = agentwrit.ParseScope("read:data:acme:*")
	fmt.Println(err)
	// Output:
	// read data acme:reports <nil>
	// invalid scope format: use action:resource:identifier
}

func ExampleNewAdmin() {
	brokerURL, adminSecret := exampleBrokerAdmin()
	ctx := context.Background()

	admin, err := agentwrit.NewAdmin(brokerURL, adminSecret)
	if err != nil {
		log.Fatal(err)
	}
	defer admin.Close()
	record, err := admin.RegisterApp(ctx, agentwrit.CreateAppRequest{
		Name: "billing-assistant", Scopes: []string{"read:billing:*"},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(record.Name, record.ClientID != "", record.ClientSecret != "")
	// Output: billing-assistant true true
}

func ExampleAdmin_Revoke() {
	app, admin := newApp()
	ctx := context.Background()
	agent := newAgent(app, "task-to-stop", "read:records:P-1042")

	if _, err := admin.Revoke(ctx, agentwrit.RevokeTask, "task-to-stop"); err != nil {
		log.Fatal(err)
	}
	_, err := app.Validate(ctx, agent.AccessToken())
	fmt.Println("invalid:", errors.Is(err, agentwrit.ErrTokenInvalid))
	// Output: invalid: true
}

func ExampleAdmin_AuditEvents() {
	app, admin := newApp()
	ctx := context.Background()
	if err := newAgent(app, "task-to-review", "read:records:P-1042").Release(ctx); err != nil {
		log.Fatal(err)
	}

	for event, err := range admin.AuditEvents(ctx, agentwrit.AuditFilter{TaskID: "task-to-review"}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(event.EventType, event.Outcome)
	}
	// Output:
	// agent_registered success
	// token_issued success
	// token_released success
}

func ExampleVerifyChain() {
	app, admin := newApp()
	ctx := context.Background()
	newAgent(app, "visit-17", "read:records:P-1042")

	// Save checkpoints where the broker's host has no access.
	_, saved, err := admin.Checkpoint(ctx)
	if err != nil {
		log.Fatal(err)
	}
	size, _, err := agentwrit.VerifyChain(admin.AuditEvents(ctx, agentwrit.AuditFilter{}), saved)
	fmt.Println(size >= saved.Size, err)
	// Output: true <nil>
}

func ExampleParseKeys() {
	_, admin := newApp()
	ctx := context.Background()
	keys, err := admin.Keys(ctx)
	if err != nil {
		log.Fatal(err)
	}
	file, err := keys.MarshalJSON() // save it once, over a connection that you trust
	if err != nil {
		log.Fatal(err)
	}
	note, _, err := admin.Checkpoint(ctx)
	if err != nil {
		log.Fatal(err)
	}

	// Later, without the broker:
	trusted, err := agentwrit.ParseKeys(file)
	if err != nil {
		log.Fatal(err)
	}
	checkpoint, err := trusted.OpenCheckpoint(note)
	fmt.Println(checkpoint.Origin, checkpoint.Size > 0, err)
	// Output: agentwrit.local/audit true <nil>
}

func ExampleError() {
	app, _ := newApp()
	_, err := app.CreateAgent(context.Background(), agentwrit.AgentRequest{
		OrchID: "../x", TaskID: "t", Scope: []string{"read:records:P-1042"},
	})
	var e *agentwrit.Error
	if errors.As(err, &e) {
		fmt.Println(e.Op, e.Status, e.Code, errors.Is(err, agentwrit.ErrInvalidRequest))
	}
	// Output: register agent 400 invalid_request true
}

// A test of code that handles errors builds one itself.
func ExampleError_test() {
	err := error(&agentwrit.Error{Op: "validate token", Kind: agentwrit.ErrUnavailable, Detail: "maintenance"})
	fmt.Println(errors.Is(err, agentwrit.ErrUnavailable), err)
	// Output: true agentwrit: validate token: maintenance
}

// A successor ends what a process that no longer runs has left valid. The token
// comes from where the first process stored it, encrypted.
func ExampleApp_Resume() {
	app, _ := newApp()
	ctx := context.Background()
	stored := newAgent(app, "visit-17", "read:records:P-1042").AccessToken()

	agent, err := app.Resume(ctx, stored)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(agent.TaskID(), agent.Scope(), agent.Release(ctx))

	_, err = app.Resume(ctx, stored)
	fmt.Println(errors.Is(err, agentwrit.ErrTokenInvalid))
	// Output:
	// visit-17 [read:records:P-1042] <nil>
	// true
}

// sessions is a cache in memory. One for several processes encrypts what it stores
// where all of them can read it.
type sessions struct {
	mu   sync.Mutex
	last []byte
}

func (s *sessions) Load(context.Context) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

func (s *sessions) Save(_ context.Context, session []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = session
}

func ExampleWithTokenCache() {
	brokerURL, clientID, clientSecret := startBroker()
	cache := &sessions{}

	for range 5 { // a broker permits three logins in a row
		app, err := agentwrit.NewApp(brokerURL, clientID, clientSecret, agentwrit.WithTokenCache(cache))
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(app.Login(context.Background()))
		app.Close()
	}
	// Output:
	// <nil>
	// <nil>
	// <nil>
	// <nil>
	// <nil>
}
