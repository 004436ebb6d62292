package agents_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/agentwrit/brokertest"
	"github.com/devonartis/medassist-go/trace"
)

// BenchmarkEncounter is the standard case: three agents, a delegation, four calls,
// four tokens ended. It reports when the first step could be read, and compares an
// encounter with as many requests to a server that does nothing, made in turn. On
// disk, it depends on how long a sync takes.
func BenchmarkEncounter(b *testing.B) {
	b.Run("disk", func(b *testing.B) {
		benchmarkEncounter(b, worldConfig{broker: []brokertest.Option{brokertest.OnDisk(b.TempDir())}, dir: b.TempDir()})
	})
	b.Run("memory", func(b *testing.B) { benchmarkEncounter(b, worldConfig{}) })
}

func benchmarkEncounter(b *testing.B, cfg worldConfig) {
	w := newWorld(b, brokertest.Start, cfg)
	w.encounter(b, "P-1042", fullRequest) // the app logs in once
	var first, took, bare time.Duration
	request := bareServer(b)
	for b.Loop() {
		start := time.Now()
		id := w.start(b, "P-1042", fullRequest, "")
		cursor, err := w.log.Follow(b.Context(), id, 0)
		must(b, err)
		if _, err := cursor.Next(b.Context()); err != nil {
			b.Fatal(err)
		}
		first = max(first, time.Since(start))
		must(b, w.Wait(b.Context(), id))
		took += time.Since(start)
		b.StopTimer()
		start = time.Now()
		for range encounterRequests {
			request()
		}
		bare += time.Since(start)
		b.StartTimer()
	}
	b.ReportMetric(float64(first.Microseconds()), "µs-to-first-step-max")
	b.ReportMetric(took.Seconds()/bare.Seconds(), "of-bare-requests")
}

// encounterRequests is how many HTTP requests an encounter makes.
const encounterRequests = 29

// bareServer returns a function that makes one request to a server that reads JSON and
// answers with it.
func bareServer(b *testing.B) (request func()) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, r.Body) // the client is gone
	}))
	b.Cleanup(srv.Close)
	body := `{"token":"` + strings.Repeat("x", 500) + `"}`
	return func() {
		resp, err := srv.Client().Post(srv.URL, "application/json", strings.NewReader(body))
		must(b, err)
		_, err = io.Copy(io.Discard, resp.Body)
		must(b, err)
		must(b, resp.Body.Close())
	}
}

// BenchmarkFourAtATime is what a class of four does at once.
func BenchmarkFourAtATime(b *testing.B) {
	w := newWorld(b, brokertest.Start, worldConfig{broker: []brokertest.Option{brokertest.OnDisk(b.TempDir())}, dir: b.TempDir()})
	w.encounter(b, "P-1042", fullRequest)
	for b.Loop() {
		var wg sync.WaitGroup
		for range 4 {
			id := w.start(b, "P-1042", fullRequest, "")
			wg.Go(func() {
				cursor, err := w.log.Follow(b.Context(), id, 0)
				var last trace.Step
				for err == nil {
					var events []trace.Event
					if events, err = cursor.Next(b.Context()); len(events) > 0 {
						last = events[len(events)-1].Step
					}
				}
				if c, ok := last.(trace.Complete); !ok || !c.AllRevoked || !errors.Is(err, io.EOF) {
					b.Errorf("the last step is %+v, %v", last, err)
				}
			})
		}
		wg.Wait()
	}
}
