package decisions

import (
	"fmt"
	"strings"
	"time"

	"github.com/devonartis/medassist-go/agentwrit/wire"
)

// The types of entries.
const (
	Allowed wire.EventType = "access_allowed"
	Denied  wire.EventType = "access_denied"
)

// A Decision is one decision about a call.
type Decision struct {
	By       string // who decided: "gate", "broker" or "records"
	Allowed  bool
	Tool     string
	Patient  string
	Required []string // scopes
	Held     []string // as far as they are known
	TokenID  string   // "jti"; empty if it is not known
	AgentID  string   // SPIFFE ID
	TaskID   string
	OrchID   string
	Note     string // what else matters, such as why a token was not accepted
}

// event returns the decision as an entry that is not chained yet.
func (d Decision) event(now time.Time) wire.AuditEvent {
	e := wire.AuditEvent{Timestamp: now.UTC().Round(0), EventType: Denied, Outcome: wire.OutcomeDenied, AgentID: d.AgentID, TaskID: d.TaskID, OrchID: d.OrchID,
		Resource: d.Patient}
	if d.Allowed {
		e.EventType, e.Outcome = Allowed, wire.OutcomeSuccess
	}
	parts := []string{d.Tool + " for " + d.Patient, "by=" + d.By, "required=" + scopes(d.Required)}
	if d.Held != nil {
		parts = append(parts, "held="+scopes(d.Held))
	}
	if d.TokenID != "" {
		parts = append(parts, "jti="+d.TokenID)
	}
	if d.Note != "" {
		parts = append(parts, fmt.Sprintf("note=%q", d.Note))
	}
	e.Detail = strings.Join(parts, " ")
	return e
}

func scopes(list []string) string { return "[" + strings.Join(list, " ") + "]" }
