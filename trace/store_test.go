package trace_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/devonartis/medassist-go/internal/pgtest"
	"github.com/devonartis/medassist-go/internal/sqlitedb"
	"github.com/devonartis/medassist-go/trace"
)

// crashEnv makes the test binary a process that crashes during a run, see
// TestACrashedRunIsInterrupted.
const crashEnv = "TRACE_TEST_CRASH"

// TestMain runs more tests at once than there are processors, because most of those
// that run in parallel wait for a lease to end.
func TestMain(m *testing.M) {
	if path := os.Getenv(crashEnv); path != "" {
		crash(path)
	}
	flag.Parse()
	if err := flag.Set("test.parallel", strconv.Itoa(max(8, runtime.GOMAXPROCS(0)))); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(pgtest.Tests{Runner: m})
}

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func open(t testing.TB, path string) *trace.Store {
	t.Helper()
	s, err := trace.OpenStore(context.Background(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func create(t testing.TB, s *trace.Store, id string, started time.Time) trace.Run {
	t.Helper()
	run := trace.Run{ID: id, PatientID: "P-1042", Request: "Show records", Started: started}
	if err := s.Create(context.Background(), run); err != nil {
		t.Fatal(err)
	}
	return run
}

func add(t testing.TB, s *trace.Store, runID string, step trace.Step) trace.Event {
	t.Helper()
	e, err := s.Append(context.Background(), runID, trace.Event{Time: noon, Status: trace.StatusInfo, Label: "x", Step: step})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func end(t testing.TB, s *trace.Store, runID string) {
	t.Helper()
	add(t, s, runID, trace.Complete{PatientID: "P-1042", Agents: []string{}, Outcome: trace.OutcomeAnswered})
}

// TestStores checks the contract of a Log in memory and on disk.
func TestStores(t *testing.T) {
	for name, path := range map[string]string{"memory": "", "disk": filepath.Join(t.TempDir(), "runs.db")} {
		t.Run(name, func(t *testing.T) { testLog(t, open(t, path)) })
	}
}

func testLog(t *testing.T, s *trace.Store) {
	ctx := t.Context()
	want := create(t, s, "run-1", noon)
	if err := s.Create(ctx, want); !errors.Is(err, trace.ErrExists) {
		t.Errorf("a second run of the same ID: %v", err)
	}
	first := add(t, s, "run-1", trace.LLMDelta{Text: "a"})
	second := add(t, s, "run-1", trace.LLMDelta{Text: "b"})
	if first.RunID != "run-1" || first.Seq != 1 || second.Seq != 2 {
		t.Errorf("events are %s/%d and %s/%d", first.RunID, first.Seq, second.RunID, second.Seq)
	}
	if run, err := s.Run(ctx, "run-1"); err != nil || !run.Live() {
		t.Errorf("run = %+v, %v", run, err)
	}
	end(t, s, "run-1")

	run, err := s.Run(ctx, "run-1")
	if err != nil || run.Live() || run.Outcome != trace.OutcomeAnswered || run.Summary == nil {
		t.Errorf("an ended run = %+v, %v", run, err)
	}
	if _, err := s.Append(ctx, "run-1", trace.Event{Step: trace.LLMDelta{}}); !errors.Is(err, trace.ErrEnded) {
		t.Errorf("an event after the end: %v", err)
	}
	events, err := s.Events(ctx, "run-1", 1)
	if err != nil || len(events) != 2 || events[0].Seq != 2 {
		t.Errorf("events above 1 = %+v, %v", events, err)
	}
	for _, after := range []int64{3, 99, 1 << 62} {
		if events, err := s.Events(ctx, "run-1", after); err != nil || len(events) != 0 {
			t.Errorf("events above %d = %+v, %v", after, events, err)
		}
	}
	cursor, err := s.Follow(ctx, "run-1", 0)
	if err != nil {
		t.Fatal(err)
	}
	if all, err := drain(ctx, cursor); err != nil || len(all) != 3 {
		t.Errorf("followed %d events, %v", len(all), err)
	}

	_, errRun := s.Run(ctx, "run-0")
	_, errEvents := s.Events(ctx, "run-0", 0)
	_, errFollow := s.Follow(ctx, "run-0", 0)
	_, errAppend := s.Append(ctx, "run-0", trace.Event{Step: trace.LLMDelta{}})
	for op, err := range map[string]error{"Run": errRun, "Events": errEvents, "Follow": errFollow, "Append": errAppend} {
		if !errors.Is(err, trace.ErrNotFound) {
			t.Errorf("%s of an unknown run: %v", op, err)
		}
	}
}

func TestRunsAreListedNewestFirstAndInPages(t *testing.T) {
	s := open(t, "")
	for i := range 50 { // more than stay in memory
		id := fmt.Sprintf("run-%02d", i)
		create(t, s, id, noon.Add(time.Duration(i)*time.Minute))
		end(t, s, id)
	}
	create(t, s, "run-live", noon.Add(time.Hour))
	var ids []string
	var before time.Time
	for {
		page, err := s.Runs(t.Context(), before, 20)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, r := range page {
			ids = append(ids, r.ID)
		}
		before = page[len(page)-1].Started
	}
	if len(ids) != 51 || ids[0] != "run-live" || ids[1] != "run-49" || ids[50] != "run-00" {
		t.Errorf("listed %d: %v", len(ids), ids)
	}
}

func TestAReaderThatJoinsAtAnyTimeSeesEveryEvent(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "runs.db"))
	create(t, s, "run-1", noon)
	const events = 200
	var wg sync.WaitGroup
	for i := range 40 {
		after := int64(i * 3)
		wg.Go(func() {
			time.Sleep(time.Duration(i) * 200 * time.Microsecond)
			cursor, err := s.Follow(t.Context(), "run-1", after)
			if err != nil {
				t.Error(err)
				return
			}
			got, err := drain(t.Context(), cursor)
			if err != nil {
				t.Error(err)
			}
			for j, e := range got {
				if e.Seq != after+int64(j)+1 {
					t.Errorf("event %d of a reader from %d is number %d", j, after, e.Seq)
					return
				}
			}
			if len(got) != events+1-int(after) {
				t.Errorf("a reader from %d saw %d events", after, len(got))
			}
		})
	}
	for range events {
		add(t, s, "run-1", trace.LLMDelta{Text: "word "})
	}
	end(t, s, "run-1")
	wg.Wait()
}

func TestAReplayAfterARestartIsIdentical(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data", "runs.db")
	s := open(t, path)
	create(t, s, "run-1", time.Now())
	for _, step := range steps {
		e := trace.Event{Time: time.Now(), Status: trace.StatusInfo, Label: "a label",
			Spans: []trace.Span{{Lane: trace.LaneGate, Start: time.Now(), Took: time.Millisecond, Name: "check"}}, Step: step}
		if _, err := s.Append(t.Context(), "run-1", e); err != nil {
			t.Fatal(err)
		}
	}
	want, err := trace.ReadExport(t.Context(), s, "run-1")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := trace.ReadExport(t.Context(), open(t, path), "run-1")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.Run, got.Run); diff != "" {
		t.Errorf("run (-live +replayed):\n%s", diff)
	}
	for i := range want.Events {
		live, _ := want.Events[i].JSON()
		replayed, _ := got.Events[i].JSON()
		if !bytes.Equal(live, replayed) {
			t.Errorf("event %d was %s\nand is %s", i+1, live, replayed)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file, which holds patients' data, is %v, %v", info.Mode(), err)
	}
}

func TestAFileBelongsToOneProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "runs.db")
	open(t, path)
	if s, err := trace.OpenStore(t.Context(), path, nil); !errors.Is(err, sqlitedb.ErrInUse) {
		t.Errorf("a second one opened it: %v, %v", s, err)
	}
}

func TestAFileThatIsNotADatabaseIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "runs.db")
	if err := os.WriteFile(path, []byte("this is no database, and longer than a header: "+string(make([]byte, 200))), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := trace.OpenStore(t.Context(), path, nil); err == nil {
		t.Error("a file that is no database was opened")
	}
}

func TestAClosedStoreRefusesEvents(t *testing.T) {
	s := open(t, "")
	create(t, s, "run-1", noon)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
	if _, err := s.Append(t.Context(), "run-1", trace.Event{Step: trace.LLMDelta{}}); !errors.Is(err, trace.ErrClosed) {
		t.Errorf("Append = %v", err)
	}
	if err := s.Create(t.Context(), trace.Run{ID: "run-2"}); err == nil {
		t.Error("a run was created")
	}
}

// crash is a process that has one finished and one live run and then crashes.
func crash(path string) {
	s, err := trace.OpenStore(context.Background(), path, nil)
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	for _, id := range []string{"run-done", "run-live"} {
		if err := s.Create(ctx, trace.Run{ID: id, PatientID: "P-1042", Started: noon}); err != nil {
			panic(err)
		}
	}
	for _, step := range []trace.Step{trace.AgentCreated{Credential: clinical}, trace.ToolCall{Credential: clinical}} {
		if _, err := s.Append(ctx, "run-live", trace.Event{Time: noon.Add(time.Second), Step: step}); err != nil {
			panic(err)
		}
	}
	// Append returns when this event and all earlier ones are stored.
	if _, err := s.Append(ctx, "run-done", trace.Event{Time: noon, Step: trace.Complete{Outcome: trace.OutcomeAnswered}}); err != nil {
		panic(err)
	}
	self, _ := os.FindProcess(os.Getpid())
	self.Kill()
	select {}
}

func TestACrashedRunIsInterrupted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "runs.db")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), crashEnv+"="+path)
	if out, err := cmd.CombinedOutput(); err == nil || len(out) > 0 {
		t.Fatalf("the process did not crash: %v\n%s", err, out)
	}
	for range 2 { // the second start finds nothing left to close
		s := open(t, path)
		if run, err := s.Run(t.Context(), "run-done"); err != nil || run.Outcome != trace.OutcomeAnswered {
			t.Errorf("the finished run = %+v, %v", run, err)
		}
		x, err := trace.ReadExport(t.Context(), s, "run-live")
		if err != nil {
			t.Fatal(err)
		}
		if x.Run.Outcome != trace.OutcomeInterrupted || !x.Run.Ended.Equal(noon.Add(time.Second)) {
			t.Errorf("the live run = %+v", x.Run)
		}
		var types []trace.Type
		for _, e := range x.Events {
			types = append(types, e.Step.Type())
		}
		if want := []trace.Type{trace.TypeAgentCreated, trace.TypeToolCall, trace.TypeError, trace.TypeComplete}; !slices.Equal(types, want) {
			t.Errorf("its events are %v", types)
		}
		if c := x.Run.Summary; c == nil || c.Tokens != 1 || c.Allowed != 1 || c.AllRevoked {
			t.Errorf("its summary is %+v", c)
		}
		s.Close()
	}
}

// BenchmarkRun measures a run of 100 events on disk, as its caller sees it.
func BenchmarkRun(b *testing.B) {
	s := open(b, filepath.Join(b.TempDir(), "runs.db"))
	for i := 0; b.Loop(); i++ {
		id := fmt.Sprint("run-", i)
		create(b, s, id, noon)
		for range 100 {
			add(b, s, id, trace.LLMDelta{Text: "some words of an answer that streams"})
		}
		end(b, s, id)
	}
}
