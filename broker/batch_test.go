package broker

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/broker/internal/nonce"
	"github.com/devonartis/medassist-go/broker/internal/store"
	"github.com/devonartis/medassist-go/internal/random"
)

// call is a request that is to be part of a batch.
type call struct {
	method, path, token string
	body                any
}

// oneBatch makes the calls so that the writer finds them all waiting, in this
// order, and carries them out in one transaction. It returns their statuses.
func oneBatch(t *testing.T, b *Broker, calls ...call) []int {
	t.Helper()
	entered, leave := make(chan struct{}), make(chan struct{})
	go b.writer.write(context.Background(), func(*change) error {
		close(entered)
		<-leave
		return nil
	})
	<-entered
	statuses := make([]chan int, len(calls))
	for i, c := range calls {
		text, err := json.Marshal(c.body)
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest(c.method, c.path, strings.NewReader(string(text)))
		r.Header.Set("Authorization", "Bearer "+c.token)
		statuses[i] = make(chan int, 1)
		go func() {
			w := httptest.NewRecorder()
			b.Handler().ServeHTTP(w, r)
			statuses[i] <- w.Code
		}()
		for deadline := time.Now().Add(10 * time.Second); len(b.writer.queue) <= i; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s %s never reached the writer", c.method, c.path)
			}
		}
	}
	close(leave)
	var got []int
	for _, s := range statuses {
		got = append(got, <-s)
	}
	return got
}

// Operations that share a commit see each other's effects, as if each had had a
// commit of its own.
func TestOperationsOfOneBatchAreInOrder(t *testing.T) {
	b, err := Open(context.Background(), quick)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	hash, err := bcrypt.GenerateFromPassword([]byte("secret"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	scope := []string{"read:data:x"}
	var agentID string // of the current scenario
	setUp := func(c *change) error {
		if err := c.putApp(&store.App{ID: "app-1", Name: "one", ClientID: "c", SecretHash: hash, Scopes: scope, TokenTTL: maxTTL}); err != nil {
			return err
		}
		return c.tx.InsertAgent(store.Agent{ID: agentID, AppID: "app-1", PublicKey: []byte{}, ExpiresAt: c.now.Add(maxTTL)})
	}
	launchToken := func(secret string) string {
		secret = strings.Repeat(secret, 32)
		err := b.writer.write(context.Background(), func(c *change) error {
			return c.tx.InsertLaunchToken(store.LaunchToken{Hash: hashLaunchToken(secret), Scope: scope, MaxTTL: time.Minute,
				SingleUse: true, ExpiresAt: c.now.Add(time.Minute)})
		})
		if err != nil {
			t.Fatal(err)
		}
		return secret
	}
	register := func(launch, challenge string) call {
		key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
		raw, _ := nonce.Parse(challenge)
		return call{"POST", "/v1/register", "", wire.RegisterRequest{
			LaunchToken: launch, Nonce: challenge, OrchID: "o", TaskID: "t", RequestedScope: scope,
			PublicKey: base64.StdEncoding.EncodeToString(key.Public().(ed25519.PublicKey)),
			Signature: base64.StdEncoding.EncodeToString(ed25519.Sign(key, raw[:])),
		}}
	}

	for name, scenario := range map[string]func() ([]call, []int){
		"a token is renewed once": func() ([]call, []int) {
			c := call{"POST", "/v1/token/renew", tokenFor(t, b, grant{subject: agentID, scope: scope, appID: "app-1"}), nil}
			return []call{c, c, c}, []int{200, 401, 401}
		},
		"a released token is not renewed": func() ([]call, []int) {
			token := tokenFor(t, b, grant{subject: agentID, scope: scope, appID: "app-1"})
			return []call{{"POST", "/v1/token/release", token, nil}, {"POST", "/v1/token/renew", token, nil}}, []int{204, 401}
		},
		"a revoked agent delegates nothing": func() ([]call, []int) {
			token := tokenFor(t, b, grant{subject: agentID, scope: scope, appID: "app-1"})
			return []call{
				{"POST", "/v1/revoke", tokenFor(t, b, standings[1]), wire.RevokeRequest{Level: wire.RevokeChain, Target: agentID}},
				{"POST", "/v1/delegate", token, wire.DelegateRequest{DelegateTo: agentID, Scope: scope}},
			}, []int{200, 403}
		},
		"a nonce is spent once": func() ([]call, []int) {
			challenge := b.nonces.New(b.now())
			return []call{register(launchToken("a1"), challenge), register(launchToken("a2"), challenge)}, []int{200, 401}
		},
		"a launch token is spent once": func() ([]call, []int) {
			launch := launchToken("a3")
			return []call{register(launch, b.nonces.New(b.now())), register(launch, b.nonces.New(b.now()))}, []int{200, 401}
		},
		"a deleted app issues nothing": func() ([]call, []int) {
			return []call{
				{"DELETE", "/v1/admin/apps/app-1", tokenFor(t, b, standings[1]), nil},
				{"POST", "/v1/app/launch-tokens", tokenFor(t, b, standings[2]), wire.LaunchTokenRequest{AgentName: "x", AllowedScope: scope}},
			}, []int{200, 401}
		},
		"a deleted app does not log in": func() ([]call, []int) {
			return []call{
				{"DELETE", "/v1/admin/apps/app-1", tokenFor(t, b, standings[1]), nil},
				{"POST", "/v1/app/auth", "", wire.AppAuthRequest{ClientID: "c", ClientSecret: "secret"}},
			}, []int{200, 401}
		},
		"a narrowed app issues less": func() ([]call, []int) {
			return []call{
				{"PUT", "/v1/admin/apps/app-1", tokenFor(t, b, standings[1]), wire.UpdateAppRequest{Scopes: []string{"read:other:x"}}},
				{"POST", "/v1/app/launch-tokens", tokenFor(t, b, standings[2]), wire.LaunchTokenRequest{AgentName: "x", AllowedScope: scope}},
			}, []int{200, 403}
		},
	} {
		t.Run(name, func(t *testing.T) {
			agentID = "spiffe://agentwrit.local/agent/o/t/" + random.Hex(8)
			if err := b.writer.write(context.Background(), setUp); err != nil {
				t.Fatal(err)
			}
			calls, want := scenario()
			if got := oneBatch(t, b, calls...); !slices.Equal(got, want) {
				t.Errorf("statuses %v, want %v", got, want)
			}
		})
	}
}
