package decisions_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/decisions"
	"github.com/devonartis/medassist-go/internal/pgtest"
)

// openShared opens the log of another replica.
func openShared(t *testing.T, url string) *decisions.Log {
	t.Helper()
	l, err := decisions.OpenShared(t.Context(), join(t, url), time.Now, slog.New(slog.DiscardHandler))
	return opened(t, l, err)
}

// waitFor waits for a state of a log.
func waitFor(t *testing.T, l *decisions.Log, what string, ok func(decisions.State) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for s := l.State(); !ok(s); {
		var err error
		if s, err = l.Next(ctx, s); err != nil {
			t.Fatalf("%s: %d entries, %d dropped, broken: %v", what, s.Size, s.Dropped, s.Broken)
		}
	}
}

// All replicas write one chain, and each shows what the others write.
func TestReplicasWriteOneChain(t *testing.T) {
	url := pgtest.URL(t)
	logs := []*decisions.Log{openShared(t, url), openShared(t, url), openShared(t, url)}
	const writers, each = 4, 25
	var wg sync.WaitGroup
	for _, l := range logs {
		for range writers {
			wg.Go(func() {
				for range each {
					l.Add(t.Context(), decide("run-1", "P-1042", true))
				}
			})
		}
	}
	wg.Wait()
	total := int64(len(logs) * writers * each)
	for _, l := range logs {
		waitFor(t, l, "all entries", func(s decisions.State) bool { return s.Size == total })
	}
	first := logs[0].State()
	for _, l := range logs {
		s := l.State()
		if s.Head != first.Head || s.Broken != nil || !slices.Equal(s.Newest, first.Newest) {
			t.Errorf("%s, broken: %v; want %s", s.Head, s.Broken, first.Head)
		}
		verifies(t, s.Newest, 0)
	}
	verifies(t, stored(t, logs[0], ""), 0)
}

// What was added while the database was away is chained when it is back, at every
// replica.
func TestTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	server := pgtest.New(t, "-c", "fsync=off")
	url := server.Database(t)
	one, other := openShared(t, url), openShared(t, url)
	one.Add(t.Context(), decide("run-1", "P-1042", true))
	server.Crash()
	for range 3 {
		one.Add(t.Context(), decide("run-1", "P-1042", true))
		other.Add(t.Context(), decide("run-2", "P-2187", false))
	}
	for _, l := range []*decisions.Log{one, other} {
		if err := l.Fault(); err == nil || l.State().Size < 3 {
			t.Errorf("%d entries, fault: %v", l.State().Size, err)
		}
	}
	if err := server.Run("-c", "fsync=off"); err != nil {
		t.Fatal(err)
	}
	for _, l := range []*decisions.Log{one, other} {
		waitFor(t, l, "all entries", func(s decisions.State) bool { return s.Size == 7 && l.Fault() == nil })
		verifies(t, l.State().Newest, 0)
	}
	if a, b := one.State(), other.State(); a.Head != b.Head || len(stored(t, one, "run-2")) != 3 {
		t.Errorf("heads %s and %s", a.Head, b.Head)
	}
	verifies(t, stored(t, one, ""), 0)
}

// A replica drops the oldest entries for all, also for one that is far behind.
func TestReplicasDropTogether(t *testing.T) {
	url := pgtest.URL(t)
	one, other := openShared(t, url), openShared(t, url)
	other.Add(t.Context(), decide("run-0", "P-1042", true))
	decisions.Batch(t, one, 2000, decide("run-1", "P-1042", true))
	decisions.SetBound(one, 30)
	one.Add(t.Context(), decide("run-1", "P-1042", true))
	want := one.State()
	waitFor(t, other, "the dropped entries", func(s decisions.State) bool { return s.Dropped == want.Dropped && s.Head == want.Head })
	if s := other.State(); s.Broken != nil || s.Size != 2002 {
		t.Errorf("%d entries, broken: %v", s.Size, s.Broken)
	}
	verifies(t, stored(t, other, ""), want.Dropped)
}

// A reader at one replica is told of entries that another one has dropped.
func TestAllAtAnotherReplica(t *testing.T) {
	url := pgtest.URL(t)
	one, other := openShared(t, url), openShared(t, url)
	decisions.Batch(t, one, 1400, decide("run-1", "P-1042", true))
	decisions.SetBound(one, 500)
	read := 0
	var failed error
	for _, err := range other.All(t.Context()) {
		if failed = err; err != nil {
			break
		}
		if read++; read == 10 {
			decisions.Batch(t, one, 200, decide("run-2", "P-1042", true))
		}
	}
	if !errors.Is(failed, decisions.ErrDropped) || read != 1000 {
		t.Errorf("%d entries before the gap: %v", read, failed)
	}
}

// Entries that are removed at the end are missed, which only the stored head shows.
func TestRemovedAtTheEnd(t *testing.T) {
	url := pgtest.URL(t)
	l := openShared(t, url)
	decisions.Batch(t, l, 5, decide("run-1", "P-1042", true))
	decisions.Exec(t, l, "DELETE FROM decision WHERE position > 3")
	if s := openShared(t, url).State(); s.Broken == nil || !strings.Contains(s.Broken.Error(), "event 4") || s.Size != 5 {
		t.Errorf("%d entries, broken: %v", s.Size, s.Broken)
	}
}
