package web_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/trace"
)

// bigRun stores an ended run with a trace of 2 MiB.
func (s *site) bigRun(t *testing.T) string {
	t.Helper()
	const id = "run-of-great-size"
	began := time.Now().Add(-time.Minute)
	must(t, s.log.Create(t.Context(), trace.Run{ID: id, PatientID: "P-1042", Request: "Show everything", Started: began, ModelName: "m", ModelMode: "openai"}))
	text := strings.Repeat("A <result> of a tool & its \"quotes\". ", 500)
	for i := range 100 {
		_, err := s.log.Append(t.Context(), id, trace.Event{Time: began.Add(time.Duration(i) * time.Millisecond), Label: fmt.Sprintf("Call %d", i),
			Step: trace.ToolError{Tool: "get_lab_results", PatientID: "P-1042", Reason: text}})
		must(t, err)
	}
	_, err := s.log.Append(t.Context(), id, trace.Event{Time: time.Now(), Step: trace.Complete{PatientID: "P-1042", Outcome: trace.OutcomeAnswered}})
	must(t, err)
	return id
}

// heap returns the bytes in use.
func heap() int {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// Readers that do not read share one copy of a big answer. Each held its own
// before: 40 readers of a page of 12 MB used 500 MB, and 850 MB for its export.
func TestSlowReaders(t *testing.T) {
	if testing.Short() {
		t.Skip("measures memory, which the race detector changes")
	}
	s := newSite(t, configure{})
	id := s.bigRun(t)
	for _, path := range []string{"/runs/" + id, "/runs/" + id + "/export.html", "/api/runs/" + id, "/runs/" + id + "/export.json"} {
		var conns []net.Conn
		before := heap()
		size := 0
		for range 20 {
			conn, err := net.Dial("tcp", s.Listener.Addr().String())
			must(t, err)
			conns = append(conns, conn)
			must(t, conn.(*net.TCPConn).SetReadBuffer(4<<10))
			_, err = io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: localhost\r\n\r\n")
			must(t, err)
		}
		for _, conn := range conns { // all of them have an answer, and are being sent the rest
			resp, err := http.ReadResponse(bufio.NewReaderSize(conn, 16), nil)
			must(t, err)
			size = int(resp.ContentLength)
		}
		after := heap()
		t.Logf("%s: %d KiB, heap %d → %d KiB", path, size>>10, before>>10, after>>10)
		if size < 2<<20 {
			t.Errorf("%s: %d bytes are too few for this test", path, size)
		}
		if after-before > 4*size {
			t.Errorf("%s: %d readers use %d KiB for an answer of %d KiB", path, len(conns), (after-before)>>10, size>>10)
		}
		for _, c := range conns {
			c.Close()
		}
	}
}
