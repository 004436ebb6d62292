package broker_test

import (
	"context"
	"fmt"
	"runtime/debug"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/broker"
	"github.com/devonartis/medassist-go/internal/pgtest"
)

// gcPercent is what cmd/medassist sets: the broker's heap is a few
// megabytes, and at Go's default it is collected twenty times a second.
const gcPercent = 400

// share runs f for 0 … n-1 on so many goroutines, and reports the rate.
func share(b *testing.B, goroutines, n int, f func(i int)) {
	b.Helper()
	defer debug.SetGCPercent(debug.SetGCPercent(gcPercent))
	b.ResetTimer()
	spread(goroutines, n, f)
	b.StopTimer()
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "/s")
}

// BenchmarkRegistration is the whole ceremony, launch token, challenge, register,
// on disk, by clients in the brokers' own process. None may fail.
func BenchmarkRegistration(b *testing.B) {
	for _, clients := range []int{16, 64} {
		b.Run(fmt.Sprintf("sqlite/clients=%d", clients), func(b *testing.B) {
			benchmarkRegistration(b, clients, start(b, broker.Config{Dir: b.TempDir(), Clock: time.Now}))
		})
		for _, replicas := range []int{1, 2} {
			b.Run(fmt.Sprintf("postgres/replicas=%d/clients=%d", replicas, clients), func(b *testing.B) {
				benchmarkRegistration(b, clients, brokers(b, pgtest.New(b).Database(b), replicas)...)
			})
		}
	}
}

func benchmarkRegistration(b *testing.B, clients int, replicas ...*harness) {
	clinic := replicas[0].newApp(replicas[0].admin(), "clinic", "read:records:*")
	share(b, clients, b.N, func(i int) {
		replicas[i%len(replicas)].newAgent(clinic, fmt.Sprint("t", i), "read:records:p1")
	})
}

// BenchmarkValidation is by 16 clients at once, of 512 tokens in turn, with
// 10,000 revocations in place.
func BenchmarkValidation(b *testing.B) {
	h := start(b, broker.Config{Clock: time.Now})
	tokens := validatedTokens(h)
	share(b, 16, b.N, func(i int) { validate(b, h, tokens[i%len(tokens)]) })
}

// validatedTokens returns 512 tokens of a broker with 10,000 revocations.
func validatedTokens(h *harness) []string {
	admin := h.admin()
	clinic := h.newApp(admin, "clinic", "read:records:*")
	for i := range 10_000 {
		h.revoke(admin, wire.RevokeToken, fmt.Sprintf("%032x", i))
	}
	tokens := make([]string, 512)
	for i := range tokens {
		tokens[i] = h.newAgent(clinic, "t", "read:records:p1").token
	}
	return tokens
}

func validate(b *testing.B, h *harness, token string) {
	a := h.call("POST", "/v1/token/validate", "", `{"token":"`+token+`"}`)
	if a.status != 200 || len(a.body) < 200 {
		b.Errorf("%d %s", a.status, a.body)
	}
}

// BenchmarkStart opens a folder with 200,000 events, every hash checked.
func BenchmarkStart(b *testing.B) {
	const events = 200_000
	dir := b.TempDir()
	h := start(b, broker.Config{Dir: dir, Clock: time.Now})
	share(b, 64, events, func(int) { h.call("GET", "/v1/audit/events", "garbage", nil) })
	h.b.Close()
	b.ResetTimer()
	b.StartTimer()
	for b.Loop() {
		br, err := broker.Open(context.Background(), broker.Config{Dir: dir})
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		br.Close()
		b.StartTimer()
	}
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/start")
}
