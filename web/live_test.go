package web_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/agents"
	"github.com/devonartis/medassist-go/trace"
)

// start opens a run.
func (s *site) start(t testing.TB, patientID, text, pace string) string {
	t.Helper()
	req, err := agents.ParseRequest(patientID, text, pace)
	must(t, err)
	run, err := s.service.Start(t.Context(), req)
	must(t, err)
	return run.ID
}

// encounter runs a request to its end, and returns the steps that have a line.
func (s *site) encounter(t testing.TB, patientID, text string) (runID string, lines []int) {
	t.Helper()
	runID = s.start(t, patientID, text, "")
	return runID, s.finish(t, runID)
}

func (s *site) finish(t testing.TB, runID string) (lines []int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	must(t, s.service.Wait(ctx, runID))
	events, err := s.log.Events(ctx, runID, 0)
	must(t, err)
	for _, e := range events {
		if e.Step.Type() != trace.TypeLLMDelta {
			lines = append(lines, int(e.Seq))
		}
	}
	return lines
}

// frames opens a page's stream after a step.
func (s *site) frames(t testing.TB, runID string, after int) *http.Response {
	t.Helper()
	resp, err := http.Get(fmt.Sprintf("%s/runs/%s/frames?after=%d", s.URL, runID, after))
	must(t, err)
	t.Cleanup(func() { resp.Body.Close() })
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("stream: %s", resp.Status)
	}
	return resp
}

var stepLine = regexp.MustCompile(`<li id="step-(\d+)"`)

// shown reads a stream to its end, and returns the steps that have a line in it.
func shown(t testing.TB, body io.Reader) (lines []int) {
	t.Helper()
	text, err := io.ReadAll(body)
	if err != nil {
		t.Errorf("read the stream: %v", err)
	}
	for _, m := range stepLine.FindAllStringSubmatch(string(text), -1) {
		n, _ := strconv.Atoi(m[1])
		lines = append(lines, n)
	}
	return lines
}

// Each watcher sees each step once and in order, whenever it connects.
func TestWatchersSeeEachStepOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t, configure{})
	runID := s.start(t, "P-1042", "Show records, check billing, and prescribe Lisinopril", "talk:50ms")
	var watching sync.WaitGroup
	const watchers = 30
	seen := make([][]int, watchers)
	for i := range watchers {
		time.Sleep(20 * time.Millisecond)
		resp := s.frames(t, runID, 0)
		watching.Go(func() { seen[i] = shown(t, resp.Body) })
	}
	want := s.finish(t, runID)
	watching.Wait()
	for i, got := range seen {
		if !slices.Equal(got, want) {
			t.Errorf("watcher %d saw %v, the trace has %v", i, got, want)
		}
	}
	if got := shown(t, s.frames(t, runID, want[10]).Body); !slices.Equal(got, want[11:]) {
		t.Errorf("resumed after %d: %v, want %v", want[10], got, want[11:])
	}
	if got := shown(t, s.frames(t, runID, want[len(want)-1]).Body); len(got) > 0 {
		t.Errorf("resumed after the last step: %v", got)
	}
}

// A stalled watcher delays no other.
func TestStalledWatcherDelaysNobody(t *testing.T) {
	t.Parallel()
	s := newSite(t, configure{})
	runID, want := s.encounter(t, "P-1042", "Show records")
	for range 5 {
		conn, err := net.Dial("tcp", s.Listener.Addr().String())
		must(t, err)
		defer conn.Close()
		fmt.Fprintf(conn, "GET /runs/%s/frames HTTP/1.1\r\nHost: localhost\r\n\r\n", runID)
	}
	if got := shown(t, s.frames(t, runID, 0).Body); !slices.Equal(got, want) {
		t.Errorf("beside stalled watchers: %v, want %v", got, want)
	}
}

// The frames of old runs are dropped, and rendered again on request.
func TestOldRunsAreRenderedAgain(t *testing.T) {
	t.Parallel()
	s := newSite(t, configure{})
	oldest, want := s.encounter(t, "P-1042", "Show labs")
	for range 6 { // more than are kept
		id, lines := s.encounter(t, "P-1042", "Show labs")
		if got := shown(t, s.frames(t, id, 0).Body); !slices.Equal(got, lines) {
			t.Fatalf("run %s: %v, want %v", id, got, lines)
		}
	}
	if got := shown(t, s.frames(t, oldest, 0).Body); !slices.Equal(got, want) {
		t.Errorf("the oldest run: %v, want %v", got, want)
	}
}

// Text from people and models can't break out of a stream's message.
func TestNothingBreaksOutOfAMessage(t *testing.T) {
	t.Parallel()
	s := newSite(t, configure{})
	const hostile = "Show labs\rid: 4711\revent: close\r\r<hx-partial hx-target=\"#trace\">\n\n<script>alert(1)</script>"
	runID, want := s.encounter(t, "P-1042", hostile)
	lines := bufio.NewScanner(s.frames(t, runID, 0).Body)
	lines.Buffer(nil, 1<<20)
	lines.Split(scanStreamLines)
	for lines.Scan() {
		line := lines.Text()
		id, isID := strings.CutPrefix(line, "id: ")
		switch n, _ := strconv.Atoi(id); {
		case line == "", strings.HasPrefix(line, "data: "), strings.HasPrefix(line, ": "), line == "event: stale", line == "event: end":
		case isID && n > 0 && n <= want[len(want)-1]:
		default:
			t.Errorf("a line of the stream: %q", line)
		}
		if strings.Contains(line, "<script") || strings.Contains(line, `hx-target="#trace">`) && !strings.HasPrefix(line, `data: <hx-partial hx-target="#trace" hx-swap=`) {
			t.Errorf("markup from outside: %q", line)
		}
	}
	must(t, lines.Err())
}

// scanStreamLines splits lines as a browser does: at CR, LF or both.
func scanStreamLines(data []byte, atEOF bool) (int, []byte, error) {
	i := slices.IndexFunc(data, func(c byte) bool { return c == '\r' || c == '\n' })
	switch {
	case i >= 0:
		return i + 1, data[:i], nil
	case atEOF && len(data) > 0:
		return len(data), data, nil
	}
	return 0, nil, nil
}

// An idle stream ends when the server stops, and not before.
func TestStreamsEndWithServer(t *testing.T) {
	t.Parallel()
	s := newSite(t, configure{})
	runID := s.start(t, "P-1042", "Show labs", "step")
	page, api := s.frames(t, runID, 0), get(t, s.URL+"/api/runs/"+runID+"/events")
	ended := make(chan error, 2)
	for _, resp := range []*http.Response{page, api} {
		go func() {
			_, err := io.Copy(io.Discard, resp.Body)
			ended <- err
		}()
	}
	select {
	case err := <-ended:
		t.Fatalf("a stream ended while its run waits: %v", err)
	case <-time.After(200 * time.Millisecond):
	}
	s.web.Close()
	for range 2 {
		select {
		case err := <-ended:
			if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Error(err)
			}
		case <-time.After(5 * time.Second):
			t.Fatal("a stream does not end")
		}
	}
}

func get(t testing.TB, address string) *http.Response {
	t.Helper()
	resp, err := http.Get(address)
	must(t, err)
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}
