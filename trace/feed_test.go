package trace_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/devonartis/medassist-go/trace"
)

// drain reads a feed to its end.
func drain[T any](ctx context.Context, c *trace.Cursor[T]) ([]T, error) {
	var all []T
	for {
		items, err := c.Next(ctx)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		all = append(all, items...)
	}
}

func TestEveryReaderSeesEachItemOnceAndInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		total := rapid.IntRange(0, 50).Draw(t, "items")
		starts := rapid.SliceOfN(rapid.IntRange(0, 60), 0, 8).Draw(t, "cursors start at")
		feed := trace.NewFeed[int]()
		seen := make([][]int, len(starts))
		var wg sync.WaitGroup
		for i, start := range starts {
			wg.Go(func() { seen[i], _ = drain(context.Background(), feed.From(start)) })
		}
		for i := range total {
			feed.Append(i)
		}
		feed.Close()
		wg.Wait()
		for i, start := range starts {
			var want []int
			for n := start; n < total; n++ {
				want = append(want, n)
			}
			if !slices.Equal(seen[i], want) {
				t.Fatalf("a cursor from %d saw %v", start, seen[i])
			}
		}
	})
}

func TestAReaderWaitsForTheNextItem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		feed := trace.NewFeed[string]()
		time.AfterFunc(time.Hour, func() { feed.Append("late") })
		start := time.Now()
		got, err := feed.From(0).Next(t.Context())
		if err != nil || !slices.Equal(got, []string{"late"}) || time.Since(start) != time.Hour {
			t.Errorf("Next = %v, %v after %v", got, err, time.Since(start))
		}
	})
}

func TestACanceledReaderGetsItsContextsError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := trace.NewFeed[int]().From(0).Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Next = %v", err)
		}
	})
}

func TestAClosedFeedRefusesItems(t *testing.T) {
	feed := trace.NewFeed[int]()
	feed.Append(1)
	feed.Close()
	feed.Append(2)
	feed.Close()
	got, err := drain(t.Context(), feed.From(0))
	if err != nil || !slices.Equal(got, []int{1}) || feed.Len() != 1 {
		t.Errorf("a closed feed holds %v, %v", got, err)
	}
}

// BenchmarkWatchers measures 2,000 readers that follow a run of 300 events.
func BenchmarkWatchers(b *testing.B) {
	for b.Loop() {
		feed := trace.NewFeed[int]()
		var wg sync.WaitGroup
		for range 2000 {
			wg.Go(func() {
				if got, _ := drain(context.Background(), feed.From(0)); len(got) != 300 {
					b.Errorf("a reader saw %d events", len(got))
				}
			})
		}
		for i := range 300 {
			feed.Append(i)
		}
		feed.Close()
		wg.Wait()
	}
}
