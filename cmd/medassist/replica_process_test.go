//go:build unix

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/trace"
)

// A replica is a `medassist` process among those on one database, with an embedded
// broker.
type replica struct {
	*process
	log *syncedBuffer // its standard error
}

// syncedBuffer is a buffer for concurrent use.
type syncedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncedBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncedBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// startReplica starts a replica. Further variables may override the usual ones.
func startReplica(t *testing.T, database string, env ...string) *replica {
	t.Helper()
	env = append(append(os.Environ(), "MEDASSIST_DATABASE_URL="+database, "AGENTWRIT_ADMIN_SECRET="+adminSecret,
		"MEDASSIST_PRESENTER_KEY="+replicaKey, "MEDASSIST_LOG_LEVEL=error", "MEDASSIST_KEY_MOMENT=0s"), env...)
	r := &replica{launch(t, env, 10*time.Minute, "--addr", "127.0.0.1:0", "--broker-addr", "127.0.0.1:0"), new(syncedBuffer)}
	r.Page, _, _ = strings.Cut(r.Page, "/?key=")
	r.key = replicaKey
	go func() { _, _ = io.Copy(r.log, r.stderr) }()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log of the replica at %s:\n%.4000s", r.Page, r.log)
		}
		r.kill()
	})
	return r
}

// in returns the replica as a subtest sees it.
func (r *replica) in(t *testing.T) *replica {
	page := *r.app
	page.T = t
	return &replica{&process{&page, r.cmd, r.stderr}, r.log}
}

// kill ends the replica as kill -9 does.
func (r *replica) kill() {
	_ = r.cmd.Process.Kill()
	_ = r.cmd.Wait() // its error is the signal, or that it was called before
}

func (r *replica) signal(s os.Signal) {
	r.Helper()
	if err := r.cmd.Process.Signal(s); err != nil {
		r.Fatal(err)
	}
}

// ready waits until the replica is healthy and returns how long that took.
func (a *app) ready(within time.Duration) time.Duration {
	a.Helper()
	began := time.Now()
	a.until(within, "a replica is healthy", func() bool {
		resp, err := http.Get(a.Page + "/healthz")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	return time.Since(began)
}

func (a *app) until(within time.Duration, what string, ok func() bool) {
	a.Helper()
	for end := time.Now().Add(within); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			a.Fatalf("not within %s: %s", within, what)
		}
	}
}

// runEnded waits until a run has ended, as this replica shows it.
func (a *app) runEnded(id string, within time.Duration) result {
	a.Helper()
	var x trace.Export
	a.until(within, "run "+id+" has ended", func() bool {
		x = a.export(id)
		return len(x.Events) > 0 && x.Events[len(x.Events)-1].Step.Type() == trace.TypeComplete
	})
	return result{RunID: id, Trace: x.Events}
}

// assertTakenOver checks the trace of a run that another replica has ended, and that
// the broker has no token of it left.
func assertTakenOver(t *testing.T, r result, admin *agentwrit.Admin) {
	t.Helper()
	for i, e := range r.Trace {
		if e.Seq != int64(i+1) {
			t.Fatalf("step %d has number %d", i+1, e.Seq)
		}
	}
	c := r.complete(t)
	if c.Outcome != trace.OutcomeInterrupted || c.Tokens == 0 || !c.AllRevoked || c.ConfirmedRevoked != c.Tokens {
		t.Errorf("complete: %+v\n%s", c, r.types())
	}
	if len(steps[trace.RunError](r)) != 1 {
		t.Errorf("the trace does not say what happened\n%s", r.types())
	}
	assertAllReleased(t, admin, r.RunID)
}

// assertAllReleased checks in the audit log that each token of a run was released, or
// that the whole task was revoked: nobody can release a token whose response was lost.
func assertAllReleased(t *testing.T, admin *agentwrit.Admin, runID string) {
	t.Helper()
	issued := countEvents(t, admin, runID, "agent_registered") + countEvents(t, admin, runID, "delegation_created")
	released, revoked := countEvents(t, admin, runID, "token_released"), countEvents(t, admin, runID, "token_revoked")
	if released != issued && revoked == 0 {
		t.Errorf("run %s: %d tokens issued, %d released", runID, issued, released)
	}
}

// A balancer is a reverse proxy that sends each request to the next replica. A
// replica that does not accept a request is skipped.
type balancer struct {
	*app
	next      atomic.Int64
	targets   []string
	transport http.RoundTripper
}

func startBalancer(t *testing.T, replicas ...*replica) *balancer {
	t.Helper()
	b := &balancer{app: &app{T: t, key: replicaKey}, transport: directTransport()}
	for _, r := range replicas {
		b.targets = append(b.targets, r.Page)
	}
	proxy := &httputil.ReverseProxy{FlushInterval: -1, Transport: b, Rewrite: func(r *httputil.ProxyRequest) { r.SetXForwarded(); r.Out.Host = r.In.Host }}
	srv := httptest.NewServer(proxy)
	t.Cleanup(srv.Close)
	b.Page = srv.URL
	return b
}

// RoundTrip implements http.RoundTripper. A request that was not answered is repeated
// only if no replica can have seen it.
func (b *balancer) RoundTrip(r *http.Request) (resp *http.Response, err error) {
	var body []byte
	if r.Body != nil {
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	for range b.targets {
		target, _ := url.Parse(b.targets[b.next.Add(1)%int64(len(b.targets))])
		r.URL.Scheme, r.URL.Host = target.Scheme, target.Host
		r.Body = io.NopCloser(bytes.NewReader(body))
		if resp, err = b.transport.RoundTrip(r); err == nil {
			return resp, nil
		}
		if r.Method != http.MethodGet && !strings.Contains(err.Error(), "connect") {
			return nil, err
		}
	}
	return nil, err
}

// A follower reads a run's events through connections that break now and then, and
// checks that none is missing or doubled.
type follower struct {
	seen  atomic.Int64 // the last step
	ended chan struct{}
	err   error
}

// follow follows a run from its first step to its end. Each connection is left after
// so many steps; 0 means never. Connections that fail are opened again.
func follow(t *testing.T, page, runID string, each int64) *follower {
	f := &follower{ended: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer close(f.ended)
		for over := false; !over && ctx.Err() == nil && f.err == nil; {
			over = f.connect(ctx, page, runID, each)
		}
	}()
	t.Cleanup(func() { cancel(); <-f.ended })
	return f
}

// connect reads one stream and reports whether the run is over.
func (f *follower) connect(ctx context.Context, page, runID string, each int64) (over bool) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", page+"/api/runs/"+runID+"/events", nil)
	if err != nil {
		f.err = err
		return false
	}
	req.Header.Set("Last-Event-ID", fmt.Sprint(f.seen.Load()))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		time.Sleep(50 * time.Millisecond)
		return false
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNoContent { // everything was seen
		return true
	}
	if resp.StatusCode != http.StatusOK {
		time.Sleep(50 * time.Millisecond)
		return false
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 4<<20)
	for n := int64(0); lines.Scan(); {
		data, isData := strings.CutPrefix(lines.Text(), "data: ")
		if !isData {
			continue
		}
		var e trace.Event
		if err := json.Unmarshal([]byte(data), &e); err != nil {
			f.err = fmt.Errorf("after step %d: %w: %.200s", f.seen.Load(), err, data)
			return false
		}
		if e.Seq != f.seen.Load()+1 {
			f.err = fmt.Errorf("after step %d comes %d", f.seen.Load(), e.Seq)
			return false
		}
		f.seen.Add(1)
		if e.Step.Type() == trace.TypeComplete {
			return true
		}
		if n++; n == each {
			return false
		}
	}
	return false
}

// all waits until the follower has seen the last of so many steps.
func (f *follower) all(t *testing.T, steps int) {
	t.Helper()
	select {
	case <-f.ended:
	case <-time.After(20 * time.Second):
		t.Fatalf("a viewer has seen %d of %d steps", f.seen.Load(), steps)
	}
	if f.err != nil || f.seen.Load() != int64(steps) {
		t.Errorf("a viewer has seen %d of %d steps: %v", f.seen.Load(), steps, f.err)
	}
}
