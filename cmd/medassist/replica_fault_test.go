//go:build unix

package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/internal/cluster"
	"github.com/devonartis/medassist-go/internal/pgtest"
	"github.com/devonartis/medassist-go/trace"
)

// takenOverWithin is the longest time from the end of a replica until another one
// has ended its runs and revoked their tokens: the lease, and a second.
const takenOverWithin = 4 * time.Second

// long reports whether the long forms of the tests of replicas are to run (make
// replicas).
func long() bool { return os.Getenv("MEDASSIST_REPLICAS") == "long" }

// A replica is killed in the middle of its runs, at a random moment; in the long form
// again and again. Another one ends them in time, every token is confirmed revoked,
// and viewers see all of it.
func TestReplicaIsKilled(t *testing.T) {
	t.Parallel()
	skipProcesses(t)
	database, takeovers, runs := pgtest.URL(t), 1, 2
	if long() {
		takeovers = 20
	}
	survivor := startReplica(t, database)
	var slowest time.Duration
	for i := range takeovers {
		killed := startReplica(t, database)
		var ids []string
		var viewers []*follower
		for range runs {
			id := killed.runWithLiveAgent()
			for range rand.IntN(12) {
				killed.post("/api/runs/"+id+"/next", "")
			}
			ids = append(ids, id)
			viewers = append(viewers, follow(t, startBalancer(t, survivor, killed).Page, id, 0))
		}
		began := time.Now()
		killed.kill()
		for j, id := range ids {
			r := survivor.runEnded(id, 2*takenOverWithin)
			took := time.Since(began)
			if slowest = max(slowest, took); took > takenOverWithin {
				t.Errorf("takeover %d took %s", i+1, took)
			}
			assertTakenOver(t, r, survivor.admin())
			viewers[j].all(t, len(r.Trace))
		}
	}
	t.Logf("%d takeovers of %d runs each, the slowest after %s", takeovers, runs, slowest.Round(time.Millisecond))
}

// A replica is frozen in the middle of a run. Another one ends the run; when the
// first one runs again it writes nothing, shows what the other one wrote, and works.
func TestReplicaIsFrozen(t *testing.T) {
	t.Parallel()
	skipProcesses(t)
	database := pgtest.URL(t)
	awake, frozen := startReplica(t, database), startReplica(t, database)
	waiting := frozen.runWithLiveAgent()
	moving := frozen.begin(`{"patient_id":"P-1042","request":"` + fullRequest + `","pace":"talk:100ms"}`)
	awake.until(20*time.Second, "the run has an agent", func() bool { return countEvents(t, awake.admin(), moving, "agent_registered") > 0 })
	began := time.Now()
	frozen.signal(syscall.SIGSTOP)
	t.Cleanup(func() { _ = frozen.cmd.Process.Signal(syscall.SIGCONT) })
	ended := map[string]result{}
	for _, id := range []string{waiting, moving} {
		ended[id] = awake.runEnded(id, 2*takenOverWithin)
		if took := time.Since(began); took > takenOverWithin {
			t.Errorf("the takeover took %s", took)
		}
		assertTakenOver(t, ended[id], awake.admin())
	}
	frozen.signal(syscall.SIGCONT)
	recovered := frozen.ready(20 * time.Second)
	frozen.post("/api/runs/"+waiting+"/next", "")
	time.Sleep(500 * time.Millisecond) // for what it must not do
	for id, r := range ended {
		for _, at := range []*replica{frozen, awake} {
			at.until(20*time.Second, fmt.Sprintf("run %s has its %d steps", id, len(r.Trace)), func() bool {
				return len(at.export(id).Events) == len(r.Trace)
			})
		}
		assertAllReleased(t, awake.admin(), id)
	}
	if c := frozen.run("P-1042", fullRequest).complete(t); c.Outcome != trace.OutcomeAnswered || !c.AllRevoked {
		t.Errorf("a run afterwards: %+v", c)
	}
	if c := awake.run("P-1042", "Show labs").complete(t); !c.AllRevoked {
		t.Errorf("a run at the other replica: %+v", c)
	}
	assertIntact(t, awake.admin())
	t.Logf("healthy again after %s", recovered.Round(time.Millisecond))
}

// A replica is cut off from the database, which another one still reaches.
func TestReplicaIsCutOff(t *testing.T) {
	t.Parallel()
	skipProcesses(t)
	database := pgtest.URL(t)
	proxy := pgtest.NewProxy(t, database)
	awake, cut := startReplica(t, database), startReplica(t, proxy.URL)
	id := cut.runWithLiveAgent()
	viewer := follow(t, cut.Page, id, 0)
	began := time.Now()
	proxy.Cut()
	r := awake.runEnded(id, 2*takenOverWithin)
	if took := time.Since(began); took > takenOverWithin {
		t.Errorf("the takeover took %s", took)
	}
	assertTakenOver(t, r, awake.admin())
	if status := cut.do("GET", "/healthz", nil, "").StatusCode; status != 503 {
		t.Errorf("the health of a replica that is cut off: %d", status)
	}
	proxy.Mend()
	cut.ready(20 * time.Second)
	viewer.all(t, len(r.Trace))
	after := cut.run("P-1042", "Show labs")
	if c := after.complete(t); !c.AllRevoked {
		t.Errorf("a run afterwards: %+v\n%s", c, after.types())
	}
}

// The database crashes in the middle of runs and stays away for a while. Nothing
// that was shown is lost, every run ends, no token is left, and all replicas recover
// by themselves.
func TestDatabaseIsAway(t *testing.T) {
	t.Parallel()
	skipProcesses(t)
	runs, away := 2, cluster.Lease+time.Second // so that every lease runs out
	if long() {
		runs, away = 10, 30*time.Second
	}
	server := pgtest.New(t, "-c", "fsync=off") // it crashes, not its machine
	database := server.Database(t)
	pair := []*replica{startReplica(t, database), startReplica(t, database)}
	both := startBalancer(t, pair...)
	var ids []string
	var viewers []*follower
	for i := range runs {
		id := pair[i%2].begin(`{"patient_id":"P-1042","request":"` + fullRequest + `","pace":"talk:100ms"}`)
		ids = append(ids, id)
		viewers = append(viewers, follow(t, both.Page, id, 0), follow(t, pair[(i+1)%2].Page, id, 0))
	}
	for _, id := range ids {
		both.until(20*time.Second, "the run has an agent", func() bool { return countEvents(t, pair[0].admin(), id, "agent_registered") > 0 })
	}
	server.Crash()
	time.Sleep(away)
	if status := pair[0].do("GET", "/healthz", nil, "").StatusCode; status != 503 {
		t.Errorf("health without a database: %d", status)
	}
	for _, r := range pair {
		if status := r.do("GET", "/runs/"+ids[0], nil, "").StatusCode; status != 200 && status != 503 {
			t.Errorf("the page of a run without a database: %d", status)
		}
	}
	if err := server.Run("-c", "fsync=off"); err != nil {
		t.Fatal(err)
	}
	back := time.Now()
	for _, r := range pair {
		t.Logf("healthy %s after the database is back", r.ready(30*time.Second).Round(time.Millisecond))
	}
	outcomes := map[trace.Outcome]int{}
	for i, id := range ids {
		r := both.runEnded(id, time.Minute)
		c := r.complete(t)
		outcomes[c.Outcome]++
		if c.Tokens > 0 && !c.AllEnded() {
			t.Errorf("run %s: %+v\n%s", id, c, r.types())
		}
		viewers[2*i].all(t, len(r.Trace))
		viewers[2*i+1].all(t, len(r.Trace))
	}
	t.Logf("%d runs, %v, ended %s after the database was back", runs, outcomes, time.Since(back).Round(time.Millisecond))
	assertIntact(t, pair[0].admin())
	var wg sync.WaitGroup
	for _, r := range pair {
		wg.Go(func() {
			if c := r.run("P-1042", "Show labs").complete(t); !c.AllRevoked {
				t.Errorf("a run afterwards: %+v", c)
			}
		})
	}
	wg.Wait()
}

// assertIntact verifies the audit log.
func assertIntact(t *testing.T, admin *agentwrit.Admin) {
	t.Helper()
	if _, _, err := agentwrit.VerifyChain(admin.AuditEvents(t.Context(), agentwrit.AuditFilter{})); err != nil {
		t.Errorf("audit log: %v", err)
	}
}
