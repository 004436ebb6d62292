package agents

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/tools"
	"github.com/devonartis/medassist-go/trace"
)

// credential is a token of the run: whose it is, and the token itself inside
// its agent.
type credential struct {
	trace.Credential
	agent *agentwrit.Agent
	jti   atomic.Value // string: the token's ID, once the broker has said it
	dead  atomic.Bool  // revoked by our own operator
}

// String names the credential in a sentence.
func (c *credential) String() string {
	if c.Delegated {
		return "delegated " + c.Category
	}
	return c.Category
}

// preview is what may be seen of a token: twelve characters. They are taken
// from both ends, because all tokens of a broker begin alike, and a renewed one
// should look different.
func preview(token string) string {
	const end = 6
	if len(token) < 8*end {
		return "…"
	}
	return token[:end] + "…" + token[len(token)-end:]
}

// crew is a run's credentials: at most one agent of each category, and at most
// one delegated token. None is replaced: an agent that was revoked stays dead
// for its run, or a revocation would mean nothing.
type crew struct {
	mu  sync.Mutex
	all []*credential // in the order in which they were issued
}

func (c *crew) add(cred *credential) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, cred)
}

// find returns nil when there is no such credential.
func (c *crew) find(id trace.Credential) *credential {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, cred := range c.all {
		if cred.Credential == id {
			return cred
		}
	}
	return nil
}

// list is the credentials in the order in which they were issued.
func (c *crew) list() []*credential {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.all)
}

// delegatedFirst lists the credentials in the order in which they are ended: a
// delegated token would die with its delegator's release, before it could be
// released itself.
func (c *crew) delegatedFirst() []*credential {
	var lent, own []*credential
	for _, cred := range c.list() {
		if cred.Delegated {
			lent = append(lent, cred)
		} else {
			own = append(own, cred)
		}
	}
	return append(lent, own...)
}

// need is a tool call that needs a credential.
type need struct {
	tools.Call
	callID string
}

// agent returns the category's agent, and spawns it at the first call that
// needs it. When the broker refuses, that is told to the model.
func (e *encounter) agent(ctx context.Context, c tools.Category, n need) (*credential, *refusal, error) {
	id := trace.Credential{Category: string(c)}
	if have := e.crew.find(id); have != nil {
		return have, nil, nil
	}
	e.pace.wait(ctx, fmt.Sprintf("spawn the %s agent", c), true)
	scope := tools.AgentScopes(c, e.req.Patient)
	done := e.rec.span(trace.LaneBroker, "register")
	agent, err := issue(ctx, e, func(ctx context.Context) (*agentwrit.Agent, error) {
		return e.Broker.CreateAgent(ctx, agentwrit.AgentRequest{OrchID: e.OrchID, TaskID: e.id, Scope: scope,
			MaxTTL: e.tokenTTL(), Label: e.OrchID + "-" + string(c)})
	})
	span := done()
	if err != nil {
		return e.notSpawned(ctx, id, n, scope, err, span)
	}
	cred := &credential{Credential: id, agent: agent}
	e.crew.add(cred)
	e.rec.add(ctx, trace.StatusSuccess, capital(string(c))+" agent spawned", trace.AgentCreated{
		Credential: id, AgentID: agent.ID(), SPIFFEID: agent.ID(), Scope: agent.Scope(), Tools: c.Names(),
		TaskID: agent.TaskID(), OrchID: agent.OrchID(), ExpiresIn: seconds(agent.ExpiresIn()),
		TokenPreview: preview(agent.AccessToken()), Trigger: n.Tool.Name}, span)
	return cred, nil, e.showClaims(ctx, cred, "spawned")
}

// issue makes a call that issues a token. It is not cut short when the run is
// cancelled: its answer, if there is one, holds a token to be ended.
func issue(ctx context.Context, e *encounter, f func(context.Context) (*agentwrit.Agent, error)) (*agentwrit.Agent, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), e.Limits.BrokerCall)
	defer cancel()
	return f(limited)
}

func (e *encounter) notSpawned(ctx context.Context, id trace.Credential, n need, scope []string, err error, span trace.Span) (*credential, *refusal, error) {
	if ctx.Err() != nil && !isBrokerError(err) {
		return nil, nil, err // it was not tried
	}
	words, code, requestID := brokerWords(err)
	status, label := trace.StatusError, fmt.Sprintf("No %s agent: %s", id.Category, words)
	denied := errors.Is(err, agentwrit.ErrAuthorization)
	if denied {
		status = trace.StatusDenied
	}
	e.rec.add(ctx, status, label, trace.AgentError{Credential: id, Scope: scope, Trigger: n.Tool.Name,
		Error: words, ErrorCode: code, RequestID: requestID, AnswerLost: agentwrit.MayHaveIssued(err)}, span)
	if !denied {
		return nil, nil, e.brokerFailure(err)
	}
	return nil, &refusal{Error: "agent_refused", RefusedBy: string(trace.RefusedByBroker), RequiredScope: scope,
		Message: "The broker refused to register the " + id.Category + " agent: " + words}, nil
}

func isBrokerError(err error) bool {
	var be *agentwrit.Error
	return errors.As(err, &be)
}

// showClaims asks the broker about a new token and shows what it says.
func (e *encounter) showClaims(ctx context.Context, cred *credential, why string) error {
	e.pace.wait(ctx, fmt.Sprintf("validate the %s token", cred), true)
	limited, cancel := context.WithTimeout(ctx, e.Limits.BrokerCall)
	defer cancel()
	done := e.rec.span(trace.LaneBroker, "validate")
	claims, err := e.Broker.Validate(limited, cred.agent.AccessToken())
	span := done()
	step := trace.TokenValidated{Credential: cred.Credential, Context: why}
	switch {
	case errors.Is(err, agentwrit.ErrTokenInvalid):
		step.Error, _, _ = brokerWords(err)
		e.rec.add(ctx, trace.StatusDenied, fmt.Sprintf("The broker calls the %s token invalid", cred), step, span)
		return nil // its calls will be refused, one by one
	case err != nil && ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return e.brokerFailure(err)
	}
	cred.jti.Store(claims.ID)
	step.Valid, step.Subject, step.Scope, step.TokenID = true, claims.Subject, claims.Scope, claims.ID
	step.OrchID, step.TaskID, step.Issuer = claims.OrchID, claims.TaskID, claims.Issuer
	step.IssuedAt, step.ExpiresAt, step.Chain = claims.IssuedAt, claims.ExpiresAt, hops(claims.DelegationChain)
	e.rec.add(ctx, trace.StatusSuccess, fmt.Sprintf("The %s token holds %s", cred, strings.Join(claims.Scope, ", ")), step, span)
	return nil
}

func hops(chain []agentwrit.DelegationHop) []trace.Hop {
	var out []trace.Hop
	for _, h := range chain {
		out = append(out, trace.Hop{Agent: h.Agent, Scope: h.Scope, DelegatedAt: h.DelegatedAt})
	}
	return out
}

func (e *encounter) tokenTTL() time.Duration {
	if e.req.TokenTTL > 0 {
		return e.req.TokenTTL
	}
	return e.TokenTTL
}

func seconds(d time.Duration) int { return int(d.Round(time.Second) / time.Second) }
