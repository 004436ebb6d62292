package trace

import (
	"context"
	"encoding/json"
	"time"
)

// A storage keeps runs and their events. A [Store] saves to it in the background
// and reads from it what it does not hold in memory.
type storage interface {
	// save stores rows, in one transaction and in their order. It leaves out and
	// returns the tenures that are over.
	save(rows []row) (over []tenure, err error)
	// run returns a run, and false if there is none.
	run(ctx context.Context, id string) (Run, bool, error)
	// runs returns the runs that started before a time, newest first. The zero
	// time means now.
	runs(ctx context.Context, before time.Time, limit int) ([]Run, error)
	// events returns a run's events in order.
	events(ctx context.Context, runID string) ([]Event, error)
	close() error
}

// A row is to be stored: an event, or the current state of a run.
type row struct {
	event *Event
	run   *Run
	term  int64 // of the tenure in which it was made
}

func (r row) tenure() tenure {
	if r.event != nil {
		return tenure{r.event.RunID, r.term}
	}
	return tenure{r.run.ID, r.term}
}

// A tenure is the time during which a replica owns a run. The term grows with each
// new owner, so that rows which an earlier owner still holds are recognized.
type tenure struct {
	runID string
	term  int64
}

func decodeRun(b []byte) (r Run, err error) {
	err = json.Unmarshal(b, &r)
	return r, err
}

// decodeEvent keeps the stored form, so that a replay need not encode it again.
func decodeEvent(b []byte) (e Event, err error) {
	err = json.Unmarshal(b, &e)
	e.encoded = b
	return e, err
}
