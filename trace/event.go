package trace

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// An Event records one step of a run. Its JSON is the public form: step_type,
// label, detail, status and timestamp, in seconds since 1970, are the Python
// demo's keys.
type Event struct {
	RunID  string
	Seq    int64     // 1, 2, 3 … within the run; the SSE event ID
	Time   time.Time // when the step finished
	Status Status
	Label  string // one line of text
	Spans  []Span // how the step's time was spent, for the waterfall
	Step   Step   // the payload

	// Unsaved reports, of a run's last event, that the run could not be stored when
	// it ended. It is not stored itself, and not part of the JSON.
	Unsaved bool

	encoded []byte // the public form, encoded once, when the event is appended
}

// JSON returns the public form on one line. All readers of an event from a [Log]
// share the returned slice, which must not be modified.
func (e Event) JSON() ([]byte, error) {
	if e.encoded != nil {
		return e.encoded, nil
	}
	return e.encode()
}

// A Span is an interval of a step's time, spent in one lane.
type Span struct {
	Lane  Lane          `json:"lane"`
	Start time.Time     `json:"start"`
	Took  time.Duration `json:"took_ns"` // nanoseconds
	Name  string        `json:"name"`    // the operation, such as "validate"
}

// A Lane is a row of the waterfall.
type Lane string

// The lanes, in the order in which a call passes through them.
const (
	LaneModel   Lane = "model"
	LaneBroker  Lane = "broker"
	LaneGate    Lane = "gate"
	LaneRecords Lane = "records"
)

// A Status is the outcome of a step.
type Status string

// The statuses of a step.
const (
	StatusInfo    Status = "info"
	StatusSuccess Status = "success"
	StatusDenied  Status = "denied"
	StatusWarning Status = "warning"
	StatusError   Status = "error"
)

// eventJSON is the public form of an [Event], on the wire and in the store.
type eventJSON struct {
	RunID     string          `json:"run_id"`
	Seq       int64           `json:"seq"`
	StepType  Type            `json:"step_type"`
	Label     string          `json:"label"`
	Detail    json.RawMessage `json:"detail"`
	Status    Status          `json:"status"`
	Timestamp timestamp       `json:"timestamp"`
	Spans     []Span          `json:"spans,omitempty"`
}

// MarshalJSON implements json.Marshaler.
func (e Event) MarshalJSON() ([]byte, error) { return e.JSON() }

// encode returns the public form. It leaves "<" unescaped, so that a tool's
// output is the same live and replayed; pages escape what they embed.
func (e Event) encode() ([]byte, error) {
	detail, err := marshal(e.Step)
	if err != nil {
		return nil, err
	}
	return marshal(eventJSON{
		RunID: e.RunID, Seq: e.Seq, StepType: publicType(e.Step), Label: e.Label,
		Detail: detail, Status: e.Status, Timestamp: timestamp{e.Time}, Spans: e.Spans,
	})
}

func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// UnmarshalJSON implements json.Unmarshaler. An unknown step type is an error.
func (e *Event) UnmarshalJSON(b []byte) error {
	var j eventJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	step, err := decodeStep(j.StepType, j.Detail)
	if err != nil {
		return err
	}
	*e = Event{RunID: j.RunID, Seq: j.Seq, Time: j.Timestamp.Time, Status: j.Status,
		Label: j.Label, Spans: j.Spans, Step: step}
	return nil
}

// A timestamp is a time in the public form: a number of seconds since 1970, with
// nanoseconds as its fraction. Earlier versions wrote RFC 3339, which is still
// read.
type timestamp struct{ time.Time }

func (t timestamp) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, "%d.%09d", min(max(0, t.Unix()), maxSeconds), t.Nanosecond()), nil
}

// maxSeconds ends the year 9999, the last of RFC 3339.
const maxSeconds = 253402300799

func (t *timestamp) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		return t.Time.UnmarshalJSON(b)
	}
	whole, fraction, _ := strings.Cut(string(b), ".")
	seconds, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || seconds < 0 || seconds > maxSeconds || len(fraction) > 9 {
		return fmt.Errorf("trace: %.40q is not a timestamp", b)
	}
	nanoseconds, err := strconv.Atoi((fraction + "000000000")[:9])
	if err != nil || nanoseconds < 0 {
		return fmt.Errorf("trace: %.40q is not a timestamp", b)
	}
	t.Time = time.Unix(seconds, int64(nanoseconds)).UTC()
	return nil
}
