package trace_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/internal/cluster"
	"github.com/devonartis/medassist-go/internal/pgtest"
	"github.com/devonartis/medassist-go/trace"
)

// BenchmarkFollowers measures how long after it happened each of 300 steps reaches
// 2,000 readers, half of them at another replica: with connections that hold, and
// with all connections of both replicas cut, in turns, every 30 steps, and every
// reader replaced by one that resumes in the middle. The floor is one process, in
// memory.
func BenchmarkFollowers(b *testing.B) {
	b.Run("one process", func(b *testing.B) {
		s := replica{Store: open(b, "")}
		benchmarkFollowers(b, []replica{s, s}, nil)
	})
	b.Run("two replicas", func(b *testing.B) {
		replicas, _ := behindProxies(b)
		benchmarkFollowers(b, replicas, nil)
	})
	b.Run("two replicas, cut", func(b *testing.B) {
		replicas, proxies := behindProxies(b)
		benchmarkFollowers(b, replicas, proxies)
	})
}

// behindProxies returns two replicas, and the proxies to the database and for
// announcements of both.
func behindProxies(b *testing.B) (replicas []replica, proxies []*pgtest.Proxy) {
	url := pgtest.URL(b)
	for range 2 {
		pool, direct := pgtest.NewProxy(b, url), pgtest.NewProxy(b, url)
		proxies = append(proxies, pool, direct)
		replicas = append(replicas, joinWith(b, cluster.Config{URL: pool.URL, DirectURL: direct.URL}))
	}
	return replicas, proxies
}

// benchmarkFollowers cuts the proxies in turns.
func benchmarkFollowers(b *testing.B, replicas []replica, proxies []*pgtest.Proxy) {
	const steps, followers, pause = 300, 2000, 10 * time.Millisecond
	owner, cut := replicas[0], len(proxies) > 0
	create(b, owner.Store, "run-first", time.Now()) // connects, and prepares the statements
	end(b, owner.Store, "run-first")
	var late []time.Duration
	for b.Loop() {
		id := "run-" + time.Now().Format("150405.000000")
		create(b, owner.Store, id, time.Now())
		var reading sync.WaitGroup
		delays := make([][]time.Duration, followers)
		for i := range followers {
			at := replicas[i%2]
			cursor := follow(b, at, id)
			reading.Go(func() { delays[i] = readDelays(b, at, id, cursor, cut) })
		}
		for i := range steps {
			if cut && i%30 == 15 {
				p := proxies[i/30%len(proxies)]
				p.Cut()
				p.Mend()
			}
			if _, err := owner.Append(b.Context(), id, trace.Event{Time: time.Now(), Step: trace.LLMDelta{Text: "some words"}}); err != nil {
				b.Fatal(err)
			}
			time.Sleep(pause)
		}
		end(b, owner.Store, id)
		reading.Wait()
		for i, d := range delays {
			if len(d) != steps {
				b.Fatalf("reader %d saw %d steps", i, len(d))
			}
			late = append(late, d...)
		}
	}
	slices.Sort(late)
	for name, d := range map[string]time.Duration{"p50-ms": late[len(late)/2], "p99-ms": late[len(late)*99/100], "slowest-ms": late[len(late)-1]} {
		b.ReportMetric(float64(d.Microseconds())/1000, name)
	}
}

// readDelays reads a run and returns the age of each step when it arrived. It fails
// if one is missing or comes twice. With move, the reader resumes at a new cursor in
// the middle.
func readDelays(b *testing.B, at replica, id string, cursor *trace.Cursor[trace.Event], move bool) (delays []time.Duration) {
	last := int64(0)
	for {
		events, err := cursor.Next(context.Background())
		if err != nil {
			return delays // the caller counts them
		}
		for _, e := range events {
			if last++; e.Seq != last {
				b.Errorf("event %d came after %d", e.Seq, last-1)
				return nil
			}
			if e.Step.Type() == trace.TypeLLMDelta {
				delays = append(delays, time.Since(e.Time))
			}
		}
		if move && last >= 150 {
			if cursor, err = at.Follow(context.Background(), id, last); err != nil {
				b.Error(err)
				return nil
			}
			move = false
		}
	}
}
