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

// testPatient is the patient of every agent that the preflight registers. No
// records exist for it.
var testPatient = patient.MustParseID("preflight")

// maxSkew is the difference between the broker's clock and ours above which
// the lifetimes on the page are misleading.
const maxSkew = 3 * time.Second

// Advice that several checks give.
const (
	raiseCeiling = "Run `medassist setup --update` with the broker's admin secret: it raises the ceiling to what the demo needs."
	willExpire   = "Its token expires within a minute. Look at the broker's log."
)

func (x *examination) broker(ctx context.Context) Result {
	h, err := x.Broker.Health(ctx)
	switch {
	case err != nil:
		return failed(describe(err), fmt.Sprintf("Check that the broker at %s is running and can be reached from here. Without AGENTWRIT_BROKER_URL the embedded broker is used.", x.BrokerURL))
	case h.Status != "ok":
		return failed(h.Status+": "+strings.Join(h.Problems, "; "), "Look at the broker's log and its disk.")
	}
	x.behind = time.Duration(h.ClockBehind) * time.Second
	return passed(fmt.Sprintf("%s is healthy, up for %s", x.BrokerURL, time.Duration(h.Uptime)*time.Second))
}

// createAgent registers an agent of the given category.
func (x *examination) createAgent(ctx context.Context, c tools.Category) (*agentwrit.Agent, error) {
	return x.Broker.CreateAgent(ctx, agentwrit.AgentRequest{OrchID: "medassist", TaskID: "preflight",
		Scope: tools.AgentScopes(c, testPatient), MaxTTL: time.Minute, Label: "medassist-preflight"})
}

// credentials registers one agent, validates its token, releases it and
// confirms that the token is no longer accepted.
func (x *examination) credentials(ctx context.Context) Result {
	agent, err := x.createAgent(ctx, tools.Billing)
	switch {
	case errors.Is(err, agentwrit.ErrAuthorization):
		return failed(describe(err), raiseCeiling)
	case errors.Is(err, agentwrit.ErrRateLimited):
		return failed(limited(err), "Check again then. A start of `medassist`, `check` or `doctor` logs in once, and a broker allows three logins in a row and then ten a minute for one client ID.")
	case err != nil:
		return failed(describe(err), "Check AGENTWRIT_CLIENT_ID and AGENTWRIT_CLIENT_SECRET. `medassist setup` registers the app and prints them.")
	}
	claims, err := x.Broker.Validate(ctx, agent.AccessToken())
	if err != nil {
		return failed("the broker rejects a token that it has just issued: "+describe(err), "Check that AGENTWRIT_BROKER_URL names the broker that issues the tokens, and look at its log.")
	}
	x.issued, x.skew = true, time.Unix(claims.IssuedAt, 0).Sub(x.Clock())
	token := agent.AccessToken()
	if err := agent.Release(ctx); err != nil {
		return failed("an agent could not be released: "+describe(err), willExpire)
	}
	switch _, err := x.Broker.Validate(ctx, token); {
	case err == nil:
		return failed("a released token is still valid", "Do not present with this broker: releasing a token has no effect.")
	case !errors.Is(err, agentwrit.ErrTokenInvalid):
		return failed("the release of a token could not be confirmed: "+describe(err), willExpire)
	}
	return passed("an agent was registered, validated and released; the broker confirmed the release")
}

// ceiling registers an agent of each category.
func (x *examination) ceiling(ctx context.Context) Result {
	if !x.issued {
		return skipped("no agent can be registered", "")
	}
	var lacking []string
	for _, c := range tools.Categories() {
		agent, err := x.createAgent(ctx, c)
		switch {
		case errors.Is(err, agentwrit.ErrAuthorization):
			lacking = append(lacking, string(c))
		case err != nil:
			return failed(describe(err), "Try again: the broker answered a moment ago.")
		default:
			if err := agent.Release(ctx); err != nil {
				return failed("an agent could not be released: "+describe(err), willExpire)
			}
		}
	}
	if len(lacking) > 0 {
		return failed("it is too low for: "+strings.Join(lacking, ", "), raiseCeiling)
	}
	return passed("it covers every agent of the demo")
}

func (x *examination) clocks(context.Context) Result {
	switch {
	case x.behind > 0:
		return warning(fmt.Sprintf("the broker's clock was set back: it is %s behind a time that the broker has seen before", x.behind), "Synchronize it with NTP. Until it has caught up, lifetimes are counted by the later time.")
	case !x.issued:
		return skipped("no token was issued to compare them by", "")
	case x.skew.Abs() > maxSkew:
		return warning(fmt.Sprintf("the broker's clock is off by %s", x.skew.Round(time.Second)), "Synchronize both machines with NTP: the lifetimes on the page are off by as much.")
	}
	return passed("the broker's clock and this machine's agree")
}

// promises asks the broker which promises it keeps.
func (x *examination) promises(ctx context.Context) Result {
	if !x.issued {
		return skipped("no agent can be registered", "")
	}
	p, err := x.Broker.Promises(ctx, tools.AgentScopes(tools.Billing, testPatient)[0])
	if err != nil {
		return failed("the broker could not be asked which promises it keeps: "+describe(err), "Try again: the broker answered a moment ago.")
	}
	var lacking []string
	for _, promise := range []struct {
		answer agentwrit.Answer
		words  string
	}{
		{p.Cascade, "does not revoke what an agent delegated when the agent is revoked"},
		{p.Checkpoints, "does not sign the head of its audit log"},
		{p.Keys, "does not serve the keys for offline verification"},
	} {
		if promise.answer != agentwrit.Kept {
			lacking = append(lacking, promise.words)
		}
	}
	if len(lacking) > 0 {
		return warning("this broker "+strings.Join(lacking, "; "), "The demo works, and its pages show what differs: see docs/agentwrit.md.")
	}
	return passed("revokes what was delegated, signs its audit log, serves its keys")
}

func (x *examination) auditChain(ctx context.Context) Result {
	if x.Admin == nil {
		return skipped("reading the audit log needs the broker's admin secret", "Set AGENTWRIT_ADMIN_SECRET to see the audit page and to revoke agents.")
	}
	var kept []agentwrit.Checkpoint
	_, c, err := x.Admin.Checkpoint(ctx)
	switch {
	case err == nil:
		kept = append(kept, c)
	case !errors.Is(err, agentwrit.ErrNotFound):
		return failed(describe(err), "Check that AGENTWRIT_ADMIN_SECRET belongs to this broker.")
	}
	n, _, err := agentwrit.VerifyChain(x.Admin.AuditEvents(ctx, agentwrit.AuditFilter{}), kept...)
	if err != nil {
		return failed(describe(err), "The broker's audit log was changed or is damaged: keep a copy, and see docs/operations.md.")
	}
	if len(kept) == 0 {
		return passed(fmt.Sprintf("%d events, hash chain intact; this broker signs no checkpoint to compare it with", n))
	}
	return passed(fmt.Sprintf("%d events, hash chain intact", n))
}

// limited describes a login that the broker refused because there were too many.
func limited(err error) string {
	var be *agentwrit.Error
	if errors.As(err, &be) && !be.RetryAt.IsZero() {
		return "rate limited; the next login is possible at " + be.RetryAt.UTC().Format("15:04:05 MST")
	}
	return "rate limited: too many logins"
}

// describe returns an error's text for people.
func describe(err error) string {
	var be *agentwrit.Error
	if errors.As(err, &be) && be.Detail != "" {
		return be.Detail
	}
	return err.Error()
}
