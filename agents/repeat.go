package agents

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"time"

	"github.com/devonartis/medassist-go/trace"
)

const (
	// repeatWindow is how long a request with the key of an earlier one returns
	// that one's run.
	repeatWindow = 10 * time.Second
	// createPoll is how often a replica looks for the run that another one creates.
	createPoll = 50 * time.Millisecond
	// maxKey is the longest key, in bytes.
	maxKey = 100
)

// starts remembers the runs that were started with a key, so that a request that is
// sent twice, by a double click or a retry, starts one run.
type starts struct {
	mu    sync.Mutex
	byKey map[string]*started
}

// started is a run that is being started, or has been.
type started struct {
	req  Request
	at   time.Time
	done chan struct{} // closed when run and err are set
	run  trace.Run
	err  error
}

// once calls start, unless a request with the same key did within the window; then
// it returns that one's run. A failed start is not remembered.
func (s *starts) once(ctx context.Context, req Request, now time.Time, start func() (trace.Run, error)) (trace.Run, error) {
	if req.Key == "" {
		return start()
	}
	s.mu.Lock()
	for key, old := range s.byKey {
		if now.Sub(old.at) >= repeatWindow {
			delete(s.byKey, key)
		}
	}
	first := s.byKey[req.Key]
	if first != nil {
		s.mu.Unlock()
		return first.wait(ctx, req)
	}
	first = &started{req: req, at: now, done: make(chan struct{})}
	if s.byKey == nil {
		s.byKey = make(map[string]*started)
	}
	s.byKey[req.Key] = first
	s.mu.Unlock()

	defer close(first.done)
	first.run, first.err = start()
	if first.err != nil {
		s.mu.Lock()
		delete(s.byKey, req.Key)
		s.mu.Unlock()
	}
	return first.run, first.err
}

// wait returns the run of the first request with a key, if the second asks for the
// same.
func (f *started) wait(ctx context.Context, again Request) (trace.Run, error) {
	if !reflect.DeepEqual(again, f.req) {
		return trace.Run{}, &InputError{"idempotency_key", ErrKeyUsed.Error()}
	}
	select {
	case <-f.done:
		return f.run, f.err
	case <-ctx.Done():
		return trace.Run{}, ctx.Err()
	}
}

// startOnce starts a run, unless another replica has started one for the same request.
func (s *Service) startOnce(ctx context.Context, req Request) (trace.Run, error) {
	id := newRunID()
	if s.cfg.Cluster == nil || req.Key == "" {
		return s.start(ctx, req, id)
	}
	for {
		first, err := s.cfg.Cluster.FirstStart(ctx, req.Key, req.digest(), id, repeatWindow)
		switch {
		case errors.Is(err, ErrKeyUsed):
			return trace.Run{}, &InputError{"idempotency_key", ErrKeyUsed.Error()}
		case err != nil:
			return trace.Run{}, fmt.Errorf("start a run: %w", err)
		case first == id:
			return s.start(ctx, req, id)
		}
		run, err := s.cfg.Log.Run(ctx, first)
		if !errors.Is(err, trace.ErrNotFound) {
			return run, err
		}
		// The other replica is about to create it, or has failed to.
		select {
		case <-time.After(createPoll):
		case <-ctx.Done():
			return trace.Run{}, ctx.Err()
		}
	}
}

// digest returns the same text for the same request only.
func (r Request) digest() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%#v", r))
	return hex.EncodeToString(sum[:])
}
