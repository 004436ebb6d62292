// Package shared holds the encoded form of big answers, once for all clients that
// read them at the same time: many slow readers of one big page use the memory of
// one. It also bounds what all answers together, and those that one client asked
// for, may use.
package shared

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/devonartis/medassist-go/internal/clientaddr"
	"github.com/devonartis/medassist-go/web/internal/guard"
	"github.com/devonartis/medassist-go/web/internal/respond"
)

// Bounds of all answers.
const (
	maxInUse   = 128 << 20 // bytes that are being sent; the presenter may exceed it
	maxOfOne   = maxInUse / 2
	maxKept    = 32 << 20         // bytes that are kept for the next reader
	keepTime   = 10 * time.Second // for which they are kept
	createTime = 30 * time.Second // for one answer
)

var errBusy = &respond.Error{Status: http.StatusServiceUnavailable, Retry: "5",
	Detail: "Many large pages are being sent to slow readers. Try again in a few seconds."}

var errCreate = errors.New("creating a shared answer failed")

// Answers are the answers of a server. Safe for concurrent use.
type Answers struct {
	creating chan struct{} // holds one value for each answer that is being created

	mu      sync.Mutex
	answers map[string]*Answer
	kept    []*Answer // without readers, the one that was read last at the end
	keptLen int       // bytes
	inUse   int       // bytes, reservations included
	clients map[netip.Addr]int
}

// New returns an empty Answers.
func New() *Answers {
	return &Answers{creating: make(chan struct{}, max(2, runtime.NumCPU())), answers: make(map[string]*Answer), clients: make(map[netip.Addr]int)}
}

// An Answer is an encoded answer that a client is reading.
type Answer struct {
	all    *Answers
	key    string
	keep   bool
	client netip.Addr // who asked for it first

	ready   chan struct{} // closed when body or err is set
	body    []byte
	err     error
	readers int         // guarded by all.mu
	drop    *time.Timer // for an answer that is kept
}

// Bytes returns the answer, which must not be modified.
func (a *Answer) Bytes() []byte { return a.body }

// Get returns the answer with a key. If no client is reading it, create encodes
// it; keep says that it stays valid, and is kept for keepTime when nobody reads it.
// The caller releases it when it has been sent.
func (as *Answers) Get(r *http.Request, key string, keep bool, create func(context.Context) ([]byte, error)) (*Answer, error) {
	a, isNew, err := as.join(r, key, keep)
	if err != nil {
		return nil, err
	}
	if isNew {
		as.create(r.Context(), a, create)
	}
	select {
	case <-a.ready:
	case <-r.Context().Done():
		a.Release()
		return nil, r.Context().Err()
	}
	if a.err != nil {
		a.Release()
		return nil, a.err
	}
	return a, nil
}

// join adds a reader to an answer, which is new if there was none with the key.
func (as *Answers) join(r *http.Request, key string, keep bool) (a *Answer, isNew bool, err error) {
	client := clientaddr.Network(clientaddr.Of(r))
	as.mu.Lock()
	defer as.mu.Unlock()
	if a = as.answers[key]; a != nil {
		if a.readers == 0 {
			as.unkeep(a)
			as.use(a.client, len(a.body))
		}
		a.readers++
		return a, false, nil
	}
	if !as.room(r, client, 0) {
		return nil, false, errBusy
	}
	a = &Answer{all: as, key: key, keep: keep, client: client, ready: make(chan struct{}), readers: 1}
	as.answers[key] = a
	return a, true, nil
}

// room reports whether a client may use more bytes. The caller holds the lock.
func (as *Answers) room(r *http.Request, client netip.Addr, more int) bool {
	return guard.IsPresenter(r) || as.inUse+more < maxInUse && as.clients[client]+more < maxOfOne
}

// use counts bytes as used, or with a negative number as no longer used. The
// caller holds the lock.
func (as *Answers) use(client netip.Addr, n int) {
	as.inUse += n
	if as.clients[client] += n; as.clients[client] == 0 {
		delete(as.clients, client)
	}
}

// create encodes an answer, a few at a time. It continues when the client has
// left, because others may be waiting.
func (as *Answers) create(ctx context.Context, a *Answer, create func(context.Context) ([]byte, error)) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), createTime)
	defer cancel()
	body, err := []byte(nil), errCreate // unless create returns
	defer func() {
		as.mu.Lock()
		defer as.mu.Unlock()
		a.body, a.err = body, err
		if err != nil {
			delete(as.answers, a.key)
		} else {
			as.use(a.client, len(body))
		}
		close(a.ready)
	}()
	select {
	case as.creating <- struct{}{}:
		defer func() { <-as.creating }()
	case <-ctx.Done():
		err = errBusy
		return
	}
	body, err = create(ctx)
}

// Release says that the client has read the answer, or has left.
func (a *Answer) Release() {
	as := a.all
	as.mu.Lock()
	defer as.mu.Unlock()
	if a.readers--; a.readers > 0 || as.answers[a.key] != a {
		return
	}
	as.use(a.client, -len(a.body))
	if !a.keep || len(a.body) > maxKept {
		delete(as.answers, a.key)
		return
	}
	as.kept = append(as.kept, a)
	as.keptLen += len(a.body)
	a.drop = time.AfterFunc(keepTime, func() {
		as.mu.Lock()
		defer as.mu.Unlock()
		if as.unkeep(a) {
			delete(as.answers, a.key)
		}
	})
	for as.keptLen > maxKept {
		oldest := as.kept[0]
		as.unkeep(oldest)
		delete(as.answers, oldest.key)
	}
}

// unkeep takes an answer out of those that nobody reads, and reports whether it was
// one of them. The caller holds the lock.
func (as *Answers) unkeep(a *Answer) bool {
	i := slices.Index(as.kept, a)
	if i < 0 {
		return false
	}
	as.kept = slices.Delete(as.kept, i, i+1)
	as.keptLen -= len(a.body)
	a.drop.Stop()
	return true
}

// Reserve counts memory that answering one client takes beside the shared
// answers, until release is called.
func (as *Answers) Reserve(r *http.Request, n int) (release func(), err error) {
	client := clientaddr.Network(clientaddr.Of(r))
	as.mu.Lock()
	defer as.mu.Unlock()
	if !as.room(r, client, n) {
		return nil, errBusy
	}
	as.use(client, n)
	return func() {
		as.mu.Lock()
		defer as.mu.Unlock()
		as.use(client, -n)
	}, nil
}
