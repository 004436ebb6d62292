package wire

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"time"
)

// An AuditEvent is one entry of the broker's hash-chained audit log
// (docs/protocol.md, "Audit events").
type AuditEvent struct {
	ID               string    `json:"id"`
	Timestamp        time.Time `json:"timestamp"`
	EventType        EventType `json:"event_type"`
	AgentID          string    `json:"agent_id,omitempty"`
	TaskID           string    `json:"task_id,omitempty"`
	OrchID           string    `json:"orch_id,omitempty"`
	Detail           string    `json:"detail"`
	Resource         string    `json:"resource,omitempty"`
	Outcome          Outcome   `json:"outcome,omitempty"`
	DelegDepth       int       `json:"deleg_depth,omitempty"`
	DelegChainHash   string    `json:"deleg_chain_hash,omitempty"`
	BytesTransferred int64     `json:"bytes_transferred,omitempty"`
	Hash             string    `json:"hash"`
	PrevHash         string    `json:"prev_hash"`
}

// GenesisHash is the prev_hash of the first event.
var GenesisHash = strings.Repeat("0", 64)

// ComputeHash returns the hash of the event's fields. It equals Hash unless the
// event was modified.
func (e AuditEvent) ComputeHash() string {
	sum := sha256.Sum256([]byte(strings.Join([]string{
		e.PrevHash, e.ID, e.Timestamp.UTC().Format(time.RFC3339Nano),
		string(e.EventType), e.AgentID, e.TaskID, e.OrchID, e.Detail,
		e.Resource, string(e.Outcome), strconv.Itoa(e.DelegDepth),
		e.DelegChainHash, strconv.FormatInt(e.BytesTransferred, 10),
	}, "|")))
	return hex.EncodeToString(sum[:])
}

// An Outcome tells whether the broker granted what an event records.
type Outcome string

// The outcomes.
const (
	OutcomeSuccess Outcome = "success"
	OutcomeDenied  Outcome = "denied"
)

// An EventType names what an event records.
type EventType string

// The event types (docs/protocol.md, "Audit events").
const (
	EventAdminAuth             EventType = "admin_auth"
	EventAdminAuthFailed       EventType = "admin_auth_failed"
	EventLaunchTokenIssued     EventType = "launch_token_issued"
	EventLaunchTokenDenied     EventType = "launch_token_denied"
	EventAgentRegistered       EventType = "agent_registered"
	EventRegistrationViolation EventType = "registration_policy_violation"
	EventTokenIssued           EventType = "token_issued"
	EventTokenRevoked          EventType = "token_revoked"
	EventTokenRenewed          EventType = "token_renewed"
	EventTokenReleased         EventType = "token_released"
	EventTokenRenewalFailed    EventType = "token_renewal_failed"
	EventDelegationCreated     EventType = "delegation_created"
	EventResourceAccessed      EventType = "resource_accessed"
	EventTokenAuthFailed       EventType = "token_auth_failed"
	EventTokenRevokedAccess    EventType = "token_revoked_access"
	EventScopeViolation        EventType = "scope_violation"
	EventScopeCeilingExceeded  EventType = "scope_ceiling_exceeded"
	EventDelegationAttenuation EventType = "delegation_attenuation_violation"
	EventScopesCeilingUpdated  EventType = "scopes_ceiling_updated"
	EventAppRegistered         EventType = "app_registered"
	EventAppAuthenticated      EventType = "app_authenticated"
	EventAppAuthFailed         EventType = "app_auth_failed"
	EventAppUpdated            EventType = "app_updated"
	EventAppDeregistered       EventType = "app_deregistered"
	EventAppRateLimited        EventType = "app_rate_limited"
)
