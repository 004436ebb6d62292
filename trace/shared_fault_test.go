package trace_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/internal/cluster"
	"github.com/devonartis/medassist-go/internal/pgtest"
	"github.com/devonartis/medassist-go/trace"
)

// A replica that was cut off and has its lease back does not show a step of a run
// that another replica has taken over meanwhile.
func TestAnOwnerThatComesBackShowsNothing(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	proxy := pgtest.NewProxy(t, url)
	a, b := join(t, proxy.URL), join(t, url)
	for _, id := range []string{"run-1", "run-2"} {
		create(t, a.Store, id, noon)
		add(t, a.Store, id, trace.LLMDelta{Text: "1"})
		stored(t, b, id, 1)
	}
	cursor := follow(t, a, "run-1")
	proxy.Freeze()
	eventually(t, "the lease ends", func() bool { return !a.cluster.Current() })
	claim(t, b, "run-1")
	proxy.Mend()
	eventually(t, "the lease is back", a.cluster.Current)

	_, delta := a.Append(t.Context(), "run-1", trace.Event{Time: noon, Step: trace.LLMDelta{Text: "shown too late"}})
	_, complete := a.Append(t.Context(), "run-2", trace.Event{Time: noon, Step: trace.Complete{Outcome: trace.OutcomeAnswered}})
	for step, err := range map[string]error{"a step": delta, "the end": complete} {
		if !errors.Is(err, trace.ErrFenced) {
			t.Errorf("%s: %v", step, err)
		}
	}
	if run, err := a.Run(t.Context(), "run-2"); err != nil || !run.Live() {
		t.Errorf("the end was refused, and the run is %+v, %v", run, err)
	}
	add(t, b.Store, "run-1", trace.LLMDelta{Text: "2"})
	end(t, b.Store, "run-1")
	all, err := drain(t.Context(), cursor)
	if got, order := texts(all); err != nil || order != nil || !slices.Equal(got, []string{"1", "2", "complete"}) {
		t.Errorf("a reader at the first owner saw %q, %v, %v", got, order, err)
	}
}

// Replicas that claim at the same time share the runs: each run has one new owner.
func TestARunIsClaimedOnce(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	a := join(t, url)
	others := []replica{join(t, url), join(t, url), join(t, url)}
	const runs = 60
	for i := range runs {
		create(t, a.Store, fmt.Sprint("run-", i), noon)
	}
	time.Sleep(cluster.Lease) // so that they may claim as soon as the runs' owner is gone
	var mu sync.Mutex
	owners := make(map[string]int)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var wg sync.WaitGroup
	for i, r := range others {
		wg.Go(func() {
			for ctx.Err() == nil {
				claimed, err := r.Claim(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				for _, run := range claimed {
					if other, twice := owners[run.ID]; twice {
						t.Errorf("replicas %d and %d claimed %s", other, i, run.ID)
					}
					owners[run.ID] = i
				}
				if len(owners) == runs {
					cancel()
				}
				mu.Unlock()
			}
		})
	}
	if err := errors.Join(a.Close(), a.cluster.Close()); err != nil {
		t.Error(err)
	}
	wg.Wait()
	if len(owners) != runs {
		t.Errorf("%d of %d runs were claimed", len(owners), runs)
	}
}

// A run whose creation or claim was stored, while the answer was lost, is found by
// the replica that owns it.
func TestALostRunIsClaimed(t *testing.T) {
	t.Parallel()
	r := join(t, pgtest.URL(t))
	create(t, r.Store, "run-known", noon)
	lost, err := json.Marshal(trace.Run{ID: "run-lost", Started: noon})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.cluster.Pool().Exec(t.Context(), `INSERT INTO runs.run (id, started, open, owner, term, json) VALUES ('run-lost', 0, true, $1, 1, $2)`,
		r.cluster.ID(), lost); err != nil {
		t.Fatal(err)
	}
	var runs []trace.Run
	eventually(t, "it is claimed", func() bool {
		if runs, err = r.Claim(t.Context()); err != nil {
			t.Fatal(err)
		}
		return len(runs) > 0
	})
	if len(runs) != 1 || runs[0].ID != "run-lost" {
		t.Errorf("claimed %+v", runs)
	}
	end(t, r.Store, "run-lost")
	if runs, err := r.Claim(t.Context()); err != nil || len(runs) > 0 {
		t.Errorf("claimed again: %+v, %v", runs, err)
	}
}

// A read ends although the database does not answer.
func TestAReadIsNotAnswered(t *testing.T) {
	t.Parallel()
	proxy := pgtest.NewProxy(t, pgtest.URL(t))
	r := join(t, proxy.URL)
	proxy.Freeze()
	defer proxy.Mend()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if runs, err := r.Runs(ctx, time.Time{}, 10); err == nil || ctx.Err() != nil {
		t.Errorf("%d runs, %v, %v", len(runs), err, ctx.Err())
	}
}

// Announcements only save time.
func TestARunIsFollowedWithoutAnnouncements(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	deaf := pgtest.NewProxy(t, url)
	deaf.Cut()
	a := join(t, url)
	b := joinWith(t, cluster.Config{URL: url, DirectURL: deaf.URL})
	create(t, a.Store, "run-1", noon)
	cursor := follow(t, b, "run-1")
	add(t, a.Store, "run-1", trace.LLMDelta{Text: "1"})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if events, err := cursor.Next(ctx); err != nil || len(events) != 1 {
		t.Errorf("%d events, %v", len(events), err)
	}
	end(t, a.Store, "run-1")
	if _, err := drain(ctx, cursor); err != nil {
		t.Error(err)
	}
}

// When the database comes back, a replica that is back first waits for the others.
func TestAReplicaThatWasAwayLetsTheOthersComeBack(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	proxies := []*pgtest.Proxy{pgtest.NewProxy(t, url), pgtest.NewProxy(t, url)}
	slow, fast := join(t, proxies[0].URL), join(t, proxies[1].URL)
	create(t, slow.Store, "run-1", noon)
	time.Sleep(cluster.Lease) // so that it may claim
	for _, p := range proxies {
		p.Cut()
	}
	eventually(t, "the leases end", func() bool { return !slow.cluster.Current() && !fast.cluster.Current() })
	proxies[1].Mend()
	for back := false; !slow.cluster.Current(); time.Sleep(10 * time.Millisecond) {
		if runs, err := fast.Claim(t.Context()); err == nil && len(runs) > 0 {
			t.Fatalf("the first one that is back has claimed %v", runs)
		}
		if !back && fast.cluster.Current() {
			back = true
			proxies[0].Mend()
		}
	}
	time.Sleep(cluster.Lease)
	if runs, err := fast.Claim(t.Context()); err != nil || len(runs) > 0 {
		t.Errorf("claimed %v, %v", runs, err)
	}
	end(t, slow.Store, "run-1")
}

// The database is away in the middle of runs: steps that were shown stay, steps that
// may not be shown wait, no replica claims another's runs, and all runs continue when
// the database is back.
func TestTheDatabaseIsAwayForAWhile(t *testing.T) {
	t.Parallel()
	server := pgtest.New(t, "-c", "fsync=off")
	url := server.Database(t)
	replicas := []replica{join(t, url), join(t, url)}
	const steps = 30
	var runs, claiming sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var readers []func()
	for i, r := range replicas {
		other := replicas[1-i]
		claiming.Go(func() {
			for ctx.Err() == nil {
				if runs, err := r.Claim(ctx); err == nil && len(runs) > 0 {
					t.Errorf("claimed %v", runs)
				}
				time.Sleep(50 * time.Millisecond)
			}
		})
		for n := range 5 {
			id := fmt.Sprintf("run-%d-%d", i, n)
			create(t, r.Store, id, noon)
			for place, at := range map[string]replica{"owner": r, "other replica": other} {
				cursor := follow(t, at, id)
				readers = append(readers, func() {
					all, err := drain(t.Context(), cursor)
					if _, order := texts(all); err != nil || order != nil || len(all) != steps+1 {
						t.Errorf("a reader at the %s saw %d events, %v, %v", place, len(all), order, err)
					}
				})
			}
			runs.Go(func() {
				for range steps {
					add(t, r.Store, id, trace.LLMDelta{Text: "word"})
					time.Sleep(150 * time.Millisecond)
				}
				end(t, r.Store, id)
			})
		}
	}
	time.Sleep(time.Second)
	server.Crash()
	eventually(t, "the leases end", func() bool {
		return !replicas[0].cluster.Current() && !replicas[1].cluster.Current()
	})
	if events, err := replicas[0].Events(t.Context(), "run-1-0", 0); err != nil || len(events) == 0 {
		t.Errorf("while the database is away another replica's run has %d events, %v", len(events), err)
	}
	if err := replicas[0].Fault(); err == nil {
		t.Error("no fault while the database is away")
	}
	if err := replicas[0].Create(t.Context(), trace.Run{ID: "run-new", Started: noon}); err == nil {
		t.Error("a run was created while the database is away")
	}
	time.Sleep(time.Second)
	if err := server.Run("-c", "fsync=off"); err != nil {
		t.Fatal(err)
	}
	runs.Wait()
	for _, read := range readers {
		read()
	}
	cancel()
	claiming.Wait()
	eventually(t, "the fault ends with the next heartbeat", func() bool { return replicas[0].Fault() == nil })
}

// Connections are cut again and again while runs are written and read.
func TestConnectionsAreCut(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	admin := join(t, url)
	proxies := []*pgtest.Proxy{pgtest.NewProxy(t, url), pgtest.NewProxy(t, url)}
	replicas := []replica{join(t, proxies[0].URL), join(t, proxies[1].URL)}
	const runs, steps = 6, 150
	var wg sync.WaitGroup
	for n := range runs {
		id := fmt.Sprint("run-", n)
		owner := replicas[n%2]
		create(t, owner.Store, id, noon)
		for reader := range 8 {
			wg.Go(func() {
				time.Sleep(time.Duration(rand.IntN(1000)) * time.Millisecond)
				after := int64(reader * 10)
				var cursor *trace.Cursor[trace.Event]
				eventually(t, "the run is read", func() (ok bool) {
					var err error
					cursor, err = replicas[reader%2].Follow(t.Context(), id, after)
					return err == nil
				})
				got, err := drain(t.Context(), cursor)
				if err != nil || len(got) != steps+1-int(after) || got[0].Seq != after+1 || got[len(got)-1].Seq != steps+1 {
					t.Errorf("a reader from %d saw %d events, %v", after, len(got), err)
				}
			})
		}
		wg.Go(func() {
			for range steps {
				add(t, owner.Store, id, trace.LLMDelta{Text: "word"})
				time.Sleep(10 * time.Millisecond)
			}
			end(t, owner.Store, id)
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	for i := 0; ; i++ {
		select {
		case <-done:
		case <-time.After(150 * time.Millisecond):
			if i%2 == 0 {
				proxies[i/2%2].Cut()
				proxies[i/2%2].Mend()
				continue
			}
			if _, err := admin.cluster.Pool().Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
				WHERE datname = current_database() AND pid <> pg_backend_pid()`); err != nil {
				t.Error(err)
			}
			continue
		}
		break
	}
	for n := range runs {
		for _, r := range append(replicas, admin) {
			events, err := r.Events(t.Context(), fmt.Sprint("run-", n), 0)
			if _, order := texts(events); err != nil || order != nil || len(events) != steps+1 {
				t.Errorf("%d events, %v, %v", len(events), order, err)
			}
		}
	}
}

// A run is the same, byte for byte, at the replica that runs it and at another one.
func TestAReplayAtAnotherReplicaIsIdentical(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	a, b := join(t, url), join(t, url)
	create(t, a.Store, "run-1", time.Now())
	odd := []trace.Step{
		trace.LLMDelta{Text: "nul \x00, not UTF-8 \xff, <b>, \u2028"},
		trace.ToolCall{Credential: clinical, Args: json.RawMessage(`{"a":"\u0000"}`), Output: json.RawMessage("\"\xff\"")},
	}
	for _, step := range append(odd, steps...) {
		e := trace.Event{Time: time.Now(), Status: trace.StatusInfo, Label: "a label \x00\xff", Step: step}
		if _, err := a.Append(t.Context(), "run-1", e); err != nil {
			t.Fatal(err)
		}
	}
	var exports [2][]byte
	for i, r := range []replica{a, b} {
		export, err := trace.ReadExport(t.Context(), r, "run-1")
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range export.Events {
			encoded, err := e.JSON()
			if err != nil {
				t.Fatal(err)
			}
			exports[i] = append(exports[i], encoded...)
		}
		run, err := json.Marshal(export.Run)
		if err != nil {
			t.Fatal(err)
		}
		exports[i] = append(exports[i], run...)
	}
	if !bytes.Equal(exports[0], exports[1]) {
		t.Errorf("at the owner %s\nat another %s", exports[0], exports[1])
	}
}

// A store that is closed while the database is away ends the steps that wait for it.
func TestAStepThatWaitsEndsWithTheStore(t *testing.T) {
	t.Parallel()
	proxy := pgtest.NewProxy(t, pgtest.URL(t))
	r := join(t, proxy.URL)
	create(t, r.Store, "run-1", noon)
	proxy.Cut()
	eventually(t, "the lease ends", func() bool { return !r.cluster.Current() })
	waiting := make(chan error, 1)
	go func() {
		_, err := r.Append(t.Context(), "run-1", trace.Event{Time: noon, Step: trace.LLMDelta{Text: "1"}})
		waiting <- err
	}()
	select {
	case err := <-waiting:
		t.Errorf("without a database a step returned %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	if err := r.Close(); err == nil {
		t.Error("Close does not report that a row was not stored")
	}
	if err := <-waiting; !errors.Is(err, trace.ErrClosed) {
		t.Errorf("the step that waited: %v", err)
	}
}
