package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/devonartis/medassist-go/broker/internal/store"
)

// Bounds of the writer.
const (
	maxBatch   = 256              // operations in one commit
	queueSize  = 1024             // waiting operations; further callers block
	sweepEvery = 10 * time.Second // interval between deletions of expired records
	sweepRows  = 1000             // rows of each table deleted in one commit
	probeEvery = 500 * time.Millisecond

	catchUpTimeout = 5 * time.Second
	reloadEvery    = 10 * time.Minute
)

// An operation is one caller's change, decided and made in the writer.
type operation struct {
	do   func(*change) error
	done chan error // receives once, after the commit
}

// The writer is the one goroutine that makes changes. It takes the waiting
// operations from the queue, runs them in order in one transaction, commits, makes
// the result visible, and then answers. While one batch is synced to disk the
// next one gathers, so many callers share the cost of a sync, and a single caller
// does not wait for others.
type writer struct {
	b     *Broker
	queue chan *operation
	stop  chan struct{} // closed by Close
	ended chan struct{} // closed when run has returned
	fault atomic.Pointer[faultRecord]

	unanswered sync.WaitGroup // committed batches that are not on disk yet
	reloaded   time.Time      // when the revocation list was last read from a shared database
}

// A faultRecord is the storage failure that health reports.
type faultRecord struct{ err error }

func newWriter(b *Broker) *writer {
	return &writer{
		b:     b,
		queue: make(chan *operation, queueSize),
		stop:  make(chan struct{}),
		ended: make(chan struct{}),
	}
}

// write runs do in the writer and returns when its effects are on disk. It
// returns do's refusal unchanged, errInternal if do panicked, and errUnavailable
// if nothing was stored. Ending ctx cancels the operation only until it is queued.
func (w *writer) write(ctx context.Context, do func(*change) error) error {
	if w.stopped() {
		return errUnavailable
	}
	op := &operation{do, make(chan error, 1)}
	select {
	case w.queue <- op:
	case <-ctx.Done():
		return errUnavailable
	case <-w.stop:
		return errUnavailable
	}
	select {
	case err := <-op.done:
		return err
	case <-w.ended:
		select { // answered in the last batch, or still in the queue
		case err := <-op.done:
			return err
		default:
			return errUnavailable
		}
	}
}

func (w *writer) stopped() bool {
	select {
	case <-w.stop:
		return true
	default:
		return false
	}
}

func (w *writer) run() {
	defer close(w.ended)
	sweep := time.NewTicker(sweepEvery)
	defer sweep.Stop()
	probe := time.NewTicker(probeEvery)
	defer probe.Stop()
	batch := make([]*operation, 0, maxBatch)
	for {
		select {
		case op := <-w.queue:
			batch = w.gather(append(batch[:0], op))
			w.commit(batch)
		case <-sweep.C:
			w.sweep()
		case <-w.b.store.Changed():
			w.catchUp()
		case <-w.b.clock.jumped:
			w.report(w.b.update(w.b.storeClock))
		case <-probe.C:
			if w.fault.Load() != nil {
				w.probe()
			}
		case <-w.stop:
			for batch = w.gather(batch[:0]); len(batch) > 0; batch = w.gather(batch[:0]) {
				w.commit(batch)
			}
			w.recordRefusals(true)
			w.report(w.b.update(w.b.storeClock))
			w.unanswered.Wait()
			return
		}
	}
}

// gather adds the waiting operations to a batch.
func (w *writer) gather(batch []*operation) []*operation {
	for len(batch) < maxBatch {
		select {
		case op := <-w.queue:
			batch = append(batch, op)
		default:
			return batch
		}
	}
	return batch
}

// commit runs a batch. A refused operation leaves only its audit event. An
// operation that panics leaves nothing: the batch is rolled back and runs again
// without it. If the database fails, the whole batch fails.
func (w *writer) commit(batch []*operation) {
	for len(batch) > 0 {
		began := time.Now()
		outcomes, durable, err := w.try(batch)
		var panicked *operationPanic
		if errors.As(err, &panicked) {
			w.b.log.Error("operation panicked", "cause", panicked.cause, "stack", string(panicked.stack))
			batch[panicked.index].done <- errInternal
			batch = slices.Delete(batch, panicked.index, panicked.index+1)
			continue
		}
		w.report(err)
		if err != nil || durable == nil {
			w.answer(batch, outcomes, began, err)
			return
		}
		batch = slices.Clone(batch) // the caller uses it again
		w.unanswered.Go(func() {
			err := durable()
			if err != nil {
				w.failed(err)
			}
			w.answer(batch, outcomes, began, err)
		})
		return
	}
}

// answer tells the callers of a batch their outcomes, or that storage failed.
func (w *writer) answer(batch []*operation, outcomes []error, began time.Time, failed error) {
	if failed == nil {
		w.b.metrics.writes.Observe(time.Since(began).Seconds())
	}
	for i, op := range batch {
		if failed != nil {
			outcomes[i] = errUnavailable
		}
		op.done <- outcomes[i]
	}
}

// try runs a batch in one transaction and, if it was committed, makes the result
// visible in memory. It returns the operations' refusals, and what to wait for
// before they are answered.
func (w *writer) try(batch []*operation) (outcomes []error, durable func() error, err error) {
	outcomes = make([]error, len(batch))
	var c *change
	durable, err = w.b.store.Update(func(tx store.Tx) error {
		changes, err := tx.Changes()
		if err != nil {
			return err
		}
		w.b.apply(changes)
		c = newChange(w.b, tx)
		for i, op := range batch {
			outcomes[i] = runRecovered(c, op, i)
			if _, refused := asRefusal(outcomes[i]); outcomes[i] != nil && !refused {
				return outcomes[i]
			}
		}
		return c.flush()
	})
	if err == nil {
		c.publish()
	}
	return outcomes, durable, err
}

// reload reads the revocation list again, which other brokers have shortened. The
// transaction keeps them from adding to it meanwhile.
func (w *writer) reload() error {
	return w.b.update(func(tx store.Tx) error {
		changes, err := tx.Changes()
		if err != nil {
			return err
		}
		w.b.apply(changes)
		ctx, cancel := context.WithTimeout(context.Background(), catchUpTimeout)
		defer cancel()
		revocations, err := w.b.store.Revocations(ctx)
		if err != nil {
			return err
		}
		w.b.revoked.Replace(revocationList(revocations))
		return nil
	})
}

// catchUp applies what other brokers on the same database have committed.
func (w *writer) catchUp() {
	ctx, cancel := context.WithTimeout(context.Background(), catchUpTimeout)
	defer cancel()
	changes, err := w.b.store.Changes(ctx)
	if err != nil {
		w.failed(err)
		return
	}
	w.b.apply(changes)
}

// An operationPanic is the error of a batch in which an operation panicked.
type operationPanic struct {
	index int
	cause any
	stack []byte
}

func (p *operationPanic) Error() string { return fmt.Sprintf("operation panicked: %v", p.cause) }

// runRecovered runs an operation and returns a panic as an error.
func runRecovered(c *change, op *operation, index int) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = &operationPanic{index, cause, debug.Stack()}
		}
	}()
	return c.run(op.do)
}

// report updates the storage state that health reports after a write. A write that
// succeeds after a failure need not mean that a larger one would; probe decides.
func (w *writer) report(err error) {
	if err == nil {
		if w.fault.Load() != nil {
			w.probe()
		}
		return
	}
	w.failed(err)
}

// failed notes a storage failure for health.
func (w *writer) failed(err error) {
	w.b.metrics.dbErrors.WithLabelValues(dbWrite).Inc()
	if w.fault.Swap(&faultRecord{err}) == nil {
		w.b.log.Error("storage failed; no credentials are issued until it recovers", slog.Any("error", err))
	}
}

// probe checks whether storage has recovered, without waiting for a request.
func (w *writer) probe() {
	if err := w.b.store.Probe(); err != nil {
		w.report(err)
		return
	}
	if w.fault.Swap(nil) != nil {
		w.b.log.Info("storage recovered")
	}
}

// sweep deletes expired records from disk and from memory, a bounded number at a
// time, and runs queued operations in between. It stores the time with each
// deletion.
func (w *writer) sweep() {
	now := w.b.now()
	if w.b.store.Shared() && now.Sub(w.reloaded) >= reloadEvery {
		w.reloaded = now
		w.report(w.reload())
	}
	w.b.nonces.Sweep(now)
	w.b.limits.sweep(now)
	w.recordRefusals(false)
	for {
		var dropped []store.Revocation
		var more bool
		err := w.b.update(func(tx store.Tx) (err error) {
			if dropped, more, err = tx.Expire(now, sweepRows); err != nil {
				return err
			}
			return w.b.storeClock(tx)
		})
		w.report(err)
		if err != nil {
			return
		}
		for _, r := range dropped {
			w.b.revoked.Drop(revocationKind(r.Kind), r.Target)
		}
		if !more || w.stopped() {
			return
		}
		if batch := w.gather(nil); len(batch) > 0 {
			w.commit(batch)
		}
	}
}
