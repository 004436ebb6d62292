package records_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/internal/pgtest"
	"github.com/devonartis/medassist-go/records"
)

// replicas starts the API of two replicas that share a database, at the same time.
func replicas(t *testing.T) (both [2]*api) {
	t.Helper()
	url, app := pgtest.URL(t), newApp(t)
	var stores [2]*records.Store
	var errs [2]error
	var wg sync.WaitGroup
	for i := range stores {
		c := join(t, url)
		wg.Go(func() { stores[i], errs[i] = records.OpenShared(t.Context(), c, time.Now) })
	}
	wg.Wait()
	for i, store := range stores {
		if errs[i] != nil {
			t.Fatal(errs[i])
		}
		t.Cleanup(func() { _ = store.Close() })
		both[i] = startAPI(t, app, store)
	}
	return both
}

// What is written at one replica is read, counted and reset at the other.
func TestReplicasShareTheRecords(t *testing.T) {
	t.Parallel()
	both := replicas(t)
	token := both[0].spawn(all...).AccessToken()
	one, other := both[0], both[1]
	chart := func(a *api) string {
		_, _, out := a.send(token, "GET", "/records/P-1042/chart?limit=100", "")
		return out
	}
	seeded := chart(one)
	if n := strings.Count(seeded, `"reason":"Diabetes follow-up"`); n != 1 || chart(other) != seeded {
		t.Fatalf("the seed is there %d times: %s", n, seeded)
	}
	if _, err := one.call(token, "write_clinical_notes", argsFor("write_clinical_notes", "P-1042")); err != nil {
		t.Fatal(err)
	}
	if out := chart(other); !strings.Contains(out, "Seen today.") {
		t.Errorf("the other replica has no note: %s", out)
	}
	if err := other.store.Reset(t.Context()); err != nil {
		t.Fatal(err)
	}
	if out := chart(one); out != seeded {
		t.Errorf("after a reset at the other replica: %s", out)
	}
}

// A charge is claimed once, and a patient's limit holds, however many write at both
// replicas at once.
func TestReplicasWriteOneAfterTheOther(t *testing.T) {
	t.Parallel()
	both := replicas(t)
	testAChargeIsClaimedOnce(t, both[:]...)
	testWritesAreBounded(t, both[:]...)
}

// While the database is away requests fail, which is reported, and they work again
// when it is back.
func TestTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	server := pgtest.New(t, "-c", "fsync=off")
	a := startAPI(t, newApp(t), openShared(t, server.Database(t)))
	token := a.spawn(all...).AccessToken()
	server.Crash()
	for _, request := range []struct{ method, path, body string }{{"POST", "notes", `{"notes":"x"}`}, {"GET", "chart", ""}} {
		if status, _, out := a.send(token, request.method, "/records/P-1042/"+request.path, request.body); status != 500 || !strings.Contains(out, "unavailable") {
			t.Errorf("%s: %d %s", request.path, status, out)
		}
	}
	if err := a.store.Check(t.Context()); err == nil {
		t.Error("the store is reported as healthy")
	}
	if err := server.Run("-c", "fsync=off"); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(30 * time.Second)
	for a.store.Check(t.Context()) != nil && time.Now().Before(deadline) {
		time.Sleep(50 * time.Millisecond)
	}
	if status, _, out := a.send(token, "POST", "/records/P-1042/notes", `{"notes":"x"}`); status != 200 {
		t.Errorf("%d %s", status, out)
	}
}
