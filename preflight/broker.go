package preflight

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/patient"
	"github.com/devonartis/medassist-go/tools"
)

// nobody is a patient who is in no records.
var nobody = func() patient.ID {
	id, err := patient.ParseID("preflight")
	if err != nil {
		panic(err)
	}
	return id
}()

// maxSkew is how far clocks may be apart before tokens seem to live longer or
// shorter than they do.
const maxSkew = 3 * time.Second

const raiseCeiling = "`medassist setup --update` with the broker's admin secret raises the ceiling to what the demo needs."

func (x *examination) broker(ctx context.Context) (State, string, string) {
	h, err := x.Broker.Health(ctx)
	switch {
	case err != nil:
		return Failed, words(err), fmt.Sprintf("Does the broker at %s run, and can it be reached from here? Without AGENTWRIT_BROKER_URL the embedded one is used.", x.BrokerURL)
	case h.Status != "ok":
		return Failed, h.Status + ": " + strings.Join(h.Problems, "; "), "Look at the broker's log and its disk."
	}
	return OK, fmt.Sprintf("%s answers: ok, up for %s", x.BrokerURL, time.Duration(h.Uptime)*time.Second), ""
}

// credentials takes one agent through its whole life.
func (x *examination) credentials(ctx context.Context) (State, string, string) {
	const login = "Are AGENTWRIT_CLIENT_ID and AGENTWRIT_CLIENT_SECRET right? `medassist setup` registers the app and prints them."
	agent, err := x.Broker.CreateAgent(ctx, agentwrit.AgentRequest{OrchID: "medassist", TaskID: "preflight",
		Scope: tools.AgentScopes(tools.Billing, nobody), MaxTTL: time.Minute, Label: "medassist-preflight"})
	switch {
	case errors.Is(err, agentwrit.ErrAuthorization):
		return Failed, words(err), raiseCeiling
	case err != nil:
		return Failed, words(err), login
	}
	claims, err := x.Broker.Validate(ctx, agent.AccessToken())
	if err != nil {
		return Failed, "a new token is called invalid: " + words(err), "Is this the broker that issued it? Look at its log."
	}
	x.issued, x.skew = true, time.Unix(claims.IssuedAt, 0).Sub(x.Clock())
	token := agent.AccessToken()
	if err := agent.Release(ctx); err != nil {
		return Failed, "an agent could not be released: " + words(err), "Its token dies by itself within a minute. Look at the broker's log."
	}
	if _, err := x.Broker.Validate(ctx, token); !errors.Is(err, agentwrit.ErrTokenInvalid) {
		return Failed, "a released token is not dead", "Do not present with this broker: what it calls released still works."
	}
	return OK, "an agent was registered, validated, released and proven dead", ""
}

// ceiling asks for what each kind of agent needs.
func (x *examination) ceiling(ctx context.Context) (State, string, string) {
	if !x.issued {
		return Skipped, "no agent can be registered", ""
	}
	var lacking []string
	for _, c := range tools.Categories() {
		agent, err := x.Broker.CreateAgent(ctx, agentwrit.AgentRequest{OrchID: "medassist", TaskID: "preflight",
			Scope: tools.AgentScopes(c, nobody), MaxTTL: time.Minute, Label: "medassist-preflight"})
		switch {
		case errors.Is(err, agentwrit.ErrAuthorization):
			lacking = append(lacking, string(c))
		case err != nil:
			return Failed, words(err), "Try again: the broker answered a moment ago."
		default:
			if err := agent.Release(ctx); err != nil {
				return Failed, "an agent could not be released: " + words(err), "Its token dies by itself within a minute."
			}
		}
	}
	if len(lacking) > 0 {
		return Failed, "it is too low for: " + strings.Join(lacking, ", "), raiseCeiling
	}
	return OK, "it covers every agent of the demo", ""
}

func (x *examination) clocks(context.Context) (State, string, string) {
	switch {
	case !x.issued:
		return Skipped, "there is no token to compare them by", ""
	case x.skew.Abs() > maxSkew:
		return Warning, fmt.Sprintf("the broker's clock is %s off", x.skew.Round(time.Second)), "Set both by NTP: times to live on the page are off by as much."
	}
	return OK, "the broker's and this machine's agree", ""
}

func (x *examination) auditChain(ctx context.Context) (State, string, string) {
	if x.Admin == nil {
		return Skipped, "the trail can't be read without the broker's admin secret", "Set AGENTWRIT_ADMIN_SECRET to see the audit page and to revoke."
	}
	var kept []agentwrit.Checkpoint
	_, c, err := x.Admin.Checkpoint(ctx)
	switch {
	case err == nil:
		kept = append(kept, c)
	case !errors.Is(err, agentwrit.ErrNotFound):
		return Failed, words(err), "Is AGENTWRIT_ADMIN_SECRET this broker's?"
	}
	n, _, err := agentwrit.VerifyChain(x.Admin.AuditEvents(ctx, agentwrit.AuditFilter{}), kept...)
	if err != nil {
		return Failed, words(err), "Someone changed the broker's trail, or it is damaged: keep a copy, and see docs/operations.md."
	}
	return OK, fmt.Sprintf("%d events, each follows from the one before it", n), ""
}

// words are an error for people.
func words(err error) string {
	var be *agentwrit.Error
	if errors.As(err, &be) && be.Detail != "" {
		return be.Detail
	}
	return err.Error()
}
