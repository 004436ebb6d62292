package agentwrit_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/agentwrit/brokertest"
)

// newBroker starts a real broker for the examples and registers an app; the
// returned function stops it.
func newBroker() (url string, app *agentwrit.App, admin *agentwrit.Admin, stop func()) {
	t := &exampleT{}
	b := brokertest.Start(t)
	return b.URL, b.App(t, "read:records:*", "write:records:*"), b.Admin(t), t.cleanup
}

// exampleT lets brokertest serve examples, which have no *testing.T.
type exampleT struct {
	testing.TB
	cleanups []func()
}

func (t *exampleT) Helper()                           {}
func (t *exampleT) Context() context.Context          { return context.Background() }
func (t *exampleT) Cleanup(f func())                  { t.cleanups = append(t.cleanups, f) }
func (t *exampleT) Fatalf(format string, args ...any) { log.Fatalf(format, args...) }
func (t *exampleT) Errorf(format string, args ...any) { log.Fatalf(format, args...) }

func (t *exampleT) cleanup() {
	for i := len(t.cleanups) - 1; i >= 0; i-- {
		t.cleanups[i]()
	}
}

// An agent's whole life: created for a task, renewed, released, dead.
func Example() {
	_, app, _, stop := newBroker()
	defer stop()
	ctx := context.Background()

	agent, err := app.CreateAgent(ctx, agentwrit.AgentRequest{
		OrchID: "clinic", TaskID: "visit-17", Scope: []string{"read:records:P-1042"},
	})
	if err != nil {
		log.Fatal(err)
	}
	claims, err := app.Validate(ctx, agent.AccessToken())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(claims.Scope, claims.TaskID)

	if err := agent.Renew(ctx); err != nil {
		log.Fatal(err)
	}
	if err := agent.Release(ctx); err != nil {
		log.Fatal(err)
	}
	_, err = app.Validate(ctx, agent.AccessToken())
	fmt.Println(errors.Is(err, agentwrit.ErrTokenInvalid))
	// Output:
	// [read:records:P-1042] visit-17
	// true
}

func ExampleApp_CreateAgent_aboveTheCeiling() {
	_, app, _, stop := newBroker()
	defer stop()

	_, err := app.CreateAgent(context.Background(), agentwrit.AgentRequest{
		OrchID: "clinic", TaskID: "visit-17", Scope: []string{"read:payroll:*"},
	})
	fmt.Println(errors.Is(err, agentwrit.ErrAuthorization))
	// Output: true
}

func ExampleAgent_Delegate() {
	_, app, _, stop := newBroker()
	defer stop()
	ctx := context.Background()
	create := func(task string, scope ...string) *agentwrit.Agent {
		agent, err := app.CreateAgent(ctx, agentwrit.AgentRequest{OrchID: "clinic", TaskID: task, Scope: scope})
		if err != nil {
			log.Fatal(err)
		}
		return agent
	}
	doctor := create("visit", "read:records:P-1042", "write:records:P-1042")
	scribe := create("dictation", "read:records:P-1042")

	// The scribe may write, for as long as the doctor's authority lasts.
	pen, err := doctor.Delegate(ctx, scribe.ID(), []string{"write:records:P-1042"}, 0)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(pen.Scope(), pen.ID() == scribe.ID())

	// Nobody can hand on what they do not hold.
	_, err = doctor.Delegate(ctx, scribe.ID(), []string{"write:records:P-2187"}, 0)
	fmt.Println(errors.Is(err, agentwrit.ErrAuthorization))

	// What was delegated dies with whoever delegated it.
	if err := doctor.Release(ctx); err != nil {
		log.Fatal(err)
	}
	_, err = app.Validate(ctx, pen.AccessToken())
	fmt.Println(errors.Is(err, agentwrit.ErrTokenInvalid))
	// Output:
	// [write:records:P-1042] true
	// true
	// true
}

func ExampleValidate() {
	url, app, _, stop := newBroker()
	defer stop()
	ctx := context.Background()
	agent, err := app.CreateAgent(ctx, agentwrit.AgentRequest{OrchID: "o", TaskID: "t", Scope: []string{"read:records:P-1042"}})
	if err != nil {
		log.Fatal(err)
	}
	// Whoever is handed a token asks the broker; no credential is needed.
	claims, err := agentwrit.Validate(ctx, url, agent.AccessToken())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(agentwrit.ScopeIsSubset([]string{"read:records:P-1042"}, claims.Scope))
	fmt.Println(agentwrit.MissingScopes([]string{"read:records:P-2187"}, claims.Scope))
	// Output:
	// true
	// [read:records:P-2187]
}

func ExampleRequireScope() {
	_, app, _, stop := newBroker()
	defer stop()
	records := agentwrit.RequireScope(app, "read:records:P-1042")(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		claims, _ := agentwrit.ClaimsFrom(r.Context())
		fmt.Fprint(w, "hello, task ", claims.TaskID)
	}))
	agent, err := app.CreateAgent(context.Background(), agentwrit.AgentRequest{OrchID: "o", TaskID: "t-1", Scope: []string{"read:records:P-1042"}})
	if err != nil {
		log.Fatal(err)
	}
	for _, header := range []string{agent.BearerHeader(), ""} {
		w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", header)
		records.ServeHTTP(w, r)
		body, _, _ := strings.Cut(w.Body.String(), "{")
		fmt.Println(w.Code, body)
	}
	// Output:
	// 200 hello, task t-1
	// 401
}

func ExampleNewTransport() {
	_, app, _, stop := newBroker()
	defer stop()
	api := httptest.NewServer(agentwrit.RequireScope(app, "read:records:P-1042")(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "the records")
	})))
	defer api.Close()
	agent, err := app.CreateAgent(context.Background(), agentwrit.AgentRequest{OrchID: "o", TaskID: "t", Scope: []string{"read:records:P-1042"}})
	if err != nil {
		log.Fatal(err)
	}
	transport, err := agentwrit.NewTransport(agent, api.URL, nil)
	if err != nil {
		log.Fatal(err)
	}
	client := &http.Client{Transport: transport}
	resp, err := client.Get(api.URL)
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	fmt.Println(string(body))

	_, err = client.Get("http://elsewhere.example/")
	fmt.Println(errors.Is(err, agentwrit.ErrAuthorization))
	// Output:
	// the records
	// true
}

func ExampleNewOfflineVerifier() {
	url, app, _, stop := newBroker()
	defer stop()
	ctx := context.Background()
	agent, err := app.CreateAgent(ctx, agentwrit.AgentRequest{OrchID: "o", TaskID: "t", Scope: []string{"read:records:P-1042"}})
	if err != nil {
		log.Fatal(err)
	}
	verifier, err := agentwrit.NewOfflineVerifier(url)
	if err != nil {
		log.Fatal(err)
	}
	claims, err := verifier.Validate(ctx, agent.AccessToken())
	fmt.Println(claims.Scope, err)

	// The limit: a release is not known until the token expires.
	if err := agent.Release(ctx); err != nil {
		log.Fatal(err)
	}
	_, err = verifier.Validate(ctx, agent.AccessToken())
	fmt.Println(err)
	// Output:
	// [read:records:P-1042] <nil>
	// <nil>
}

func ExampleAdmin() {
	_, app, admin, stop := newBroker()
	defer stop()
	ctx := context.Background()
	agent, err := app.CreateAgent(ctx, agentwrit.AgentRequest{OrchID: "o", TaskID: "visit-17", Scope: []string{"read:records:P-1042"}})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := admin.Revoke(ctx, "task", "visit-17"); err != nil {
		log.Fatal(err)
	}
	_, err = app.Validate(ctx, agent.AccessToken())
	fmt.Println("dead:", errors.Is(err, agentwrit.ErrTokenInvalid))

	for e, err := range admin.AuditEvents(ctx, agentwrit.AuditFilter{TaskID: "visit-17"}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(e.EventType, e.Outcome)
	}
	// Output:
	// dead: true
	// agent_registered success
	// token_issued success
	// token_revoked success
}

func ExampleVerifyChain() {
	_, app, admin, stop := newBroker()
	defer stop()
	ctx := context.Background()
	if _, err := app.CreateAgent(ctx, agentwrit.AgentRequest{OrchID: "o", TaskID: "t", Scope: []string{"read:records:P-1042"}}); err != nil {
		log.Fatal(err)
	}
	_, kept, err := admin.Checkpoint(ctx) // keep it where the broker's host can't reach
	if err != nil {
		log.Fatal(err)
	}
	size, head, err := agentwrit.VerifyChain(admin.AuditEvents(ctx, agentwrit.AuditFilter{}), kept)
	fmt.Println(size >= kept.Size, len(head), err)
	// Output: true 64 <nil>
}

func ExampleError() {
	_, app, _, stop := newBroker()
	defer stop()
	_, err := app.CreateAgent(context.Background(), agentwrit.AgentRequest{OrchID: "../x", TaskID: "t", Scope: []string{"read:records:P-1042"}})
	var e *agentwrit.Error
	if errors.As(err, &e) {
		fmt.Println(e.Op, e.Status, e.Code, errors.Is(err, agentwrit.ErrInvalidRequest))
	}
	// Output: register agent 400 invalid_request true
}
