package broker_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/broker"
)

// block is how many operations one side makes before the other gets its turn. Both
// sides of a comparison thus see the same machine.
const block = 500

// BenchmarkRegistrationOfFloor compares full registrations, stored on disk, with
// the same three requests to a server that stores and checks nothing. Clients and
// server share the machine.
func BenchmarkRegistrationOfFloor(b *testing.B) {
	h, floor := start(b, broker.Config{Dir: b.TempDir(), Clock: time.Now}), startFloor(b)
	clinic := h.newApp(h.admin(), "clinic", "read:records:*")
	compare(b, func(i int) { h.newAgent(clinic, fmt.Sprint("t", i), "read:records:p1") },
		func(i int) { floor.newAgent(clinic, fmt.Sprint("t", i), "read:records:p1") })
}

// BenchmarkValidationOfFloor compares validations of 512 tokens in turn, with
// 10,000 revocations, with a server that answers any token with the same claims.
func BenchmarkValidationOfFloor(b *testing.B) {
	h, floor := start(b, broker.Config{Clock: time.Now}), startFloor(b)
	tokens := validatedTokens(h)
	compare(b, func(i int) { validate(b, h, tokens[i%len(tokens)]) }, func(i int) { validate(b, floor, tokens[i%len(tokens)]) })
}

// compare makes b.N operations of each side with 16 clients, a block at a time in
// turn, and reports the rates and their ratio.
func compare(b *testing.B, product, floor func(i int)) {
	defer debug.SetGCPercent(debug.SetGCPercent(gcPercent))
	var took [2]time.Duration
	for first := 0; first < b.N; first += block {
		for side, f := range []func(int){product, floor} {
			began := time.Now()
			spread(16, min(block, b.N-first), func(i int) { f(first + i) })
			took[side] += time.Since(began)
		}
	}
	b.ReportMetric(float64(b.N)/took[0].Seconds(), "/s")
	b.ReportMetric(float64(b.N)/took[1].Seconds(), "floor/s")
	b.ReportMetric(took[1].Seconds()/took[0].Seconds(), "of-floor")
}

// spread runs f for 0 … n-1 on so many goroutines.
func spread(goroutines, n int, f func(i int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				f(i)
			}
		})
	}
	wg.Wait()
}

// startFloor starts the least that can answer the requests of a registration: JSON,
// a check of one signature, and one made. It stores nothing.
func startFloor(t testing.TB) *harness {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+byApp, func(w http.ResponseWriter, r *http.Request) {
		var in wire.LaunchTokenRequest
		if json.NewDecoder(r.Body).Decode(&in) == nil {
			reply(w, 201, wire.LaunchTokenResponse{LaunchToken: in.AgentName, ExpiresAt: time.Now(), Policy: wire.LaunchTokenPolicy{AllowedScope: in.AllowedScope, MaxTTL: 300}})
		}
	})
	mux.HandleFunc("GET /v1/challenge", func(w http.ResponseWriter, _ *http.Request) {
		nonce := make([]byte, 32)
		_, _ = rand.Read(nonce) // it never fails
		reply(w, 200, wire.Challenge{Nonce: hex.EncodeToString(nonce), ExpiresIn: wire.NonceTTL})
	})
	mux.HandleFunc("POST /v1/register", func(w http.ResponseWriter, r *http.Request) {
		var in wire.RegisterRequest
		if json.NewDecoder(r.Body).Decode(&in) != nil {
			return
		}
		public, _ := base64.StdEncoding.DecodeString(in.PublicKey)
		signature, _ := base64.StdEncoding.DecodeString(in.Signature)
		nonce, _ := hex.DecodeString(in.Nonce)
		if !ed25519.Verify(public, nonce, signature) {
			return
		}
		claims, _ := json.Marshal(floorClaims(in.RequestedScope))
		signed := base64.RawURLEncoding.EncodeToString(claims)
		signed += "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(key, []byte(signed)))
		reply(w, 200, wire.RegisterResponse{AgentID: "spiffe://agentwrit.local/agent/orch/task/1", AccessToken: signed, ExpiresIn: 300})
	})
	mux.HandleFunc("POST /v1/token/validate", func(w http.ResponseWriter, r *http.Request) {
		var in wire.ValidateRequest
		if json.NewDecoder(r.Body).Decode(&in) == nil {
			reply(w, 200, wire.ValidateResponse{Valid: true, Claims: floorClaims([]string{"read:records:p1"})})
		}
	})
	srv := httptest.NewServer(mux)
	h := &harness{t: t, url: srv.URL, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
	t.Cleanup(func() { h.http.CloseIdleConnections(); srv.Close() })
	return h
}

func floorClaims(scope []string) *wire.Claims {
	now := time.Now().Unix()
	return &wire.Claims{Issuer: "agentwrit", Subject: "spiffe://agentwrit.local/agent/orch/task/1", ID: "00112233445566778899aabbccddeeff",
		IssuedAt: now, NotBefore: now, ExpiresAt: now + 300, Scope: scope, TaskID: "task", OrchID: "orch"}
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client is gone
}
