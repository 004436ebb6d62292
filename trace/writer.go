package trace

import (
	"log/slog"
	"slices"
	"sync"
	"time"
)

const (
	// gatherFor is how long rows are collected before they are committed, and
	// thus how much a crash can lose.
	gatherFor = 5 * time.Millisecond
	// retryAfter is the pause after a failed commit. It doubles with each further
	// failure, up to maxRetryAfter.
	retryAfter    = 10 * time.Millisecond
	maxRetryAfter = time.Second
	// maxUnsaved is the largest number of rows kept while the database fails.
	maxUnsaved = 20_000
)

// A writer stores rows in the background, in order and many per commit.
type writer struct {
	store   func([]row) error
	patient bool // a caller that waits is told of success only, and no row is dropped
	log     *slog.Logger

	mu      sync.Mutex
	rows    []row
	saving  []row        // are being stored
	waiting []chan error // of callers waiting for the rows so far
	failed  error        // of the last commit

	wake  chan struct{} // holds a value if there are rows
	hurry chan struct{} // holds a value if a caller waits
	stop  chan struct{}
	ended chan struct{}

	retry time.Duration // the pause after the next failure; used by work only
}

func newWriter(store func([]row) error, patient bool, log *slog.Logger) *writer {
	w := &writer{
		store: store, patient: patient, log: log, retry: retryAfter,
		wake: make(chan struct{}, 1), hurry: make(chan struct{}, 1),
		stop: make(chan struct{}), ended: make(chan struct{}),
	}
	go w.work()
	return w
}

// put queues a row. It never blocks.
func (w *writer) put(r row) {
	w.mu.Lock()
	w.rows = append(w.rows, r)
	w.mu.Unlock()
	signal(w.wake)
}

// putAndWait queues rows and returns when they and all earlier ones are stored, or,
// if the writer is not patient, when the first attempt has failed.
func (w *writer) putAndWait(rows ...row) error {
	done := make(chan error, 1)
	w.mu.Lock()
	w.rows = append(w.rows, rows...)
	w.waiting = append(w.waiting, done)
	w.mu.Unlock()
	signal(w.wake)
	signal(w.hurry)
	select {
	case err := <-done:
		return err
	case <-w.ended:
		select {
		case err := <-done:
			return err
		default:
			return ErrClosed
		}
	}
}

// idle reports whether all rows are stored.
func (w *writer) idle() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.rows) == 0 && len(w.saving) == 0
}

// fault returns the error of the last commit. Its rows are kept and tried again, so
// it is nil once what failed has succeeded.
func (w *writer) fault() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.failed
}

// unsaved reports whether rows of a run could not be stored yet.
func (w *writer) unsaved(runID string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	of := func(r row) bool { return r.tenure().runID == runID }
	return w.failed != nil && (slices.ContainsFunc(w.rows, of) || slices.ContainsFunc(w.saving, of))
}

// close stores the remaining rows and stops the writer.
func (w *writer) close() error {
	close(w.stop)
	<-w.ended
	return w.fault()
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (w *writer) work() {
	defer close(w.ended)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-w.wake:
		case <-w.stop:
			w.save()
			return
		}
		pause, hurry := gatherFor, w.hurry
		if w.fault() != nil {
			pause = w.retry
			w.retry = min(2*w.retry, maxRetryAfter)
			if w.patient {
				hurry = nil
			}
		} else {
			w.retry = retryAfter
		}
		timer.Reset(pause)
		select {
		case <-timer.C:
		case <-hurry:
		case <-w.stop:
		}
		w.save()
	}
}

// save commits the queued rows and notifies the waiting callers. Rows that can't
// be stored are kept for the next attempt.
func (w *writer) save() {
	w.mu.Lock()
	rows, waiting := w.rows, w.waiting
	w.rows, w.waiting, w.saving = nil, nil, rows
	w.mu.Unlock()

	var err error
	if len(rows) > 0 {
		err = w.store(rows)
	}

	w.mu.Lock()
	before := w.failed
	w.saving, w.failed = nil, err
	if err != nil {
		w.rows = append(rows, w.rows...)
		if over := len(w.rows) - maxUnsaved; over > 0 && !w.patient {
			w.log.Error("trace: rows dropped", slog.Int("rows", over))
			w.rows = w.rows[over:]
		}
		if w.patient {
			w.waiting, waiting = append(waiting, w.waiting...), nil
		}
	}
	w.mu.Unlock()
	switch {
	case err != nil:
		if before == nil {
			w.log.Error("trace: storage failed, keeping runs in memory", slog.Any("error", err))
		}
		signal(w.wake)
	case before != nil:
		w.log.Info("trace: storage recovered")
	}
	for _, done := range waiting {
		done <- err
	}
}
