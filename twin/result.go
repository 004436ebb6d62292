package twin

import (
	"slices"
	"time"

	"github.com/devonartis/medassist-go/agentwrit/wire"
)

// A Phase is how far a comparison has come.
type Phase string

// The phases.
const (
	Running   Phase = "running"
	Done      Phase = "done"
	Failed    Phase = "failed"
	Cancelled Phase = "cancelled"
)

// An Outcome is the outcome of a call.
type Outcome string

// The outcomes. A call without one has not been decided yet.
const (
	OutcomeAllowed Outcome = "allowed"
	OutcomeDenied  Outcome = "denied"
	OutcomeFailed  Outcome = "failed" // for a reason other than authority
)

// A Result is a comparison as it stands. It must not be modified.
type Result struct {
	ID       string    `json:"id"`
	Scenario string    `json:"scenario"`
	Title    string    `json:"title"` // the scenario's
	Patient  string    `json:"patient_id"`
	Request  string    `json:"request"`
	RunID    string    `json:"run_id"` // of the side with AgentWrit
	Model    string    `json:"model"`
	Phase    Phase     `json:"phase"`
	Changes  int       `json:"changes"`           // so far, to tell whether it shows more than before
	Problem  string    `json:"problem,omitempty"` // why there is no comparison
	Started  time.Time `json:"started"`
	Answered time.Time `json:"answered,omitzero"` // when the task was over: the model had answered
	Ended    time.Time `json:"ended,omitzero"`
	Patients []Patient `json:"patients"` // all that the records hold
	Calls    []Call    `json:"calls"`    // that the model asked for, in order
	Shared   Side      `json:"shared_key"`
	Writ     Side      `json:"agentwrit"`
	// KeyPreview is all that is shown of the shared key.
	KeyPreview string            `json:"key_preview"`
	AccessLog  []Access          `json:"access_log"`   // of the side with the shared key
	Decisions  []wire.AuditEvent `json:"decision_log"` // of the side with AgentWrit
}

// A Patient is one of the invented patients.
type Patient struct {
	ID   string `json:"patient_id"`
	Name string `json:"name"`
}

// A Call is one call that the model asked for, with its outcome on each side.
type Call struct {
	Tool    string  `json:"tool"`
	Patient string  `json:"patient_id"`
	Writes  bool    `json:"writes"`
	Shared  Outcome `json:"shared_key,omitempty"`
	Writ    Outcome `json:"agentwrit,omitempty"`
	// By is who denied it on the side with AgentWrit: "gate", "broker" or "records".
	By string `json:"denied_by,omitempty"`
}

// A Side is what was done with one kind of credential.
type Side struct {
	Names  []Name  `json:"names"`  // whom its log can name
	Thefts []Theft `json:"thefts"` // uses of the stolen credential, in order
	// Tokens and Revoked count the credentials of the task and those of which the
	// broker confirmed the end. There are none on the side with the shared key.
	Tokens  int `json:"tokens,omitempty"`
	Revoked int `json:"confirmed_revoked,omitempty"`
	// ValidFor is how long a credential of the task may stay valid after the answer;
	// 0 if none does.
	ValidFor time.Duration `json:"valid_for_ns,omitempty"`
}

// A Name is someone whom a log names.
type Name struct {
	Name    string `json:"name"`
	Task    string `json:"task,omitempty"`
	Entries int    `json:"entries"`
}

// A Theft is one use of a stolen credential.
type Theft struct {
	Patient string  `json:"patient_id"`
	Outcome Outcome `json:"outcome"`
	After   bool    `json:"after_task"` // the task was over
	// Since is the time from the answer to this use, if it came after the task.
	Since time.Duration `json:"since_answer_ns,omitempty"`
}

// Live reports whether the comparison goes on.
func (r Result) Live() bool { return r.Phase == Running }

// of returns the outcome of a call on one side.
func (c Call) of(shared bool) Outcome {
	if shared {
		return c.Shared
	}
	return c.Writ
}

// Count returns how many calls had an outcome on one side.
func (r Result) Count(shared bool, o Outcome) (n int) {
	for _, c := range r.Calls {
		if c.of(shared) == o {
			n++
		}
	}
	return n
}

// Reached returns the patients whose records the task read or changed on one side,
// in the order of their IDs.
func (r Result) Reached(shared bool) (ids []string) {
	for _, c := range r.Calls {
		if c.of(shared) == OutcomeAllowed {
			ids = append(ids, c.Patient)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// Writes returns the calls that changed a record on one side.
func (r Result) Writes(shared bool) (out []Call) {
	for _, c := range r.Calls {
		if c.Writes && c.of(shared) == OutcomeAllowed {
			out = append(out, c)
		}
	}
	return out
}

// Side returns one side.
func (r Result) Side(shared bool) Side {
	if shared {
		return r.Shared
	}
	return r.Writ
}

// Stolen returns the patients whose records the stolen credential opened during the
// task, in the order of their IDs.
func (s Side) Stolen() (ids []string) {
	for _, t := range s.Thefts {
		if t.Outcome == OutcomeAllowed && !t.After {
			ids = append(ids, t.Patient)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// Tried reports whether the stolen credential was used at all.
func (s Side) Tried() bool { return len(s.Thefts) > 0 }

// Last returns the last use of the stolen credential after the task, and false if
// there was none.
func (s Side) Last() (Theft, bool) {
	for _, t := range slices.Backward(s.Thefts) {
		if t.After {
			return t, true
		}
	}
	return Theft{}, false
}
