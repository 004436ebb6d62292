package web_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/web"
)

// A follower reads the page's stream of a run to its end. It notes which steps it is
// sent, and when.
type follower struct {
	replicas []string // addresses, which it connects to in turn
	runID    string
	cut      int // it loses its connection after so many steps; 0 for never

	steps []int64
	times []time.Time
	err   error
}

func (f *follower) follow(ctx context.Context) {
	position := ""
	for connection := 0; ctx.Err() == nil; connection++ {
		over, err := f.connect(ctx, f.replicas[connection%len(f.replicas)], &position)
		if over || err != nil {
			f.err = err
			return
		}
	}
	f.err = ctx.Err()
}

// connect reads one connection, and reports whether the stream is over.
func (f *follower) connect(ctx context.Context, address string, position *string) (over bool, err error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return false, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	fmt.Fprintf(conn, "GET /runs/%s/frames HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: %s\r\n\r\n", f.runID, *position)
	resp, err := http.ReadResponse(bufio.NewReaderSize(conn, 1<<10), nil)
	if err != nil {
		return false, err
	}
	if resp.StatusCode != http.StatusOK {
		return false, fmt.Errorf("stream: %s", resp.Status)
	}
	lines := bufio.NewReaderSize(resp.Body, 1<<10)
	id := ""
	for read := 0; ; {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return false, err
		}
		if rest, ok := bytes.CutPrefix(line, []byte("id: ")); ok {
			id = string(bytes.TrimSpace(rest))
		}
		for rest := line; ; {
			_, after, found := bytes.Cut(rest, []byte(`<li id="step-`))
			if !found {
				break
			}
			number, tail, _ := bytes.Cut(after, []byte(`"`))
			n, err := strconv.ParseInt(string(number), 10, 64)
			if err != nil {
				return false, err
			}
			f.steps, f.times, rest = append(f.steps, n), append(f.times, time.Now()), tail
			read++
		}
		switch {
		case bytes.HasPrefix(line, []byte("event: end")):
			return true, nil
		case len(bytes.TrimSpace(line)) == 0: // the message is whole
			*position = id
			if f.cut > 0 && read >= f.cut {
				return false, nil
			}
		}
	}
}

// BenchmarkViewersOverReplicas measures how long a step takes to 2,000 viewers of two
// replicas, of which one runs the encounter. In a second form every other viewer loses
// its connection after five steps, again and again, and reaches the other replica
// then. It fails if a viewer misses a step or gets one twice.
func BenchmarkViewersOverReplicas(b *testing.B) {
	for name, cut := range map[string]int{"steady": 0, "cut": 5} {
		b.Run(name, func(b *testing.B) { benchmarkReplicas(b, 2000, cut) })
	}
}

func benchmarkReplicas(b *testing.B, viewers, cut int) {
	r := newReplicas(b, 2, func(_ int, c *configure) {
		c.web = func(c *web.Config) { c.Viewers, c.ViewersPerAddress = 6000, 6000 }
	})
	var late []time.Duration
	for b.Loop() {
		id := r.all[0].start(b, "P-1042", fullRequest, "step") // it waits until all watch
		ctx, cancel := context.WithTimeout(b.Context(), 2*time.Minute)
		all := make([]*follower, viewers)
		var following sync.WaitGroup
		for i := range all {
			f := &follower{runID: id}
			for n := range r.all {
				f.replicas = append(f.replicas, r.all[(i+n)%len(r.all)].Listener.Addr().String())
			}
			if i%4 < 2 { // at both replicas
				f.cut = cut
			}
			all[i] = f
			following.Go(func() { f.follow(ctx) })
		}
		eventually(b, "all watch", func() bool {
			open := 0
			for _, s := range r.all {
				open += int(s.streams(b))
			}
			return open == viewers
		})
		r.all[0].pace(b, id, "talk:200ms")
		want := r.all[0].finish(b, id)
		following.Wait()
		cancel()
		late = append(late, r.check(b, all, want)...)
	}
	slices.Sort(late)
	b.ReportMetric(float64(late[len(late)/2].Milliseconds()), "ms/p50")
	b.ReportMetric(float64(late[len(late)*99/100].Milliseconds()), "ms/p99")
	b.ReportMetric(float64(late[len(late)-1].Milliseconds()), "ms/slowest")
}

// check fails if a viewer has missed a step or got one twice, and returns how late
// each step of those came that happened while all watched.
func (r replicas) check(b *testing.B, all []*follower, want []int) (late []time.Duration) {
	b.Helper()
	events, err := r.all[0].log.Events(b.Context(), all[0].runID, 0)
	must(b, err)
	for i, f := range all {
		if f.err != nil {
			b.Fatalf("viewer %d: %v", i, f.err)
		}
		if len(f.steps) != len(want) {
			b.Fatalf("viewer %d got %d of %d steps: %v", i, len(f.steps), len(want), f.steps)
		}
		for n, step := range f.steps {
			if step != int64(want[n]) {
				b.Fatalf("viewer %d got %v", i, f.steps)
			}
			if n > 5 { // the first steps happened before all watched
				late = append(late, f.times[n].Sub(events[step-1].Time))
			}
		}
	}
	return late
}

// streams returns the number of open streams, by the site's own metrics.
func (s *site) streams(t testing.TB) (n int64) {
	t.Helper()
	resp := get(t, s.URL+"/metrics")
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if rest, ok := bytes.CutPrefix(lines.Bytes(), []byte("medassist_viewers ")); ok {
			n, _ = strconv.ParseInt(string(rest), 10, 64)
		}
	}
	return n
}
