package audit

import (
	"net/url"
	"strings"
	"time"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/internal/text"
	"github.com/devonartis/medassist-go/web/ui"
)

// Page is the audit page.
type Page struct {
	ui.Page
	Filter Filter
	HasLog bool // the broker's log can be read
	Log    Log
	Rows   []Row // newest first
	Own    Own
	Lab    Lab
}

// Log is the state of the broker's audit log.
type Log struct {
	Verified, Read int64 // events that are verified, and that were read
	Total          int64
	Breaks         int  // of the hash chain
	Unsigned       bool // the broker serves no checkpoint
	Head           string
	SignedSize     int64  // of the broker's checkpoint that the log agrees with; 0 if there is none
	Broken         string // where the hash chain breaks; empty if it does not
	Away           bool   // the broker is unreachable
	Since          time.Time
	Broker         string
	Blocks         []Block // the newest events, oldest first
}

// Block is an event as a link of the chain.
type Block struct {
	ID, Hash, Words string
	Good            bool // its hash is right, and it follows the event before
	Changed         bool // it is not the log's event
	Denied          bool // something was blocked
}

// Filter selects events. An empty field selects all.
type Filter struct{ Type, Outcome, Agent, Task string }

// Empty reports whether the filter selects all events.
func (f Filter) Empty() bool { return f == Filter{} }

// Matches reports whether the filter selects an event.
func (f Filter) Matches(e agentwrit.AuditEvent) bool {
	return (f.Type == "" || f.Type == string(e.EventType)) && (f.Outcome == "" || f.Outcome == string(e.Outcome)) &&
		(f.Agent == "" || f.Agent == e.AgentID) && (f.Task == "" || f.Task == e.TaskID)
}

// Query returns the filter as the query of an address.
func (f Filter) Query() string {
	q := url.Values{}
	for name, value := range map[string]string{"type": f.Type, "outcome": f.Outcome, "agent": f.Agent, "task": f.Task} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return q.Encode()
}

// Row is one event with its hash recomputed.
type Row struct {
	agentwrit.AuditEvent
	Recomputed string
}

// NewRow recomputes an event's hash.
func NewRow(e agentwrit.AuditEvent) Row { return Row{e, e.ComputeHash()} }

// Good reports whether the event's hash matches its fields.
func (r Row) Good() bool { return r.Recomputed == r.Hash }

// Meaning returns what the event means for authority.
func (r Row) Meaning() ui.Meaning {
	if r.Outcome == wire.OutcomeDenied {
		return ui.Denied
	}
	switch r.EventType {
	case wire.EventTokenRevoked, wire.EventTokenReleased, wire.EventAppDeregistered:
		return ui.Ended
	case wire.EventDelegationCreated:
		return ui.Delegated
	case wire.EventAgentRegistered, wire.EventTokenIssued, wire.EventTokenRenewed:
		return ui.Alive
	}
	return ui.Allowed
}

// brief returns the event's detail without the words of its type, which stand before
// it.
func (r Row) brief() string {
	return strings.TrimPrefix(r.Detail, eventWords(r.EventType)+" ")
}

// eventWords returns a type of event as people read it.
func eventWords(t agentwrit.EventType) string { return strings.ReplaceAll(string(t), "_", " ") }

// eventTypes are those that the page offers to select.
var eventTypes = []agentwrit.EventType{
	wire.EventAgentRegistered, wire.EventTokenIssued, wire.EventDelegationCreated, wire.EventTokenRenewed, wire.EventTokenReleased,
	wire.EventTokenRevoked, wire.EventTokenRevokedAccess, wire.EventTokenAuthFailed, wire.EventTokenRenewalFailed,
	wire.EventDelegationAttenuation, wire.EventScopeViolation, wire.EventScopeCeilingExceeded, wire.EventRegistrationViolation,
	wire.EventLaunchTokenIssued, wire.EventLaunchTokenDenied, wire.EventResourceAccessed,
	wire.EventAppRegistered, wire.EventAppAuthenticated, wire.EventAppAuthFailed, wire.EventAppUpdated, wire.EventAppDeregistered,
	wire.EventAppRateLimited, wire.EventScopesCeilingUpdated, wire.EventAdminAuth, wire.EventAdminAuthFailed,
}

// shortHash returns enough of a hash to tell it from its neighbors.
func shortHash(h string) string {
	if len(h) < 8 {
		return h
	}
	return h[:8]
}

// afterBreak says what is known about the events after a break of the chain.
func afterBreak(t Log) string {
	rest := text.Count(int(t.Read-t.Verified), "event") + " from there on"
	if t.Breaks <= 1 {
		return rest + " follow from each other and are shown below."
	}
	return rest + " are shown below, with " + text.Count(t.Breaks-1, "further break") + "."
}
