package trace

import (
	"context"
	"errors"
	"time"
)

// Run is what is known of a run beside its events.
type Run struct {
	ID             string    `json:"id"`
	PatientID      string    `json:"patient_id"`
	Request        string    `json:"request"`
	Pace           string    `json:"pace"` // as it was started; it may have changed since
	Scenario       string    `json:"scenario,omitempty"`
	ModelName      string    `json:"model_name"`
	ModelMode      string    `json:"model_mode"` // llm.Mode
	BrokerURL      string    `json:"broker_url"`
	BrokerEmbedded bool      `json:"broker_embedded"`
	Started        time.Time `json:"started"`
	Ended          time.Time `json:"ended,omitzero"`    // zero while the run is live
	Outcome        Outcome   `json:"outcome,omitempty"` // empty while the run is live
	Summary        *Complete `json:"summary,omitempty"` // nil while the run is live
}

// Live reports whether the run goes on.
func (r Run) Live() bool { return r.Ended.IsZero() }

// Outcome is how a run ended.
type Outcome string

// The outcomes.
const (
	OutcomeAnswered    Outcome = "answered"    // the model gave its answer
	OutcomeCancelled   Outcome = "cancelled"   // someone stopped it
	OutcomeFailed      Outcome = "failed"      // it could not go on
	OutcomeInterrupted Outcome = "interrupted" // its process died
)

// Errors of a [Log].
var (
	ErrNotFound = errors.New("no such run")
	ErrExists   = errors.New("a run with this ID exists")
	ErrEnded    = errors.New("the run has ended")
	ErrClosed   = errors.New("the log is closed")
)

// Log keeps runs and their events and lets them be followed. [Store] is the
// one of a single process; replicas could share one over a message stream,
// whose sequence would then be the event's. Safe for concurrent use.
type Log interface {
	// Create opens a run. It fails with ErrExists.
	Create(ctx context.Context, run Run) error
	// Append logs an event and returns it with its RunID, its Seq and its
	// encoded form. A [Complete] step ends the run: it is shown once the
	// whole run is stored, and an error then says that it could not be. It
	// fails with ErrNotFound, and with ErrEnded after Complete.
	Append(ctx context.Context, runID string, e Event) (Event, error)
	// Run fails with ErrNotFound.
	Run(ctx context.Context, runID string) (Run, error)
	// Runs lists the runs that started before a moment, newest first; the
	// zero time means now.
	Runs(ctx context.Context, before time.Time, limit int) ([]Run, error)
	// Events returns the events so far whose Seq is above after. It fails
	// with ErrNotFound.
	Events(ctx context.Context, runID string, after int64) ([]Event, error)
	// Follow gives the events whose Seq is above after, those to come
	// included, each once and in order; io.EOF follows the run's last one. It
	// fails with ErrNotFound.
	Follow(ctx context.Context, runID string, after int64) (*Cursor[Event], error)
}
