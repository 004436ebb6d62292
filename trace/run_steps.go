package trace

// TypeValidation is the type of a [Validation] step.
const TypeValidation Type = "validation"

// Validation records the accepted input of a run.
type Validation struct {
	PatientID string `json:"patient_id"`
	Request   string `json:"request"`
	Pace      string `json:"pace"`
}

// Type implements [Step].
func (Validation) Type() Type { return TypeValidation }
func (Validation) step()      {}

// TypePatientLookup is the type of a [PatientLookup] step.
const TypePatientLookup Type = "patient_lookup"

// PatientLookup reports whether the patient exists in the records.
type PatientLookup struct {
	PatientID string `json:"patient_id"`
	Found     bool   `json:"found"`
	Name      string `json:"name,omitempty"`
	// DateOfBirth is an ISO 8601 day.
	DateOfBirth string `json:"dob,omitempty"`
	// KnownPatients holds the IDs of all patients if this one was not found.
	KnownPatients []string `json:"known_patients,omitempty"`
}

// Type implements [Step].
func (PatientLookup) Type() Type { return TypePatientLookup }
func (PatientLookup) step()      {}

// TypeBrokerHealth is the type of a [BrokerHealth] step.
const TypeBrokerHealth Type = "broker_health"

// BrokerHealth is the broker's health report, or the reason why there is none.
type BrokerHealth struct {
	URL              string `json:"url"`
	Embedded         bool   `json:"embedded"`
	Status           string `json:"status"`
	Version          string `json:"version,omitempty"`
	Uptime           int64  `json:"uptime"` // seconds
	DBConnected      bool   `json:"db_connected"`
	AuditEventsCount int64  `json:"audit_events_count"`
	Error            string `json:"error,omitempty"`
}

// Type implements [Step].
func (BrokerHealth) Type() Type { return TypeBrokerHealth }
func (BrokerHealth) step()      {}

// TypeBrokerWait is the type of a [BrokerWait] step.
const TypeBrokerWait Type = "broker_wait"

// BrokerWait records that the run waits. Either it repeats a request that the broker
// refused without any effect, because it limits how often an app may log in or
// can't serve at the moment; or other runs are served first.
type BrokerWait struct {
	Operation string `json:"operation"` // what the run is about to do, such as "create the billing agent"
	Reason    string `json:"reason"`
	WaitMS    int64  `json:"wait_ms"`
	LimitMS   int64  `json:"limit_ms,omitempty"` // of all waits for the operation; 0 while other runs are served first
}

// Type implements [Step].
func (BrokerWait) Type() Type { return TypeBrokerWait }
func (BrokerWait) step()      {}

// TypeCancelled is the type of a [Cancelled] step.
const TypeCancelled Type = "cancelled"

// Cancelled records that a run was stopped from outside, by whom and why.
type Cancelled struct {
	By     string `json:"by"` // "presenter", "operator" or "shutdown"
	Reason string `json:"reason"`
}

// Type implements [Step].
func (Cancelled) Type() Type { return TypeCancelled }
func (Cancelled) step()      {}

// TypeError is the type of a [RunError] step.
const TypeError Type = "error"

// RunError records a failure that ended the run. Stage is "model", "broker",
// "records", "limit" or "internal".
type RunError struct {
	Stage   string `json:"stage"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"` // what to try
}

// Type implements [Step].
func (RunError) Type() Type { return TypeError }
func (RunError) step()      {}

// TypeComplete is the type of a [Complete] step.
const TypeComplete Type = "complete"

// Complete is the last step of every run and summarizes it.
type Complete struct {
	PatientID        string   `json:"patient_id"`
	Agents           []string `json:"agents_spawned"` // categories
	AgentsCount      int      `json:"agents_count"`
	Allowed          int      `json:"allowed"`
	Denied           int      `json:"denied"` // refused by gate, broker or records
	Errors           int      `json:"errors"` // calls that failed, or could not be made, for other reasons
	Delegations      int      `json:"delegations"`
	Tokens           int      `json:"tokens"` // issued: agents and delegations
	Released         int      `json:"released"`
	ConfirmedRevoked int      `json:"proven_dead"`
	Unaccounted      int      `json:"unaccounted,omitempty"`    // lost responses that may have carried a token
	RevokedUnseen    int      `json:"revoked_unseen,omitempty"` // lost responses that may have carried a token, which the broker has revoked with the whole task
	AllRevoked       bool     `json:"all_tokens_dead"`          // at least one token was issued, and the broker confirmed each as revoked
	Expired          int      `json:"expired,omitempty"`        // tokens that were not revoked, but whose lifetime is over
	ValidUntil       int64    `json:"valid_until,omitempty"`    // Unix seconds: the last time at which a token of the run may be valid; 0 if none is
	Outcome          Outcome  `json:"outcome"`
	Milliseconds     int64    `json:"duration_ms"`
}

// Type implements [Step].
func (Complete) Type() Type { return TypeComplete }
func (Complete) step()      {}

// MayLive reports whether a token of the run may still be valid.
func (c Complete) MayLive() bool { return c.Tokens+c.Unaccounted > 0 && !c.AllEnded() }

// AllEnded reports whether the run issued tokens and none of them is valid any
// more: each was confirmed revoked or has expired.
func (c Complete) AllEnded() bool {
	return c.Tokens > 0 && c.ConfirmedRevoked+c.Expired == c.Tokens && c.Unaccounted == 0
}
