//go:build !race

package conformance

import (
	"net/http"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/agentwrit/brokertest"
)

// The test uses every operation of the broker through the SDK. Each request and
// each response, errors included, must conform to the OpenAPI document.
func TestBrokerConformsToItsOpenAPI(t *testing.T) {
	doc := open(t, "../../docs/openapi/broker.yaml")
	client := &http.Client{Transport: doc.transport(http.DefaultTransport)}
	with := agentwrit.WithHTTPClient(client)
	b, ctx := brokertest.Start(t), t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	refused := func(what string, err error) {
		t.Helper()
		if err == nil {
			t.Errorf("%s was let through", what)
		}
	}

	admin, err := agentwrit.NewAdmin(b.URL, b.AdminSecret, with)
	must(err)
	_, err = admin.Health(ctx)
	must(err)
	rec, err := admin.RegisterApp(ctx, agentwrit.CreateAppRequest{Name: "clinic", Scopes: []string{"read:records:*", "write:records:*"}})
	must(err)
	_, err = admin.RegisterApp(ctx, agentwrit.CreateAppRequest{Name: "Not A Name", Scopes: []string{"read:records:*"}})
	refused("a bad name", err)
	_, err = admin.Apps(ctx)
	must(err)
	_, err = admin.App(ctx, rec.AppID)
	must(err)
	_, err = admin.App(ctx, "app-none")
	refused("an unknown app", err)
	_, err = admin.UpdateApp(ctx, rec.AppID, agentwrit.UpdateAppRequest{Scopes: []string{"read:records:*"}})
	must(err)
	_, err = admin.CreateLaunchToken(ctx, agentwrit.LaunchTokenRequest{AgentName: "a", AllowedScope: []string{"read:records:p1"}})
	must(err)

	app, err := agentwrit.NewApp(b.URL, rec.ClientID, rec.ClientSecret, with)
	must(err)
	from, err := app.CreateAgent(ctx, agentwrit.AgentRequest{OrchID: "o", TaskID: "t", Scope: []string{"read:records:p1"}})
	must(err)
	to, err := app.CreateAgent(ctx, agentwrit.AgentRequest{OrchID: "o", TaskID: "t", Scope: []string{"read:records:p2"}})
	must(err)
	_, err = app.CreateAgent(ctx, agentwrit.AgentRequest{OrchID: "o", TaskID: "t", Scope: []string{"write:records:p1"}})
	refused("more than the ceiling", err)
	_, err = app.Validate(ctx, from.AccessToken())
	must(err)
	_, err = app.Validate(ctx, "garbage")
	refused("garbage", err)
	delegated, err := from.Delegate(ctx, to.ID(), []string{"read:records:p1"}, 30*time.Second)
	must(err)
	_, err = from.Delegate(ctx, to.ID(), []string{"read:records:p2"}, 30*time.Second)
	refused("a delegation of what is not held", err)
	must(to.Renew(ctx))
	must(to.Release(ctx))
	_, err = admin.Revoke(ctx, "agent", from.ID())
	must(err)
	_, err = admin.Revoke(ctx, "planet", "x")
	refused("an unknown level", err)
	refused("a renewal after revocation", delegated.Renew(ctx))
	_, err = admin.AuditPage(ctx, agentwrit.AuditFilter{Limit: 1000})
	must(err)
	_, _, err = admin.Checkpoint(ctx)
	must(err)
	for _, path := range []string{"/v1/metrics", "/v1/audit/events"} {
		resp, err := client.Get(b.URL + path)
		must(err)
		resp.Body.Close()
	}
	wrong, err := agentwrit.NewApp(b.URL, rec.ClientID, "wrong", with)
	must(err)
	refused("a wrong secret", wrong.Login(ctx))
	_, err = admin.DeleteApp(ctx, rec.AppID)
	must(err)
	if unseen := doc.unseen(); len(unseen) > 0 {
		t.Errorf("never seen to work: %v", unseen)
	}
}
