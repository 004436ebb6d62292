package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/agents"
	"github.com/devonartis/medassist-go/trace"
)

// framesPerRun is how many viewers of each run of the soak follow the page's frames.
// The others follow the JSON events.
const framesPerRun = 2

// The demo under load: 50 runs at once with 200 viewers, or with 500 for as long as
// MEDASSIST_SOAK says (make soak: ten minutes). No run fails, every viewer sees
// each step once, and memory and goroutines return to what they were.
func TestSoak(t *testing.T) {
	runs, viewers, duration, pace := 50, 4, time.Duration(0), "talk:50ms"
	if testing.Short() {
		runs = 5
	}
	if s := os.Getenv("MEDASSIST_SOAK"); s != "" {
		var err error
		if duration, err = time.ParseDuration(s); err != nil {
			t.Fatal(err)
		}
		viewers, pace = 10, "talk:250ms" // a run of 15 seconds
	}
	// On a busy machine calls may be slow; that is not what is tested.
	patient := agents.Limits{LiveRuns: runs, ToolCall: time.Minute, BrokerCall: time.Minute, Cleanup: time.Minute}
	s := &soak{viewers: viewers, app: startApp(t, func(c *Config) {
		c.Ephemeral, c.Data, c.limits = false, t.TempDir(), patient
	})}
	s.client.Transport = &http.Transport{MaxIdleConnsPerHost: runs * viewers}

	s.pace = "talk:50ms"
	s.load(runs, 0) // so that caches and connection pools are filled
	heap, goroutines := s.settled(0, 0)
	warm := s.runs.Load()
	s.pace = pace
	s.load(runs, duration)
	done := s.runs.Load() - warm
	// Idle connections come and go; a leak would be at least one goroutine a run.
	most := goroutines + max(10, runs/2)
	// A run leaves the revocations of its tokens in the broker's memory.
	mostHeap := heap + 8<<20 + uint64(done)*4<<10
	heapAfter, goroutinesAfter := s.settled(most, mostHeap)
	t.Logf("%d runs, %d messages; heap %d → %d KiB, goroutines %d → %d",
		done, s.messages.Load(), heap>>10, heapAfter>>10, goroutines, goroutinesAfter)
	if goroutinesAfter > most {
		t.Errorf("goroutines: %d before, %d after", goroutines, goroutinesAfter)
	}
	if heapAfter > mostHeap && !raceDetector() {
		t.Errorf("heap: %d KiB before, %d KiB after %d runs", heap>>10, heapAfter>>10, done)
	}
}

// raceDetector reports whether the race detector is on. It keeps memory of its own in
// the heap.
func raceDetector() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

type soak struct {
	*app
	client         http.Client
	viewers        int // of each run
	pace           string
	runs, messages atomic.Int64
}

// load keeps n runs going, each followed by another one until the time is up.
func (s *soak) load(n int, d time.Duration) {
	end := time.Now().Add(d)
	var slots sync.WaitGroup
	for range n {
		slots.Go(func() {
			for first := true; (first || time.Now().Before(end)) && !s.Failed(); first = false {
				s.watchedRun(first)
			}
		})
	}
	slots.Wait()
	resp, err := s.client.Post(s.Page+"/api/reset", "application/json", nil)
	if err != nil {
		s.Fatal(err)
	}
	resp.Body.Close()
}

// watchedRun starts a run, follows it with all its viewers and checks what it did.
// Only a slot's first run prescribes, since a patient can have 100 medications.
func (s *soak) watchedRun(prescribe bool) {
	request, allowed, tokens := fullRequest, 4, 4
	if !prescribe {
		request, allowed, tokens = "Show records and lab results, and check billing", 3, 2
	}
	resp, err := s.client.Post(s.Page+"/api/runs", "application/json",
		strings.NewReader(`{"patient_id":"P-1042","request":"`+request+`","pace":"`+s.pace+`"}`))
	if err != nil {
		s.Error(err)
		return
	}
	resp.Body.Close()
	id := strings.TrimPrefix(resp.Header.Get("Location"), "/api/runs/")
	if resp.StatusCode != http.StatusAccepted {
		s.Errorf("start a run: %s", resp.Status)
		return
	}
	var viewers sync.WaitGroup
	last := make([]int, s.viewers)
	for i := range s.viewers {
		viewers.Go(func() {
			if i < framesPerRun {
				s.view("/runs/"+id+"/frames", 0, 0)
				return
			}
			leave := 0
			if i%2 == 0 {
				leave = 5 * i // the connection breaks once
			}
			last[i] = s.view("/api/runs/"+id+"/events", 0, leave)
			if leave > 0 {
				last[i] = s.view("/api/runs/"+id+"/events", last[i], 0)
			}
		})
	}
	viewers.Wait()
	resp, err = s.client.Get(s.Page + "/api/runs/" + id)
	if err != nil {
		s.Error(err)
		return
	}
	defer resp.Body.Close()
	var x trace.Export
	if err := json.NewDecoder(resp.Body).Decode(&x); err != nil || len(x.Events) == 0 {
		s.Errorf("run %s: %v", id, err)
		return
	}
	for _, n := range last[framesPerRun:] {
		if n != len(x.Events) {
			s.Errorf("run %s: a viewer saw %d of %d steps", id, n, len(x.Events))
		}
	}
	c, ended := x.Events[len(x.Events)-1].Step.(trace.Complete)
	if !ended || c.Outcome != trace.OutcomeAnswered || !c.AllRevoked || c.Allowed != allowed || c.Tokens != tokens {
		s.Errorf("run %s: %+v", id, c)
		for _, failed := range steps[trace.ToolError](result{Trace: x.Events}) {
			s.Error(failed.Reason)
		}
	}
	s.runs.Add(1)
}

// view follows a stream from after a step until its end, or until it has seen
// the step at which the viewer leaves, and returns the last one. Of the JSON
// events none may be missing; of the page's frames none may come again.
func (s *soak) view(path string, after, leave int) (last int) {
	resp, err := s.client.Get(fmt.Sprintf("%s%s?after=%d", s.Page, path, after))
	if err != nil {
		s.Error(err)
		return after
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		s.Errorf("%s: %s", path, resp.Status)
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 4<<20)
	for last = after; lines.Scan(); {
		text, isID := strings.CutPrefix(lines.Text(), "id: ")
		if !isID {
			continue
		}
		s.messages.Add(1)
		id, err := strconv.Atoi(text)
		if err != nil || id <= last || id != last+1 && strings.HasPrefix(path, "/api/") {
			s.Errorf("%s: after step %d comes %q", path, last, text)
		}
		if last = id; last == leave {
			return last
		}
	}
	if err := lines.Err(); err != nil {
		s.Errorf("%s: %v", path, err)
	}
	return last
}

// settled waits until the demo is idle, with at most so many goroutines and bytes in
// the heap, if they are not 0.
func (s *soak) settled(most int, mostHeap uint64) (heap uint64, goroutines int) {
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		s.client.CloseIdleConnections()
		before := goroutines
		goroutines = runtime.NumGoroutine()
		var m runtime.MemStats
		runtime.GC()
		runtime.GC() // what the first one's finalizers let go
		runtime.ReadMemStats(&m)
		heap = m.HeapAlloc
		if time.Now().After(deadline) || goroutines == before && (most == 0 || goroutines <= most) && (mostHeap == 0 || heap <= mostHeap) {
			return heap, goroutines
		}
	}
}
