package trace

import (
	"context"
	"errors"
	"time"
)

// A Run describes a run, without its events.
type Run struct {
	ID             string    `json:"id"`
	PatientID      string    `json:"patient_id"`
	Request        string    `json:"request"`
	Pace           string    `json:"pace"` // at the start; it may have changed since
	Scenario       string    `json:"scenario,omitempty"`
	ModelName      string    `json:"model_name"`
	ModelMode      string    `json:"model_mode"` // llm.Mode
	BrokerURL      string    `json:"broker_url"`
	BrokerEmbedded bool      `json:"broker_embedded"`
	Started        time.Time `json:"started"`
	Ended          time.Time `json:"ended,omitzero"`    // zero while the run is live
	Outcome        Outcome   `json:"outcome,omitempty"` // empty while the run is live
	Summary        *Complete `json:"summary,omitempty"` // nil while the run is live
	Unsaved        bool      `json:"-"`                 // a part of it is in memory only, because storing it fails
}

// Live reports whether the run has not ended.
func (r Run) Live() bool { return r.Ended.IsZero() }

// An Outcome is how a run ended.
type Outcome string

// The outcomes.
const (
	OutcomeAnswered    Outcome = "answered"    // the model answered
	OutcomeCancelled   Outcome = "cancelled"   // someone stopped it
	OutcomeFailed      Outcome = "failed"      // an error ended it
	OutcomeInterrupted Outcome = "interrupted" // its process ended
)

// Errors of a [Log].
var (
	ErrNotFound = errors.New("no such run")
	ErrExists   = errors.New("a run with this ID exists")
	ErrEnded    = errors.New("the run has ended")
	ErrFenced   = errors.New("the run belongs to another replica")
	ErrClosed   = errors.New("the log is closed")
)

// A Log stores runs and their events and lets readers follow them. It is safe for
// concurrent use. [Store] implements it.
type Log interface {
	// Create opens a run. It fails with ErrExists.
	Create(ctx context.Context, run Run) error
	// Append appends an event and returns it with its RunID, Seq and encoded
	// form. A [Complete] step ends the run: readers see it once the whole run
	// is stored, and an error then reports that it could not be. It fails
	// with ErrNotFound, with ErrEnded after Complete, and with ErrFenced if
	// another replica has created the run or taken it over.
	Append(ctx context.Context, runID string, e Event) (Event, error)
	// Run returns a run. It fails with ErrNotFound.
	Run(ctx context.Context, runID string) (Run, error)
	// Runs returns the runs that started before a time, newest first. The zero
	// time means now.
	Runs(ctx context.Context, before time.Time, limit int) ([]Run, error)
	// Events returns the events so far whose Seq is above after. It fails
	// with ErrNotFound.
	Events(ctx context.Context, runID string, after int64) ([]Event, error)
	// Follow returns a cursor over the events whose Seq is above after,
	// including future ones, each once and in order. io.EOF follows the run's
	// last event. It fails with ErrNotFound.
	Follow(ctx context.Context, runID string, after int64) (*Cursor[Event], error)
	// Fault returns why runs can't be stored at present, and nil if they can. They
	// are kept in memory meanwhile.
	Fault() error
}
