package view

import (
	"net/url"
	"strings"
	"time"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/agentwrit/wire"
)

// Audit is the audit page.
type Audit struct {
	Page
	Filter AuditFilter
	Trail  Trail
	Rows   []AuditRow // newest first
	Lab    Lab
}

// Trail is how the broker's trail stands.
type Trail struct {
	Verified, Total int64
	Head            string
	SignedSize      int64  // of the broker's signed head that it bears out; 0 if there is none
	Broken          string // where it breaks; empty if it does not
	Away            bool   // the broker does not answer
	Since           time.Time
	Broker          string
	Blocks          []Block // the newest events, oldest first
}

// Block is an event as a link of the chain.
type Block struct {
	ID, Hash, Words string
	Good            bool // its hash was recomputed, and it follows from the one before
	Changed         bool // it is not the broker's
}

// AuditFilter chooses events; empty fields choose all.
type AuditFilter struct{ Type, Outcome, Agent, Task string }

// Empty reports whether all events are chosen.
func (f AuditFilter) Empty() bool { return f == AuditFilter{} }

// Matches reports whether an event is chosen.
func (f AuditFilter) Matches(e agentwrit.AuditEvent) bool {
	return (f.Type == "" || f.Type == string(e.EventType)) && (f.Outcome == "" || f.Outcome == string(e.Outcome)) &&
		(f.Agent == "" || f.Agent == e.AgentID) && (f.Task == "" || f.Task == e.TaskID)
}

// Query is the filter as a part of an address.
func (f AuditFilter) Query() string {
	q := url.Values{}
	for name, value := range map[string]string{"type": f.Type, "outcome": f.Outcome, "agent": f.Agent, "task": f.Task} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return q.Encode()
}

// AuditRow is one event, its hash recomputed.
type AuditRow struct {
	agentwrit.AuditEvent
	Recomputed string
}

// NewAuditRow recomputes an event's hash.
func NewAuditRow(e agentwrit.AuditEvent) AuditRow { return AuditRow{e, e.ComputeHash()} }

// Good reports whether the hash is the one that the event's fields call for.
func (r AuditRow) Good() bool { return r.Recomputed == r.Hash }

// Meaning is what the event means to authority.
func (r AuditRow) Meaning() Meaning {
	if r.Outcome == wire.OutcomeDenied {
		return Denied
	}
	switch r.EventType {
	case wire.EventTokenRevoked, wire.EventTokenReleased, wire.EventAppDeregistered:
		return Ended
	case wire.EventDelegationCreated:
		return Delegated
	case wire.EventAgentRegistered, wire.EventTokenIssued, wire.EventTokenRenewed:
		return Alive
	}
	return Allowed
}

// EventWords names a type of event for people.
func EventWords(t agentwrit.EventType) string { return strings.ReplaceAll(string(t), "_", " ") }

// eventTypes are those that can be chosen.
var eventTypes = []agentwrit.EventType{
	wire.EventAgentRegistered, wire.EventTokenIssued, wire.EventDelegationCreated, wire.EventTokenRenewed, wire.EventTokenReleased,
	wire.EventTokenRevoked, wire.EventTokenRevokedAccess, wire.EventTokenAuthFailed, wire.EventTokenRenewalFailed,
	wire.EventDelegationAttenuation, wire.EventScopeViolation, wire.EventScopeCeilingExceeded, wire.EventRegistrationViolation,
	wire.EventLaunchTokenIssued, wire.EventLaunchTokenDenied, wire.EventResourceAccessed,
	wire.EventAppRegistered, wire.EventAppAuthenticated, wire.EventAppAuthFailed, wire.EventAppUpdated, wire.EventAppDeregistered,
	wire.EventAppRateLimited, wire.EventScopesCeilingUpdated, wire.EventAdminAuth, wire.EventAdminAuthFailed,
}

// Lab is the tamper lab: the trail's end, and a copy of it that was changed.
type Lab struct {
	Original, Copy []Block
	Changes        []Choice
	Change, Event  string // what was asked for; empty for nothing
	Found          string
	ByCheckpoint   bool
	Problem        string
}

// Choice is one of a list to choose from.
type Choice struct{ Value, Words string }

// shortHash is enough of a hash to tell it from its neighbours.
func shortHash(h string) string {
	if len(h) < 8 {
		return h
	}
	return h[:8]
}
