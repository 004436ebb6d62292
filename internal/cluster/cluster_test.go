package cluster_test

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/internal/cluster"
	"github.com/devonartis/medassist-go/internal/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

func join(t *testing.T, url string) *cluster.Cluster {
	t.Helper()
	c, err := cluster.Open(t.Context(), cluster.Config{URL: url, Secret: "a secret in common", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() }) // a test may have stopped the database
	return c
}

// live returns the replicas that hold their lease by the database's clock.
func live(t *testing.T, c *cluster.Cluster) (ids []string) {
	t.Helper()
	rows, err := c.Pool().Query(t.Context(), `SELECT id FROM app.live_replicas`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	return ids
}

func eventually(t *testing.T, within time.Duration, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(within); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", within, what)
		}
	}
}

// subscribe returns what a replica is told under a topic.
func subscribe(c *cluster.Cluster, topic string) <-chan string {
	heard := make(chan string, 100)
	c.Subscribe(topic, func(payload string) { heard <- payload })
	return heard
}

// listening waits until so many replicas receive announcements. A heartbeat does not
// tell: it may come before the connection.
func listening(t *testing.T, c *cluster.Cluster, replicas int) {
	t.Helper()
	eventually(t, 10*time.Second, "the replicas listen", func() bool {
		var n int
		if err := c.Pool().QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity
			WHERE datname = current_database() AND state = 'idle' AND query LIKE 'LISTEN %'`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n == replicas
	})
}

// A replica that is cut off or frozen knows that its lease is over before the
// database gives it up, and gets it back afterwards.
func TestLease(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	for name, fault := range map[string]func(*pgtest.Proxy){"cut off": (*pgtest.Proxy).Cut, "frozen": (*pgtest.Proxy).Freeze} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proxy := pgtest.NewProxy(t, url)
			observer, replica := join(t, url), join(t, proxy.URL)
			lives := func() bool { return strings.Contains(strings.Join(live(t, observer), " "), replica.ID()) }
			since, ok := replica.Held()
			if !ok || !replica.Current() || !lives() {
				t.Fatal("a replica that has just joined is not current")
			}
			heard := subscribe(replica, "runs")
			for range 2 { // the first may be due to a connection, not to a heartbeat
				<-heard
			}
			if again, ok := replica.Held(); !ok || !again.Equal(since) {
				t.Errorf("held since %v, and a heartbeat later since %v", since, again)
			}
			fault(proxy)
			eventually(t, 3*cluster.Lease, "the lease ends", func() bool {
				if gone := !lives(); gone && replica.Current() {
					t.Fatal("the database has given the replica up, and it thinks that it is current")
				}
				return !lives()
			})
			proxy.Mend()
			eventually(t, 5*cluster.Lease, "the lease is back", func() bool { return replica.Current() && lives() })
			if again, _ := replica.Held(); !again.After(since) {
				t.Errorf("after a gap it is held since %v, as before", again)
			}
		})
	}
}

// A replica that closes is gone at once.
func TestClose(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	observer, replica := join(t, url), join(t, url)
	if err := replica.Close(); err != nil {
		t.Fatal(err)
	}
	if ids := live(t, observer); len(ids) != 1 || ids[0] != observer.ID() || replica.Current() {
		t.Errorf("live: %v", ids)
	}
}

func TestAnnounce(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	a, b := join(t, url), join(t, url)
	heard := subscribe(b, "runs")
	a.Subscribe("runs", func(payload string) {
		if payload != "" {
			t.Errorf("its own announcement: %q", payload)
		}
	})
	listening(t, a, 2)
	for _, payload := range []string{"run-1", "two words"} {
		if err := a.Announce(t.Context(), a.Pool(), "runs", payload); err != nil {
			t.Fatal(err)
		}
		eventually(t, 10*time.Second, "the announcement arrives", func() bool { return <-heard == payload })
	}
	if err := a.Announce(t.Context(), a.Pool(), "others", "run-1"); err != nil {
		t.Fatal(err)
	}
	// Some may have been missed: after each heartbeat.
	eventually(t, 10*time.Second, "a heartbeat", func() bool {
		payload := <-heard
		if payload != "" {
			t.Errorf("another topic's announcement: %q", payload)
		}
		return payload == ""
	})
}

func TestValues(t *testing.T) {
	ctx, url := t.Context(), pgtest.URL(t)
	a, b := join(t, url), join(t, url)
	heard := subscribe(b, cluster.ValueTopic)
	listening(t, a, 2)
	if value, version, err := b.Load(ctx, "stage"); value != nil || version != 0 || err != nil {
		t.Errorf("before the first: %q %d %v", value, version, err)
	}
	for _, step := range []struct {
		by      *cluster.Cluster
		version int64
		value   string
		want    error
	}{
		{a, 0, "one", nil},
		{b, 0, "another first one", cluster.ErrConflict},
		{b, 1, "two", nil},
		{a, 1, "an old one", cluster.ErrConflict},
		{a, 2, "three", nil},
		{a, 9, "a version that does not exist", cluster.ErrConflict},
	} {
		if err := step.by.Save(ctx, "stage", step.version, []byte(step.value)); !errors.Is(err, step.want) {
			t.Errorf("save %q over version %d: %v, want %v", step.value, step.version, err, step.want)
		}
	}
	if value, version, err := b.Load(ctx, "stage"); string(value) != "three" || version != 3 || err != nil {
		t.Errorf("at last: %q %d %v", value, version, err)
	}
	eventually(t, 10*time.Second, "the name is announced", func() bool { return <-heard == "stage" })
}

func TestSeal(t *testing.T) {
	url := pgtest.URL(t)
	c := join(t, url)
	other, err := cluster.Open(t.Context(), cluster.Config{URL: url, Secret: "another secret", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	plain := []byte("a token")
	sealed, err := c.Seal("token/run-1", plain)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := c.Seal("token/run-1", plain); err != nil || bytes.Equal(sealed, again) || bytes.Contains(sealed, plain) {
		t.Errorf("sealed: %x, again: %x, %v", sealed, again, err)
	}
	changed := bytes.Clone(sealed)
	changed[len(changed)-1] ^= 1
	for _, try := range []struct {
		name    string
		by      *cluster.Cluster
		purpose string
		sealed  []byte
		allowed bool
	}{
		{"as it was sealed", c, "token/run-1", sealed, true},
		{"for another purpose", c, "token/run-2", sealed, false},
		{"with another secret", other, "token/run-1", sealed, false},
		{"changed", c, "token/run-1", changed, false},
		{"cut short", c, "token/run-1", sealed[:10], false},
		{"empty", c, "token/run-1", nil, false},
	} {
		got, err := try.by.Unseal(try.purpose, try.sealed)
		if try.allowed != (err == nil) || try.allowed && !bytes.Equal(got, plain) {
			t.Errorf("%s: %q, %v", try.name, got, err)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	ctx, url := t.Context(), pgtest.URL(t)
	c := join(t, url)
	for name, try := range map[string]struct {
		cfg  cluster.Config
		want string
	}{
		"no secret":        {cluster.Config{URL: url}, "a secret in common"},
		"not a URL":        {cluster.Config{URL: "postgres://user:hunter2@[", Secret: "x"}, "can't be parsed"},
		"a direct one too": {cluster.Config{URL: url, DirectURL: "postgres://user:hunter2@[", Secret: "x"}, "can't be parsed"},
	} {
		_, err := cluster.Open(ctx, try.cfg)
		if err == nil || !strings.Contains(err.Error(), try.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := c.Pool().Exec(ctx, `INSERT INTO app.migrations VALUES (1000)`); err != nil {
		t.Fatal(err)
	}
	_, err := cluster.Open(ctx, cluster.Config{URL: url, Secret: "x"})
	if err == nil || !strings.Contains(err.Error(), "newer version") {
		t.Errorf("a newer schema: %v", err)
	}
}
