package web_test

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/web"
)

// A viewer is an open stream of a client that accepts gzip, and reads what comes.
type viewer struct {
	conn  net.Conn
	bytes int
	last  time.Time // when the last byte arrived
	text  strings.Builder
	kept  bool // whether text is written
}

// A crowd watches the same address.
type crowd struct {
	viewers []*viewer
	reading sync.WaitGroup
	mu      sync.Mutex
}

// watch connects n viewers and returns when each has received something.
func (s *site) watch(t testing.TB, path string, n int) *crowd {
	t.Helper()
	c := &crowd{}
	for i := range n {
		conn, err := net.Dial("tcp", s.Listener.Addr().String())
		must(t, err)
		v := &viewer{conn: conn, kept: i == 0}
		c.viewers = append(c.viewers, v)
		fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n", path)
		c.reading.Go(func() { c.read(v) })
	}
	c.quiet(t)
	return c
}

func (c *crowd) read(v *viewer) {
	var buf [512]byte
	for {
		n, err := v.conn.Read(buf[:])
		now := time.Now()
		c.mu.Lock()
		v.bytes += n
		v.last = now
		if v.kept {
			v.text.Write(buf[:n])
		}
		c.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// quiet returns when every viewer has received something, and none has for a while.
func (c *crowd) quiet(t testing.TB) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		c.mu.Lock()
		still := true
		for _, v := range c.viewers {
			still = still && v.bytes > 0 && time.Since(v.last) > 300*time.Millisecond
		}
		c.mu.Unlock()
		if still {
			return
		}
	}
	t.Fatal("the viewers are not served")
}

// received returns how many bytes a viewer has received on average, and how far
// the last byte of the slowest is behind that of the first.
func (c *crowd) received() (bytes int, spread time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	first, last := c.viewers[0].last, c.viewers[0].last
	for _, v := range c.viewers {
		bytes += v.bytes
		if v.last.Before(first) {
			first = v.last
		}
		if v.last.After(last) {
			last = v.last
		}
	}
	return bytes / len(c.viewers), last.Sub(first)
}

func (c *crowd) leave() {
	for _, v := range c.viewers {
		v.conn.Close()
	}
	c.reading.Wait()
}

// plain waits for the end of a stream and returns what its first viewer was sent.
func (c *crowd) plain(t testing.TB) string {
	t.Helper()
	var sent string
	for deadline := time.Now().Add(time.Minute); !strings.HasSuffix(sent, "\r\n0\r\n\r\n"); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the stream does not end")
		}
		c.mu.Lock()
		sent = c.viewers[0].text.String()
		c.mu.Unlock()
	}
	resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(sent)), nil)
	must(t, err)
	zipped, err := gzip.NewReader(resp.Body)
	must(t, err)
	text, err := io.ReadAll(zipped) // it checks the sum at the end
	must(t, err)
	return string(text)
}

const fullRequest = "Show records, check billing, and prescribe Lisinopril"

// A full encounter costs a viewer at most 45 kB, on each page and at each pace: the
// slower the pace, the fewer events share a message. A stream that ends is a whole
// gzip file.
func TestBytesPerViewer(t *testing.T) {
	if testing.Short() {
		t.Skip("counts bytes, which a race does not change")
	}
	t.Parallel()
	s := newSite(t, configure{})
	const most = 45_000
	for _, pace := range []string{"instant", "talk:50ms"} {
		id := s.start(t, "P-1042", fullRequest, "step") // it waits until all watch
		must(t, s.web.Show(t.Context(), id))
		pages := map[string]*crowd{}
		for _, path := range []string{"/runs/" + id + "/frames", "/runs/" + id + "/frames?layout=phone", "/stage/frames", "/stage/frames?layout=phone"} {
			pages[path] = s.watch(t, path, 2)
		}
		s.pace(t, id, pace)
		s.finish(t, id)
		for path, c := range pages {
			c.quiet(t)
			n, _ := c.received()
			t.Logf("%s, %s: %d bytes", path, pace, n)
			if n > most {
				t.Errorf("%s, %s: %d bytes, want at most %d", path, pace, n, most)
			}
			if strings.HasPrefix(path, "/runs") {
				if text := c.plain(t); !strings.Contains(text, "confirmed revoked") || !strings.HasSuffix(text, "event: end\ndata: over\n\n") {
					t.Errorf("%s ends with %q", path, text[max(0, len(text)-200):])
				}
			}
			c.leave()
		}
	}
}

// BenchmarkViewers measures a full encounter at the pace instant, with server and
// clients on this machine.
func BenchmarkViewers(b *testing.B) {
	for _, page := range []string{"stage", "phone", "encounter", "json"} {
		for _, n := range []int{100, 1000, 5000} {
			if n > 1000 && page != "phone" {
				n = 2000
			}
			b.Run(fmt.Sprintf("%s/%d", page, n), func(b *testing.B) { benchmarkViewers(b, page, n) })
		}
	}
}

func benchmarkViewers(b *testing.B, page string, n int) {
	s := newSite(b, configure{web: func(c *web.Config) { c.Viewers, c.ViewersPerAddress = 6000, 6000 }})
	var bytes, memory int
	var spread time.Duration
	for b.Loop() {
		id := s.start(b, "P-1042", fullRequest, "step") // it waits until all watch
		path := map[string]string{"stage": "/stage/frames", "phone": "/stage/frames?layout=phone", "encounter": "/runs/" + id + "/frames",
			"json": "/api/runs/" + id + "/events"}[page]
		must(b, s.web.Show(b.Context(), id))
		before := inUse()
		c := s.watch(b, path, n)
		memory += (inUse() - before) / n
		s.pace(b, id, "instant")
		s.finish(b, id)
		c.quiet(b)
		got, late := c.received()
		bytes, spread = bytes+got, spread+late
		c.leave()
	}
	b.ReportMetric(float64(bytes)/float64(b.N), "B/viewer")
	b.ReportMetric(float64(spread.Milliseconds())/float64(b.N), "ms/slowest")
	b.ReportMetric(float64(memory)/1000/float64(b.N), "kB/viewer")
}

func (s *site) pace(t testing.TB, runID, pace string) {
	t.Helper()
	resp, err := http.PostForm(s.URL+"/runs/"+runID+"/pace", url.Values{"pace": {pace}})
	must(t, err)
	resp.Body.Close()
	if resp.StatusCode >= 400 {
		t.Fatalf("pace: %s", resp.Status)
	}
}

// inUse returns the memory that is in use, client and server together.
func inUse() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc + m.StackInuse)
}
