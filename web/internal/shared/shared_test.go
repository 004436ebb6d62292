package shared

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/devonartis/medassist-go/web/internal/respond"
)

func from(addr string) *http.Request {
	r := httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr = addr + ":4711"
	return r
}

// sized returns a function that encodes an answer of n bytes and counts its calls.
func sized(n int, calls *atomic.Int64) func(context.Context) ([]byte, error) {
	return func(context.Context) ([]byte, error) {
		calls.Add(1)
		return make([]byte, n), nil
	}
}

// All who read an answer at the same time get the same bytes.
func TestOneCopy(t *testing.T) {
	as := New()
	var calls atomic.Int64
	const readers = 50
	answers := make([]*Answer, readers)
	var wg sync.WaitGroup
	for i := range readers {
		wg.Go(func() {
			a, err := as.Get(from("192.0.2.1"), "k", false, sized(1000, &calls))
			if err != nil {
				t.Error(err)
				return
			}
			answers[i] = a
		})
	}
	wg.Wait()
	if calls.Load() != 1 || as.inUse != 1000 {
		t.Errorf("encoded %d times, %d bytes in use", calls.Load(), as.inUse)
	}
	for _, a := range answers {
		if &a.Bytes()[0] != &answers[0].Bytes()[0] {
			t.Fatal("two copies")
		}
		a.Release()
	}
	if as.inUse != 0 || len(as.answers) != 0 || len(as.clients) != 0 {
		t.Errorf("after all have left: %d bytes, %d answers, %d clients", as.inUse, len(as.answers), len(as.clients))
	}
}

// What stays valid is kept for the next reader, within a limit.
func TestKept(t *testing.T) {
	as := New()
	var calls atomic.Int64
	read := func(key string, n int) {
		a, err := as.Get(from("192.0.2.1"), key, true, sized(n, &calls))
		if err != nil {
			t.Fatal(err)
		}
		a.Release()
	}
	read("a", 1000)
	read("a", 1000)
	if calls.Load() != 1 {
		t.Errorf("encoded %d times", calls.Load())
	}
	for i := range 10 {
		read(fmt.Sprint(i), maxKept/4)
		read("a", 1000) // the one that was read last is kept longest
	}
	if calls.Load() != 11 || as.keptLen > maxKept || as.inUse != 0 {
		t.Errorf("encoded %d times; %d bytes kept, %d in use", calls.Load(), as.keptLen, as.inUse)
	}
	read("huge", maxKept+1)
	if as.keptLen > maxKept || as.answers["huge"] != nil {
		t.Errorf("%d bytes kept", as.keptLen)
	}
}

// An answer that nobody reads any more does not stay in memory.
func TestKeptForATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		as := New()
		var calls atomic.Int64
		read := func() *Answer {
			a, err := as.Get(from("192.0.2.1"), "a", true, sized(1000, &calls))
			if err != nil {
				t.Fatal(err)
			}
			return a
		}
		read().Release()
		time.Sleep(keepTime - time.Millisecond)
		again := read()
		time.Sleep(keepTime)
		if calls.Load() != 1 || as.answers["a"] != again {
			t.Errorf("encoded %d times; an answer that is being read was dropped", calls.Load())
		}
		again.Release()
		time.Sleep(keepTime)
		synctest.Wait()
		if len(as.answers) != 0 || len(as.kept) != 0 || as.keptLen != 0 {
			t.Errorf("%d answers, %d bytes kept", len(as.answers), as.keptLen)
		}
	})
}

// Answers that are being sent are bounded, and those that one client asked for.
func TestLimits(t *testing.T) {
	as := New()
	var calls atomic.Int64
	var held []*Answer
	hold := func(addr, key string) error {
		a, err := as.Get(from(addr), key, true, sized(maxInUse/8, &calls))
		if err == nil {
			held = append(held, a)
		}
		return err
	}
	count := func(addr string) (n int) {
		for hold(addr, fmt.Sprintf("%s %d", addr, n)) == nil {
			n++
		}
		return n
	}
	if n := count("203.0.113.9"); n != 4 {
		t.Errorf("one client holds %d of 8 answers, want 4", n)
	}
	if err := hold("203.0.113.9", "203.0.113.9 0"); err != nil {
		t.Errorf("an answer that is held anyway: %v", err)
	}
	if n := count("192.0.2.1"); n != 4 {
		t.Errorf("another holds %d, want 4", n)
	}
	var full *respond.Error
	if err := hold("192.0.2.2", "x"); !errors.As(err, &full) || full.Status != 503 || full.Retry == "" {
		t.Errorf("a third: %v", err)
	}
	if _, err := as.Reserve(from("192.0.2.2"), 1000); err == nil {
		t.Error("memory is reserved beyond the limit")
	}
	for _, a := range held {
		a.Release()
	}
	release, err := as.Reserve(from("192.0.2.2"), maxInUse/4)
	if err != nil || as.inUse != maxInUse/4 {
		t.Errorf("%v, %d bytes in use", err, as.inUse)
	}
	release()
	if as.inUse != 0 || len(as.clients) != 0 {
		t.Errorf("%d bytes, %d clients", as.inUse, len(as.clients))
	}
}

// An answer that could not be encoded, or whose encoding panicked, is tried again
// by the next reader.
func TestFailures(t *testing.T) {
	as := New()
	broken := errors.New("broken")
	if _, err := as.Get(from("192.0.2.1"), "k", true, func(context.Context) ([]byte, error) { return nil, broken }); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic is lost")
			}
		}()
		_, _ = as.Get(from("192.0.2.1"), "k", true, func(context.Context) ([]byte, error) { panic("x") })
	}()
	// The encoding goes on when the client that asked for it leaves.
	left, leave := context.WithCancel(t.Context())
	leave()
	a, err := as.Get(from("192.0.2.1").WithContext(left), "k", true, func(ctx context.Context) ([]byte, error) {
		return []byte("encoded"), ctx.Err()
	})
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("a client that left: %v", err)
	}
	if err == nil {
		a.Release()
	}
	a, err = as.Get(from("192.0.2.1"), "k", true, func(context.Context) ([]byte, error) { return nil, broken })
	if err != nil || !bytes.Equal(a.Bytes(), []byte("encoded")) {
		t.Fatalf("the next reader: %v", err)
	}
	a.Release()
	if as.inUse != 0 || len(as.creating) != 0 {
		t.Errorf("%d bytes in use, %d being created", as.inUse, len(as.creating))
	}
}
