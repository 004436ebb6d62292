package broker_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/agentwrit/wire"
)

const killWriters = 8

// ledger is what a broker has acknowledged: it must hold after any end.
type ledger struct {
	mu     sync.Mutex
	tokens map[string]tokenState // by token
	events map[string]string     // audit event that must be there: text in it, by what it is of
}

type tokenState int

const (
	inDoubt tokenState = iota // its end was asked for, and not acknowledged
	validToken
	revokedToken
)

func (l *ledger) set(token string, f tokenState) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tokens[token] = f
}

func (l *ledger) expect(event wire.EventType, about string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events[string(event)+" "+about] = about
}

// TestKillLosesNothingAcknowledged kills a broker with SIGKILL under eight
// writers, again and again, on the same files. MEDASSIST_KILL_ROUNDS sets how
// often.
func TestKillLosesNothingAcknowledged(t *testing.T) {
	t.Parallel()
	rounds := 5
	if testing.Short() {
		rounds = 2
	}
	if s := os.Getenv("MEDASSIST_KILL_ROUNDS"); s != "" {
		var err error
		if rounds, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	c := startChild(t, dir)
	clinic := c.newApp(c.loginAdmin(), "clinic", "read:records:*")
	c.kill()

	l := &ledger{tokens: make(map[string]tokenState), events: make(map[string]string)}
	var chain wire.Chain
	var acknowledged int
	for round := range rounds {
		c = startChild(t, dir)
		admin := c.loginAdmin()
		var writers sync.WaitGroup
		for w := range killWriters {
			writers.Go(func() { c.writeUntilDead(l, clinic, admin, fmt.Sprintf("r%d-w%d", round, w)) })
		}
		time.Sleep(time.Duration(20+rand.IntN(120)) * time.Millisecond)
		c.kill()
		writers.Wait()

		c = startChild(t, dir)
		chain = c.checkLedger(l, chain, c.loginAdmin())
		c.kill()
		acknowledged += len(l.tokens)
		if t.Failed() {
			t.Fatalf("in round %d", round)
		}
		l.tokens, l.events = make(map[string]tokenState), make(map[string]string)
	}
	t.Logf("%d rounds, %d tokens acknowledged, %d audit events", rounds, acknowledged, chain.Size)
}

func (c *child) loginAdmin() string {
	c.t.Helper()
	var auth wire.AuthResponse
	c.want(200, "POST", "/v1/admin/auth", "", wire.AdminAuthRequest{Secret: childSecret}, &auth)
	return auth.AccessToken
}

// writeUntilDead registers agents and ends, renews or keeps their tokens, and
// notes in the ledger what the broker said, until the broker says no more.
func (c *child) writeUntilDead(l *ledger, clinic app, admin, name string) {
	scope := []string{"read:records:p1"}
	for i := 0; ; i++ {
		task := fmt.Sprintf("%s-%d", name, i)
		var launch wire.LaunchTokenResponse
		if !c.acknowledged("POST", byApp, clinic.token, wire.LaunchTokenRequest{AgentName: task, AllowedScope: scope}, &launch) {
			return
		}
		l.expect(wire.EventLaunchTokenIssued, task)
		var challenge wire.Challenge
		if !c.acknowledged("GET", "/v1/challenge", "", nil, &challenge) {
			return
		}
		in := proof(c.t, challenge.Nonce)
		in.LaunchToken, in.RequestedScope, in.TaskID = launch.LaunchToken, scope, task
		var agent wire.RegisterResponse
		if !c.acknowledged("POST", "/v1/register", "", in, &agent) {
			return
		}
		l.set(agent.AccessToken, validToken)
		l.expect(wire.EventAgentRegistered, agent.AgentID)

		var body any
		path, bearer, event, about := "/v1/token/release", agent.AccessToken, wire.EventTokenReleased, agent.AgentID
		switch i % 4 {
		case 1:
			path, bearer, event = "/v1/revoke", admin, wire.EventTokenRevoked
			body = wire.RevokeRequest{Level: wire.RevokeAgent, Target: agent.AgentID}
		case 2:
			path, bearer, event, about = "/v1/revoke", admin, wire.EventTokenRevoked, task
			body = wire.RevokeRequest{Level: wire.RevokeTask, Target: task}
		case 3:
			path, event = "/v1/token/renew", wire.EventTokenRenewed
		}
		l.set(agent.AccessToken, inDoubt)
		var renewed wire.RenewResponse
		if !c.acknowledged("POST", path, bearer, body, &renewed) {
			return
		}
		l.set(agent.AccessToken, revokedToken)
		l.expect(event, about)
		if renewed.AccessToken != "" {
			l.set(renewed.AccessToken, validToken)
		}
	}
}

// acknowledged reports whether the broker carried a request out and said so.
func (c *child) acknowledged(method, path, bearer string, body, out any) bool {
	a, err := c.try(method, path, bearer, body)
	if err != nil {
		return false // killed
	}
	if a.status >= 300 {
		c.t.Errorf("%s %s: %d %s", method, path, a.status, a.body)
		return false
	}
	if len(a.body) > 0 {
		a.into(c.t, out)
	}
	return true
}

// checkLedger checks a restarted broker against what the one before it said,
// and the audit log from where the last check left it.
func (c *child) checkLedger(l *ledger, chain wire.Chain, admin string) wire.Chain {
	c.t.Helper()
	if h, _ := c.health(); h.Status != wire.HealthOK {
		c.t.Errorf("health = %+v", h)
	}
	for token, f := range l.tokens {
		if valid := c.claims(token) != nil; f != inDoubt && valid != (f == validToken) {
			c.t.Errorf("a token that was acknowledged as valid: %t is now valid: %t", f == validToken, valid)
		}
	}
	for {
		var page wire.AuditPage
		c.want(200, "GET", fmt.Sprintf("/v1/audit/events?limit=1000&offset=%d", chain.Size), admin, nil, &page)
		for _, e := range page.Events {
			if err := chain.Add(e); err != nil {
				c.t.Fatal(err)
			}
			for _, about := range []string{e.AgentID, e.TaskID, agentName(e.Detail)} {
				delete(l.events, string(e.EventType)+" "+about)
			}
		}
		if len(page.Events) < 1000 {
			break
		}
	}
	for missing := range l.events {
		c.t.Errorf("acknowledged but not in the audit log: %s", missing)
	}
	return chain
}

// agentName returns the name in `launch token for "<name>" allowed=…`.
func agentName(detail string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(detail, `launch token for "`), `"`)
	return name
}
