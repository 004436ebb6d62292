package decisions_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/decisions"
	"github.com/devonartis/medassist-go/internal/cluster"
	"github.com/devonartis/medassist-go/internal/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// onBoth runs a test on a log in SQLite and on one in PostgreSQL; open opens it, each
// time.
func onBoth(t *testing.T, test func(t *testing.T, open func(io.Writer) *decisions.Log)) {
	t.Run("sqlite", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "decisions.db")
		test(t, func(said io.Writer) *decisions.Log {
			l, err := decisions.Open(t.Context(), path, time.Now, slog.New(slog.NewTextHandler(said, nil)))
			return opened(t, l, err)
		})
	})
	t.Run("postgres", func(t *testing.T) {
		url := pgtest.URL(t)
		test(t, func(said io.Writer) *decisions.Log {
			l, err := decisions.OpenShared(t.Context(), join(t, url), time.Now, slog.New(slog.NewTextHandler(said, nil)))
			return opened(t, l, err)
		})
	})
}

func opened(t *testing.T, l *decisions.Log, err error) *decisions.Log {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// join returns another replica.
func join(t *testing.T, url string) *cluster.Cluster {
	t.Helper()
	c, err := cluster.Open(t.Context(), cluster.Config{URL: url, Secret: "secret", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func decide(task, patient string, allowed bool) decisions.Decision {
	return decisions.Decision{By: "gate", Allowed: allowed, Tool: "get_patient_records", Patient: patient, Required: []string{"read:records:" + patient},
		Held: []string{"read:records:P-1042", "read:labs:P-1042"}, TokenID: "jti-1", AgentID: "spiffe://a", TaskID: task, OrchID: "medassist"}
}

func stored(t *testing.T, l *decisions.Log, task string) (out []wire.AuditEvent) {
	t.Helper()
	for e, err := range l.Events(t.Context(), task) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, e)
	}
	return out
}

func verifies(t *testing.T, events []wire.AuditEvent, dropped int64) {
	t.Helper()
	chain := wire.Chain{Size: dropped}
	if dropped > 0 {
		chain.Head = events[0].PrevHash
	}
	for _, e := range events {
		if err := chain.Add(e); err != nil {
			t.Fatal(err)
		}
	}
}

// An entry says who decided what about which call, and the chain continues where it
// was when the log is opened again.
func TestLog(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, open func(io.Writer) *decisions.Log) {
		l := open(io.Discard)
		known := l.State()
		l.Add(t.Context(), decide("run-1", "P-1042", true))
		l.Add(t.Context(), decide("run-2", "P-2187", false))
		if s, err := l.Next(t.Context(), known); err != nil || s.Size != 2 || len(s.Newest) != 2 {
			t.Errorf("%d entries: %v", s.Size, err)
		}
		e := l.State().Newest[1]
		want := `get_patient_records for P-2187 by=gate required=[read:records:P-2187] held=[read:records:P-1042 read:labs:P-1042] jti=jti-1`
		if e.Detail != want || e.EventType != decisions.Denied || e.Outcome != wire.OutcomeDenied || e.AgentID != "spiffe://a" || e.TaskID != "run-2" || e.Resource != "P-2187" {
			t.Errorf("%+v", e)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		l = open(io.Discard)
		l.Add(t.Context(), decide("run-2", "P-1042", true))
		if s := l.State(); s.Size != 3 || s.Broken != nil || s.Newest[2].PrevHash != e.Hash {
			t.Errorf("after a restart: %+v", s)
		}
		verifies(t, stored(t, l, ""), 0)
		if got := stored(t, l, "run-2"); len(got) != 2 || got[0].ID != e.ID {
			t.Errorf("of one task: %+v", got)
		}
	})
}

// An entry that was changed or deleted in the database is detected when the log is opened.
// The log continues after it.
func TestTampering(t *testing.T) {
	for name, tc := range map[string]struct{ change, detected string }{
		"edited":  {`UPDATE decision SET json = replace(json, '"denied"', '"success"') WHERE position = 2`, "event 2 (dec-000002): hash mismatch"},
		"deleted": {`DELETE FROM decision WHERE position = 2`, "event 2 (dec-000003): prev_hash is not"},
	} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, open func(io.Writer) *decisions.Log) { tamper(t, open, tc.change, tc.detected) })
		})
	}
}

func tamper(t *testing.T, open func(io.Writer) *decisions.Log, change, detected string) {
	l := open(io.Discard)
	for i := range 5 {
		l.Add(t.Context(), decide("run-1", fmt.Sprintf("P-%d", i), i%2 == 0))
	}
	decisions.Exec(t, l, change)
	l.Close()
	l = open(io.Discard)
	if s := l.State(); s.Broken == nil || !strings.Contains(s.Broken.Error(), detected) || s.Size != 5 {
		t.Errorf("%+v", s)
	}
	l.Add(t.Context(), decide("run-2", "P-1042", true))
	if got := stored(t, l, "run-2"); len(got) != 1 || got[0].ID != "dec-000006" {
		t.Errorf("after it: %+v", got)
	}
}

// The log keeps a bounded number of entries, which verify from the first one on.
func TestBound(t *testing.T) {
	onBoth(t, func(t *testing.T, open func(io.Writer) *decisions.Log) {
		l := open(io.Discard)
		const keep, filled = 30, 30 + 999
		decisions.SetBound(l, keep)
		decisions.Batch(t, l, filled, decide("run-0", "P-1042", true))
		for range 3 {
			l.Add(t.Context(), decide("run-1", "P-1042", true))
		}
		s := l.State()
		if s.Size != filled+3 || s.Dropped == 0 {
			t.Fatalf("%d entries, %d dropped", s.Size, s.Dropped)
		}
		l.Close()
		l = open(io.Discard)
		again := l.State()
		if again.Size != s.Size || again.Dropped != s.Dropped || again.Broken != nil || again.Head != s.Head {
			t.Errorf("after a restart %d entries, %d dropped: %v", again.Size, again.Dropped, again.Broken)
		}
		kept := stored(t, l, "")
		if len(kept) != int(s.Size-s.Dropped) || len(kept) > keep+1000 {
			t.Errorf("%d entries are kept", len(kept))
		}
		verifies(t, kept, s.Dropped)
	})
}

// A database that fails loses nothing: entries are stored when it works again, and
// the failure is reported.
func TestStorageFails(t *testing.T) {
	onBoth(t, func(t *testing.T, open func(io.Writer) *decisions.Log) {
		var said bytes.Buffer
		l := open(&said)
		decisions.Exec(t, l, "ALTER TABLE decision RENAME TO away")
		l.Add(t.Context(), decide("run-1", "P-1042", true))
		l.Add(t.Context(), decide("run-1", "P-2187", false))
		if l.Fault() == nil {
			t.Error("no fault is reported")
		}
		if s := l.State(); s.Size != 2 || !strings.Contains(said.String(), "storage failed") {
			t.Errorf("%d entries, logged %s", s.Size, said.String())
		}
		decisions.Exec(t, l, "ALTER TABLE away RENAME TO decision")
		if err := l.Fault(); err != nil {
			t.Errorf("after it works again: %v", err)
		}
		l.Add(t.Context(), decide("run-1", "P-3301", false))
		if got := stored(t, l, "run-1"); len(got) != 3 {
			t.Errorf("%d entries are stored", len(got))
		}
		verifies(t, stored(t, l, ""), 0)
	})
}

// Entries that were stored, although the answer to that was lost, are not stored again.
func TestTheAnswerIsLost(t *testing.T) {
	onBoth(t, func(t *testing.T, open func(io.Writer) *decisions.Log) {
		l := open(io.Discard)
		l.Add(t.Context(), decide("run-1", "P-1042", true))
		decisions.LoseAnswer(l)
		l.Add(t.Context(), decide("run-1", "P-2187", true))
		l.Add(t.Context(), decide("run-1", "P-3301", true))
		if err := l.Fault(); err != nil || l.State().Size != 3 {
			t.Errorf("%d entries, fault: %v", l.State().Size, err)
		}
		verifies(t, stored(t, l, ""), 0)
		if n := len(stored(t, l, "")); n != 3 {
			t.Errorf("%d entries are stored, want 3", n)
		}
	})
}

// While the database fails, memory does not grow without bound: of too many entries
// the oldest are lost, and the stored chain shows it.
func TestStorageFailsForLong(t *testing.T) {
	onBoth(t, func(t *testing.T, open func(io.Writer) *decisions.Log) {
		l := open(io.Discard)
		const bound = 5
		decisions.SetBound(l, bound)
		l.Add(t.Context(), decide("run-1", "P-1042", true))
		decisions.Exec(t, l, "ALTER TABLE decision RENAME TO away")
		for range 2 * bound {
			l.Add(t.Context(), decide("run-1", "P-1042", true))
		}
		decisions.Exec(t, l, "ALTER TABLE away RENAME TO decision")
		if err := l.Fault(); err != nil {
			t.Fatal(err)
		}
		if n := len(stored(t, l, "")); n != 1+bound {
			t.Errorf("%d entries are stored, want the first and the last %d", n, bound)
		}
		l.Close()
		if s := open(io.Discard).State(); s.Size != 1+2*bound || s.Broken == nil {
			t.Errorf("%d entries, broken: %v; want the gap to be found", s.Size, s.Broken)
		}
	})
}

// Without a log, decisions go nowhere.
func TestNoLog(t *testing.T) {
	var l *decisions.Log
	l.Add(t.Context(), decisions.Decision{})
}

// A reader gets all entries with their positions, or an error if those that it had
// still to read were dropped.
func TestAll(t *testing.T) {
	onBoth(t, func(t *testing.T, open func(io.Writer) *decisions.Log) {
		l := open(io.Discard)
		decisions.SetBound(l, 500)
		for range 4 {
			decisions.Batch(t, l, 350, decide("run-1", "P-1042", true))
		}
		read := func(meanwhile int) (positions []int64, err error) {
			for e, err := range l.All(t.Context()) {
				if err != nil {
					return positions, err
				}
				if len(positions) == 10 && meanwhile > 0 {
					decisions.Batch(t, l, meanwhile, decide("run-2", "P-1042", true))
				}
				positions = append(positions, e.Position)
			}
			return positions, nil
		}
		if p, err := read(0); err != nil || len(p) != 1400 || p[0] != 1 || p[1399] != 1400 {
			t.Errorf("%d entries: %v", len(p), err)
		}
		if p, err := read(200); !errors.Is(err, decisions.ErrDropped) || len(p) != 1000 {
			t.Errorf("%d entries before the gap: %v", len(p), err)
		}
		if p, err := read(0); err != nil || p[0] != l.State().Dropped+1 || p[len(p)-1] != 1600 {
			t.Errorf("from %d to %d: %v", p[0], p[len(p)-1], err)
		}
	})
}
