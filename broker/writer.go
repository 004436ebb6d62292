package broker

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/devonartis/medassist-go/broker/internal/store"
)

// Bounds of the writer.
const (
	maxBatch   = 256              // operations in one commit
	queueSize  = 1024             // operations that wait; more wait outside
	sweepEvery = 10 * time.Second // between two looks for what has expired
	sweepRows  = 1000             // of each table in one commit
	probeEvery = 500 * time.Millisecond
)

// operation is one caller's change, decided and made in the writer.
type operation struct {
	do   func(*change) error
	done chan error // receives once, after the commit
}

// writer is the one goroutine that changes anything. It takes what waits in the
// queue, runs it in order inside one transaction, commits, makes the result
// visible, and only then answers. While one batch is being synced to disk the
// next one gathers, so many callers share the cost of a sync and a single
// caller waits for nobody.
type writer struct {
	b     *Broker
	queue chan *operation
	stop  chan struct{} // closed by Close
	ended chan struct{} // closed when run has returned
	fault atomic.Pointer[faultRecord]
}

// faultRecord is the storage failure that health reports, nil while all is well.
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
// returns do's refusal as it is, and errUnavailable when nothing was stored.
// Until the operation is in the queue ctx may end it; then it is carried out.
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
		select { // answered in the last batch, or left in the queue
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
		case <-probe.C:
			if w.fault.Load() != nil {
				w.probe()
			}
		case <-w.stop:
			for batch = w.gather(batch[:0]); len(batch) > 0; batch = w.gather(batch[:0]) {
				w.commit(batch)
			}
			return
		}
	}
}

// gather adds what waits in the queue to a batch.
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

// commit carries out a batch. One refused operation leaves only its audit
// event; one that the database fails takes the whole batch with it, so that
// nothing is half done.
func (w *writer) commit(batch []*operation) {
	outcomes := make([]error, len(batch))
	var c *change
	err := w.b.store.Update(func(tx *store.Tx) error {
		c = newChange(w.b, tx)
		for i, op := range batch {
			outcomes[i] = c.run(op.do)
			if _, refused := asRefusal(outcomes[i]); outcomes[i] != nil && !refused {
				return outcomes[i]
			}
		}
		return c.flush()
	})
	w.report(err)
	if err == nil {
		c.publish()
	}
	for i, op := range batch {
		if err != nil {
			outcomes[i] = errUnavailable
		}
		op.done <- outcomes[i]
	}
}

// report keeps what health says, and logs when it changes.
func (w *writer) report(err error) {
	if err == nil {
		if w.fault.Swap(nil) != nil {
			w.b.log.Info("storage has recovered")
		}
		return
	}
	if w.fault.Swap(&faultRecord{err}) == nil {
		w.b.log.Error("storage fails: nothing is issued until it recovers", slog.Any("error", err))
	}
}

// probe finds out whether storage has recovered when nobody asks for a change.
func (w *writer) probe() {
	w.report(w.b.store.Update(func(tx *store.Tx) error {
		return tx.SetMeta("probed_at", w.b.now().Format(time.RFC3339))
	}))
}

// sweep drops what has expired, from disk and from memory, a bounded piece at a
// time with the queue's turn in between.
func (w *writer) sweep() {
	now := w.b.now()
	w.b.nonces.Sweep(now)
	w.b.limits.sweep(now)
	for {
		var dropped []store.Revocation
		var more bool
		err := w.b.store.Update(func(tx *store.Tx) (err error) {
			dropped, more, err = tx.Expire(now, sweepRows)
			return err
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
