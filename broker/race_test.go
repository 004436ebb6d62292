package broker_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/broker"
)

// atOnce runs f n times, all released together.
func atOnce(n int, f func(i int)) {
	var ready, done sync.WaitGroup
	gate := make(chan struct{})
	ready.Add(n)
	for i := range n {
		done.Go(func() {
			ready.Done()
			<-gate
			f(i)
		})
	}
	ready.Wait()
	close(gate)
	done.Wait()
}

// A token is renewed by one of many at once, also when a revocation comes in
// between; then by none, or the one successor is revoked too.
func TestTokenIsRenewedOnce(t *testing.T) {
	h := start(t, broker.Config{Dir: folder(t)})
	admin := h.admin()
	clinic := h.newApp(admin, "clinic", "read:records:*")
	for round := range 12 {
		a := h.newAgent(clinic, fmt.Sprintf("t%d", round), "read:records:p1")
		revoked := round%2 == 1
		var won atomic.Int32
		var successor atomic.Value
		atOnce(17, func(i int) {
			if i == 16 {
				if revoked {
					h.revoke(admin, wire.RevokeAgent, a.id)
				}
				return
			}
			got, err := h.try("POST", "/v1/token/renew", a.token, nil)
			switch {
			case err != nil:
				t.Error(err)
			case got.status == 200:
				var out wire.RenewResponse
				got.into(t, &out)
				won.Add(1)
				successor.Store(out.AccessToken)
			case got.status != 401:
				t.Errorf("renewal: %d %s", got.status, got.body)
			}
		})
		if n := won.Load(); n > 1 || n == 0 && !revoked {
			t.Errorf("%d of 16 renewals of one token succeeded (revoked beside: %t)", n, revoked)
		}
		h.mustBeInvalid("the renewed token", a.token)
		if next, ok := successor.Load().(string); ok {
			h.check("the successor", next, revoked)
		}
	}
}

func TestNonceAndLaunchTokenAreSpentOnce(t *testing.T) {
	h := start(t, broker.Config{Dir: folder(t)})
	admin := h.admin()
	scope := []string{"read:records:p1"}
	reusable := false
	for name, bodies := range map[string]func() func() wire.RegisterRequest{
		"one launch token, a nonce each": func() func() wire.RegisterRequest {
			launch := h.launch(byAdmin, admin, nil, scope...)
			return func() wire.RegisterRequest {
				in := proof(t, h.nonce())
				in.LaunchToken = launch
				return in
			}
		},
		"one nonce, a launch token each": func() func() wire.RegisterRequest {
			nonce := h.nonce()
			return func() wire.RegisterRequest {
				in := proof(t, nonce)
				in.LaunchToken = h.launch(byAdmin, admin, func(in *wire.LaunchTokenRequest) { in.SingleUse = &reusable }, scope...)
				return in
			}
		},
		"one request, 32 times": func() func() wire.RegisterRequest {
			in := proof(t, h.nonce())
			in.LaunchToken = h.launch(byAdmin, admin, nil, scope...)
			return func() wire.RegisterRequest { return in }
		},
	} {
		t.Run(name, func(t *testing.T) {
			next := bodies()
			var requests []wire.RegisterRequest
			for range 32 {
				in := next()
				in.RequestedScope = scope
				requests = append(requests, in)
			}
			var won atomic.Int32
			atOnce(32, func(i int) {
				a, err := h.try("POST", "/v1/register", "", requests[i])
				switch {
				case err != nil:
					t.Error(err)
				case a.status == 200:
					won.Add(1)
				case a.status != 401:
					t.Errorf("%d %s", a.status, a.body)
				}
			})
			if won.Load() != 1 {
				t.Errorf("%d of 32 registered", won.Load())
			}
		})
	}
}

// Revoking an agent while its descendants renew and delegate leaves no valid token
// behind.
func TestConcurrentRevocation(t *testing.T) {
	h := start(t, broker.Config{Dir: folder(t)})
	admin := h.admin()
	clinic := h.newApp(admin, "clinic", "read:records:*")
	for round := range 6 {
		c := h.fiveHops(clinic, fmt.Sprintf("t%d", round))
		var mu sync.Mutex
		var tokens []string
		atOnce(2*len(c.chain)+1, func(i int) {
			if i == 2*len(c.chain) {
				h.revoke(admin, wire.RevokeAgent, c.agents[0].id)
				return
			}
			token := c.chain[i/2].token
			for range 3 {
				var a answer
				var err error
				if i%2 == 0 {
					a, err = h.try("POST", "/v1/token/renew", token, nil)
				} else {
					a, err = h.try("POST", "/v1/delegate", token, wire.DelegateRequest{DelegateTo: c.agents[1].id, Scope: []string{"read:records:p1"}})
				}
				if err != nil {
					t.Error(err)
					return
				}
				if a.status != 200 {
					return
				}
				var out wire.RenewResponse // a delegation's answer has the same member
				a.into(t, &out)
				if i%2 == 0 {
					token = out.AccessToken
				}
				mu.Lock()
				tokens = append(tokens, out.AccessToken)
				mu.Unlock()
			}
		})
		for _, token := range tokens {
			if h.claims(token) != nil {
				t.Error("a token of a revoked agent's chain is valid")
			}
		}
	}
}
