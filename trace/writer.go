package trace

import (
	"log/slog"
	"sync"
	"time"
)

const (
	// gatherFor is how long rows wait for company before they are committed:
	// what a crash can cost.
	gatherFor = 5 * time.Millisecond
	// retryAfter is the pause after a commit that failed.
	retryAfter = time.Second
	// maxUnsaved bounds what is kept for a database that fails.
	maxUnsaved = 20_000
)

// row is one thing to store: an event, or a run as it is now.
type row struct {
	event *Event
	run   *Run
}

// writer stores rows behind the callers' backs, in order and many in one
// commit.
type writer struct {
	db  *database
	log *slog.Logger

	mu      sync.Mutex
	rows    []row
	waiting []chan error // of callers that wait for the rows so far
	saving  bool         // rows have been taken and are not yet stored

	wake   chan struct{} // holds one when there are rows
	hurry  chan struct{} // holds one when somebody waits
	stop   chan struct{}
	ended  chan struct{}
	failed error // of the last commit; the writer's own
}

func newWriter(db *database, log *slog.Logger) *writer {
	w := &writer{
		db: db, log: log,
		wake: make(chan struct{}, 1), hurry: make(chan struct{}, 1),
		stop: make(chan struct{}), ended: make(chan struct{}),
	}
	go w.work()
	return w
}

// put takes a row; it never waits.
func (w *writer) put(r row) {
	w.mu.Lock()
	w.rows = append(w.rows, r)
	w.mu.Unlock()
	signal(w.wake)
}

// putAndWait takes rows and returns when they, and all before them, are
// stored, or could not be at the first try.
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

// idle reports whether everything is stored.
func (w *writer) idle() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.rows) == 0 && !w.saving
}

// close stores what is left and ends the writer.
func (w *writer) close() error {
	close(w.stop)
	<-w.ended
	return w.failed
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
		pause := gatherFor
		if w.failed != nil {
			pause = retryAfter
		}
		timer.Reset(pause)
		select {
		case <-timer.C:
		case <-w.hurry:
		case <-w.stop:
		}
		w.save()
	}
}

// save commits the rows that have come and tells who waits for them. Rows that
// can't be stored are kept for the next try.
func (w *writer) save() {
	w.mu.Lock()
	rows, waiting := w.rows, w.waiting
	w.rows, w.waiting, w.saving = nil, nil, true
	w.mu.Unlock()

	err := w.db.save(rows)

	w.mu.Lock()
	w.saving = false
	if err != nil {
		w.rows = append(rows, w.rows...)
		if over := len(w.rows) - maxUnsaved; over > 0 {
			w.log.Error("trace: rows dropped for good", slog.Int("rows", over))
			w.rows = w.rows[over:]
		}
	}
	w.mu.Unlock()
	switch {
	case err != nil:
		if w.failed == nil {
			w.log.Error("trace: storage fails, runs are kept in memory", slog.Any("error", err))
		}
		signal(w.wake)
	case w.failed != nil:
		w.log.Info("trace: storage has recovered")
	}
	w.failed = err
	for _, done := range waiting {
		done <- err
	}
}
