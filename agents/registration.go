package agents

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/internal/text"
	"github.com/devonartis/medassist-go/tools"
	"github.com/devonartis/medassist-go/trace"
)

// agent returns the agent of a category. It creates the agent at the first call
// that needs one. A refusal by the broker goes back to the model.
func (e *encounter) agent(ctx context.Context, c tools.Category, call toolCall) (*credential, *refusal, error) {
	id := trace.Credential{Category: string(c)}
	if have := e.credentials.find(id); have != nil {
		return have, nil, nil
	}
	e.pace.wait(ctx, fmt.Sprintf("create the %s agent", c), true)
	scope := tools.AgentScopes(c, e.req.Patient)
	done := e.rec.span(trace.LaneBroker, "register")
	cred, err := issue(ctx, e, id, fmt.Sprintf("create the %s agent", c), func(ctx context.Context) (*agentwrit.Agent, error) {
		return e.Broker.CreateAgent(ctx, agentwrit.AgentRequest{OrchID: e.OrchID, TaskID: e.id, Scope: scope,
			MaxTTL: e.tokenTTL(), Label: e.OrchID + "-" + string(c)})
	})
	span := done()
	if err != nil {
		refused, err := e.registrationFailed(ctx, id, call, scope, err, span)
		return nil, refused, err
	}
	agent := cred.agent
	e.rec.add(ctx, trace.StatusSuccess, text.Capitalize(string(c))+" agent created", trace.AgentCreated{
		Credential: id, AgentID: agent.ID(), SPIFFEID: agent.ID(), Scope: agent.Scope(), Tools: c.Names(),
		TaskID: agent.TaskID(), OrchID: agent.OrchID(), ExpiresIn: seconds(agent.ExpiresIn()),
		TokenPreview: preview(agent.AccessToken()), Trigger: call.Tool.Name}, span)
	return cred, nil, e.showClaims(ctx, cred, "spawned")
}

// issue makes a call that issues a token. A cancellation of the run does not cut
// the call short: its response may hold a token, which must be released.
func issue(ctx context.Context, e *encounter, id trace.Credential, operation string, f func(context.Context) (*agentwrit.Agent, error)) (cred *credential, err error) {
	err = e.patiently(ctx, operation, func() error {
		leave, err := e.queue(ctx, operation)
		if err != nil {
			return err
		}
		defer leave()
		e.expectToken(ctx, id)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), e.Limits.BrokerCall)
		defer cancel()
		agent, err := f(limited)
		if err != nil {
			if !agentwrit.MayHaveIssued(err) {
				e.refusedToken(ctx, id)
			}
			return err
		}
		cred = &credential{Credential: id, agent: agent}
		return nil
	})
	if err != nil {
		return nil, err
	}
	e.credentials.add(cred)
	e.issuedToken(ctx, cred)
	return cred, nil
}

func (e *encounter) registrationFailed(ctx context.Context, id trace.Credential, call toolCall, scope []string, err error, span trace.Span) (*refusal, error) {
	if ctx.Err() != nil && !isBrokerError(err) {
		return nil, err // the request was not sent
	}
	be := describeBrokerError(err)
	status := trace.StatusError
	denied := errors.Is(err, agentwrit.ErrAuthorization)
	if denied {
		status = trace.StatusDenied
	}
	step := trace.AgentError{Credential: id, Scope: scope, Trigger: call.Tool.Name,
		Error: be.reason, ErrorCode: be.code, RequestID: be.requestID}
	if agentwrit.MayHaveIssued(err) {
		step.AnswerLost, step.ValidUntil = true, e.issuedUntil()
	}
	e.rec.add(ctx, status, fmt.Sprintf("%s agent not created: %s", text.Capitalize(id.Category), be.reason), step, span)
	if !denied {
		return nil, e.brokerFailure(err)
	}
	return &refusal{Error: "agent_refused", RefusedBy: string(trace.RefusedByBroker), RequiredScope: scope,
		Message: "The broker refused to register the " + id.Category + " agent: " + be.reason}, nil
}

// showClaims asks the broker about a new token and shows its claims. The reason
// becomes the step's context.
func (e *encounter) showClaims(ctx context.Context, cred *credential, reason string) error {
	e.pace.wait(ctx, fmt.Sprintf("validate the %s token", cred), true)
	done := e.rec.span(trace.LaneBroker, "validate")
	var claims *agentwrit.Claims
	err := e.patiently(ctx, fmt.Sprintf("validate the %s token", cred), func() (err error) {
		claims, err = e.claimsOf(ctx, cred)
		return err
	})
	span := done()
	step := trace.TokenValidated{Credential: cred.Credential, Context: reason}
	name := text.Capitalize(cred.String()) + " token"
	switch {
	case errors.Is(err, agentwrit.ErrTokenInvalid):
		step.Error = describeBrokerError(err).reason
		e.rec.add(ctx, trace.StatusDenied, name+" is not valid: "+step.Error, step, span)
		return nil // its calls will be refused, one by one
	case err != nil && ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return e.brokerFailure(err)
	}
	step.Valid, step.Subject, step.Scope, step.TokenID = true, claims.Subject, claims.Scope, claims.ID
	step.OrchID, step.TaskID, step.Issuer, step.Audience = claims.OrchID, claims.TaskID, claims.Issuer, claims.Audience
	step.NotBefore, step.IssuedAt, step.ExpiresAt = claims.NotBefore, claims.IssuedAt, claims.ExpiresAt
	step.Chain, step.ChainHash, step.Header = hops(claims.DelegationChain), claims.ChainHash, header(cred.agent.AccessToken())
	e.rec.add(ctx, trace.StatusSuccess, name+" holds "+strings.Join(claims.Scope, ", "), step, span)
	return nil
}

// claimsOf asks the broker for the claims of a credential's token.
func (c *Config) claimsOf(ctx context.Context, cred *credential) (*agentwrit.Claims, error) {
	limited, cancel := context.WithTimeout(ctx, c.Limits.BrokerCall)
	defer cancel()
	claims, err := c.Broker.Validate(limited, cred.agent.AccessToken())
	if err == nil {
		cred.jti.Store(claims.ID)
	}
	return claims, err
}

func hops(chain []agentwrit.DelegationHop) []trace.Hop {
	var out []trace.Hop
	for _, h := range chain {
		out = append(out, trace.Hop{Agent: h.Agent, Scope: h.Scope, DelegatedAt: h.DelegatedAt})
	}
	return out
}

// issuedUntil returns the time, in Unix seconds, until which a token that the
// broker may just have issued can be valid.
func (e *encounter) issuedUntil() int64 { return e.Clock().Add(e.tokenTTL()).Unix() + 1 }

func (e *encounter) tokenTTL() time.Duration {
	if e.req.TokenTTL > 0 {
		return e.req.TokenTTL
	}
	return e.TokenTTL
}

func seconds(d time.Duration) int { return int(d.Round(time.Second) / time.Second) }
