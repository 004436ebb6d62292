package agentwrit

import "github.com/devonartis/medassist-go/agentwrit/wire"

// Claims are the contents of an access token. Times in it are Unix seconds.
type Claims = wire.Claims

// Audience is the audience claim of a token.
type Audience = wire.Audience

// A DelegationHop is one link of a delegation chain: the delegator, the scopes
// it held, the time, and the broker's signature.
type DelegationHop = wire.DelegationHop

// Health is a broker's report about itself.
type Health = wire.Health

// The values of [Health]'s Status.
const (
	HealthOK          = wire.HealthOK          // everything works
	HealthDegraded    = wire.HealthDegraded    // serving, but the stored audit log was tampered with
	HealthUnavailable = wire.HealthUnavailable // storage fails, so nothing is issued
)

// An AppRecord is an application as the broker has registered it.
type AppRecord = wire.App

// A CreateAppRequest describes an application to register: its name, its scope
// ceiling, and the lifetime of its login in seconds.
type CreateAppRequest = wire.CreateAppRequest

// An UpdateAppRequest changes a registered application. Nil fields stay as they
// are.
type UpdateAppRequest = wire.UpdateAppRequest

// A LaunchTokenRequest describes a launch token, with which one agent
// registers. Nil fields take the broker's defaults.
type LaunchTokenRequest = wire.LaunchTokenRequest

// A LaunchToken is an issued launch token and what it allows.
type LaunchToken = wire.LaunchTokenResponse

// A LaunchTokenPolicy is what a launch token allows.
type LaunchTokenPolicy = wire.LaunchTokenPolicy

// A RevokeLevel selects what a revocation ends.
type RevokeLevel = wire.RevokeLevel

// The levels of [Admin.Revoke], with the target that each expects.
const (
	RevokeToken = wire.RevokeToken // one token, by its ID (the jti claim)
	RevokeAgent = wire.RevokeAgent // an agent's tokens, by its SPIFFE ID
	RevokeTask  = wire.RevokeTask  // all tokens of a task, by its task ID
	RevokeChain = wire.RevokeChain // everything an agent delegated, by its SPIFFE ID; its own token stays valid
)

// A RevokeResponse reports what a revocation ended.
type RevokeResponse = wire.RevokeResponse

// An AuditEvent is one entry of the broker's audit log. Each carries the hash of
// the entry before it.
type AuditEvent = wire.AuditEvent

// GenesisHash is the previous hash of the first [AuditEvent]: 64 zeros.
var GenesisHash = wire.GenesisHash

// An AuditPage is one page of the audit log, oldest event first.
type AuditPage = wire.AuditPage

// MaxAuditPage is the largest number of events on one [AuditPage].
const MaxAuditPage = wire.MaxAuditPage

// An Outcome tells whether the broker granted what an audit event records.
type Outcome = wire.Outcome

// The outcomes of audit events.
const (
	OutcomeSuccess = wire.OutcomeSuccess
	OutcomeDenied  = wire.OutcomeDenied
)

// An EventType names what an audit event records.
type EventType = wire.EventType

// The types of audit events.
const (
	EventAdminAuth             = wire.EventAdminAuth
	EventAdminAuthFailed       = wire.EventAdminAuthFailed
	EventLaunchTokenIssued     = wire.EventLaunchTokenIssued
	EventLaunchTokenDenied     = wire.EventLaunchTokenDenied
	EventAgentRegistered       = wire.EventAgentRegistered
	EventRegistrationViolation = wire.EventRegistrationViolation
	EventTokenIssued           = wire.EventTokenIssued
	EventTokenRevoked          = wire.EventTokenRevoked
	EventTokenRenewed          = wire.EventTokenRenewed
	EventTokenReleased         = wire.EventTokenReleased
	EventTokenRenewalFailed    = wire.EventTokenRenewalFailed
	EventDelegationCreated     = wire.EventDelegationCreated
	EventResourceAccessed      = wire.EventResourceAccessed
	EventTokenAuthFailed       = wire.EventTokenAuthFailed
	EventTokenRevokedAccess    = wire.EventTokenRevokedAccess
	EventScopeViolation        = wire.EventScopeViolation
	EventScopeCeilingExceeded  = wire.EventScopeCeilingExceeded
	EventDelegationAttenuation = wire.EventDelegationAttenuation
	EventScopesCeilingUpdated  = wire.EventScopesCeilingUpdated
	EventAppRegistered         = wire.EventAppRegistered
	EventAppAuthenticated      = wire.EventAppAuthenticated
	EventAppAuthFailed         = wire.EventAppAuthFailed
	EventAppUpdated            = wire.EventAppUpdated
	EventAppDeregistered       = wire.EventAppDeregistered
	EventAppRateLimited        = wire.EventAppRateLimited
)

// A Code is the machine-readable reason of a broker's refusal; see [Error].
type Code = wire.Code

// The error codes of the protocol.
const (
	CodeInvalidRequest    = wire.CodeInvalidRequest
	CodeInvalidTTL        = wire.CodeInvalidTTL
	CodeUnauthorized      = wire.CodeUnauthorized
	CodeForbidden         = wire.CodeForbidden
	CodeInsufficientScope = wire.CodeInsufficientScope
	CodeScopeViolation    = wire.CodeScopeViolation
	CodeNotFound          = wire.CodeNotFound
	CodeMethodNotAllowed  = wire.CodeMethodNotAllowed
	CodeConflict          = wire.CodeConflict
	CodePayloadTooLarge   = wire.CodePayloadTooLarge
	CodeRateLimited       = wire.CodeRateLimited
	CodeInternal          = wire.CodeInternal
	CodeUnavailable       = wire.CodeUnavailable
)

// A Scope is a parsed scope, written action:resource:identifier.
type Scope = wire.Scope

// ErrScopeFormat is wrapped by every error of [ParseScope].
var ErrScopeFormat = wire.ErrScopeFormat

// ParseScope parses a scope such as read:records:P-1042. The identifier may hold
// further colons; "*" is allowed only as the whole identifier, where it covers
// every identifier.
func ParseScope(s string) (Scope, error) { return wire.ParseScope(s) }

// ScopeIsSubset reports whether each requested scope is covered by an allowed
// one: both have the same action and resource, and the allowed scope has the
// same identifier or "*". The broker applies the same rule. A malformed scope
// covers nothing and is covered by nothing.
func ScopeIsSubset(requested, allowed []string) bool { return wire.Covered(requested, allowed) }

// MissingScopes returns the requested scopes that held does not cover, by the
// rule of [ScopeIsSubset].
func MissingScopes(requested, held []string) []string { return wire.Missing(requested, held) }
