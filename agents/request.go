package agents

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/devonartis/medassist-go/patient"
	"github.com/devonartis/medassist-go/trace"
)

// MaxText is the longest request, in characters.
const MaxText = 4000

// A Request asks for something to be done for one patient.
type Request struct {
	Patient  patient.ID
	Text     string // in plain language
	Pace     Pace
	Scenario string // ID of the scenario that this run plays; empty for none
	// TokenTTL is the lifetime of the run's tokens, in whole seconds; 0 means
	// the service's.
	TokenTTL time.Duration
	// Incident is what happens to the run's first credential after its first
	// read; empty means nothing.
	Incident trace.IncidentKind
	// Targets are the other patients for whom an attacker tries the stolen token;
	// nil means one.
	Targets []patient.ID
	// Hold is for a run with an audience: its key moments last for
	// Config.KeyMoment, and a theft waits for [Service.Next] at every pace, so
	// that the audience can try the stolen token.
	Hold bool
	// Key identifies this request: the same request with the same key, within a
	// few seconds, returns the run that the first one started. Empty means that
	// each request starts a run.
	Key string
}

// An InputError describes what is wrong with a request, in words for its author.
type InputError struct {
	Field   string // "patient_id", "request", "pace", "scenario" or "idempotency_key"
	Message string
}

func (e *InputError) Error() string { return e.Field + ": " + e.Message }

// ParseRequest parses a request that comes from outside. Every error is an
// [*InputError].
func ParseRequest(patientID, text, pace string) (Request, error) {
	id, err := patient.ParseID(patientID)
	if err != nil {
		return Request{}, &InputError{"patient_id", err.Error()}
	}
	p, err := ParsePace(pace)
	if err != nil {
		return Request{}, &InputError{"pace", err.Error()}
	}
	r := Request{Patient: id, Text: strings.TrimSpace(text), Pace: p}
	return r, r.check()
}

func (r Request) check() error {
	isControl := func(c rune) bool { return unicode.IsControl(c) && c != '\n' && c != '\r' && c != '\t' }
	switch {
	case len(r.Key) > maxKey:
		return &InputError{"idempotency_key", fmt.Sprintf("at most %d bytes", maxKey)}
	case r.Patient.IsZero():
		return &InputError{"patient_id", patient.ErrInvalidID.Error()}
	case strings.TrimSpace(r.Text) == "":
		return &InputError{"request", "enter a request, such as: Show the records"}
	case utf8.RuneCountInString(r.Text) > MaxText:
		return &InputError{"request", fmt.Sprintf("at most %d characters", MaxText)}
	case !utf8.ValidString(r.Text) || strings.ContainsFunc(r.Text, isControl):
		return &InputError{"request", "use plain text: the request contains control characters or invalid UTF-8"}
	}
	return nil
}
