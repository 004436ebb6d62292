package agents_test

import (
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/agentwrit/brokertest"
	"github.com/devonartis/medassist-go/trace"
)

// BenchmarkEncounter is the standard case with everything on disk: three
// agents, a delegation, four calls, four tokens ended. It reports when the
// first step could be read.
func BenchmarkEncounter(b *testing.B) {
	w := newWorld(b, brokertest.Start, worldConfig{broker: []brokertest.Option{brokertest.OnDisk(b.TempDir())}, dir: b.TempDir()})
	w.encounter(b, "P-1042", fullRequest) // the app logs in once
	var first time.Duration
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
	}
	b.ReportMetric(float64(first.Microseconds()), "µs-to-first-step-max")
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
