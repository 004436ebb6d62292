package trace

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/internal/cluster"
	"github.com/devonartis/medassist-go/internal/pgtest"
)

func openReplica(t *testing.T, url string) *Store {
	t.Helper()
	c, err := cluster.Open(context.Background(), cluster.Config{URL: url, Secret: "a secret in common", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	s, err := OpenShared(t.Context(), c, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = s.Close() // a test may have closed it
		_ = c.Close()
	})
	return s
}

// Rows of an earlier term are refused, also those of the replica that owns the run
// again; and a row that is stored twice stays as it is.
func TestRowsOfAnEarlierTermAreRefused(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	a, b := openReplica(t, url).shared.db, openReplica(t, url).shared.db
	if err := a.create(t.Context(), Run{ID: "run-1", Started: time.Now()}); err != nil {
		t.Fatal(err)
	}
	event := func(seq, term int64, text string) row {
		e := Event{RunID: "run-1", Seq: seq, Step: LLMDelta{Text: text}}
		encoded, err := e.encode()
		if err != nil {
			t.Fatal(err)
		}
		e.encoded = encoded
		return row{event: &e, term: term}
	}
	ended := row{run: &Run{ID: "run-1", Started: time.Now(), Ended: time.Now()}, term: 1}
	own := func(db *postgres, term int) {
		t.Helper()
		if _, err := db.cluster.Pool().Exec(t.Context(), `UPDATE runs.run SET owner = $1, term = $2`, db.cluster.ID(), term); err != nil {
			t.Fatal(err)
		}
	}
	over := []tenure{{"run-1", 1}}
	for i, step := range []struct {
		before func()
		by     *postgres
		row    row
		over   []tenure
	}{
		{func() {}, a, event(1, 1, "first"), nil},
		{func() {}, a, event(1, 1, "again, after a lost answer"), nil},
		{func() {}, b, event(2, 1, "not the owner"), over},
		{func() { own(b, 2) }, a, event(2, 1, "not the owner any more"), over},
		{func() {}, b, event(2, 2, "second"), nil},
		{func() { own(a, 3) }, a, event(3, 1, "of an earlier term"), over},
		{func() {}, a, ended, over},
		{func() {}, a, event(3, 3, "third"), nil},
	} {
		step.before()
		if got, err := step.by.save([]row{step.row}); err != nil || !slices.Equal(got, step.over) {
			t.Errorf("%d: over are %v, %v", i, got, err)
		}
	}
	events, err := a.events(t.Context(), "run-1")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range events {
		got = append(got, e.Step.(LLMDelta).Text)
	}
	if want := []string{"first", "second", "third"}; !slices.Equal(got, want) {
		t.Errorf("stored are %q", got)
	}
	if run, found, err := a.run(t.Context(), "run-1"); err != nil || !found || !run.Live() {
		t.Errorf("run = %+v, %v, %v", run, found, err)
	}
}

// Runs of other replicas that were followed are unloaded after their end.
func TestEndedRunsOfOtherReplicasAreUnloaded(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	a, b := openReplica(t, url), openReplica(t, url)
	for i := range 2 * keepEnded {
		id := fmt.Sprint("run-", i)
		if err := a.Create(t.Context(), Run{ID: id, Started: time.Now()}); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Follow(t.Context(), id, 0); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Append(t.Context(), id, Event{Time: time.Now(), Step: Complete{Outcome: OutcomeAnswered}}); err != nil {
			t.Fatal(err)
		}
		if run, err := b.Run(t.Context(), id); err != nil || run.Live() {
			t.Errorf("run = %+v, %v", run, err)
		}
	}
	for name, s := range map[string]*Store{"the owner": a, "the other replica": b} {
		if n := len(s.entries()); n != keepEnded {
			t.Errorf("%s holds %d runs", name, n)
		}
	}
}

// A reader of items that stay is not disturbed; one that has read others is told.
func TestAResetFeedRetractsItems(t *testing.T) {
	feed := NewFeed[string]()
	cursor := func(read int) *Cursor[string] {
		c := feed.From(0)
		c.next = read
		return c
	}
	for _, item := range []string{"a", "b", "x", "y"} {
		feed.Append(item)
	}
	kept, one, all := cursor(2), cursor(3), cursor(4)
	same := func(a, b string) bool { return a == b }
	feed.reset([]string{"a", "b", "c", "d"}, same)
	fresh := cursor(4)
	for name, c := range map[string]struct {
		*Cursor[string]
		want []string
		err  error
	}{
		"kept": {kept, []string{"c", "d"}, nil}, "one more": {one, nil, ErrRetracted}, "all": {all, nil, ErrRetracted},
	} {
		if got, err := c.Next(t.Context()); !slices.Equal(got, c.want) || err != c.err {
			t.Errorf("a reader of %s got %q, %v", name, got, err)
		}
	}
	feed.reset([]string{"a", "b", "c", "d", "e"}, same)
	feed.reset([]string{"z"}, same)
	feed.Append("z2")
	for name, c := range map[string]*Cursor[string]{"one that has read on since": kept, "one that came later": fresh} {
		if got, err := c.Next(t.Context()); err != ErrRetracted {
			t.Errorf("a reader, %s, got %q, %v", name, got, err)
		}
	}
	if got, err := feed.From(0).Next(t.Context()); err != nil || !slices.Equal(got, []string{"z", "z2"}) {
		t.Errorf("a new reader got %q, %v", got, err)
	}
}
