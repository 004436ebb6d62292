package agentwrit

import "github.com/devonartis/medassist-go/agentwrit/wire"

// The protocol's types, as the broker writes them. Durations in them are
// seconds.
type (
	Claims             = wire.Claims
	DelegationHop      = wire.DelegationHop
	Health             = wire.Health
	AppRecord          = wire.App
	CreateAppRequest   = wire.CreateAppRequest
	UpdateAppRequest   = wire.UpdateAppRequest
	LaunchTokenRequest = wire.LaunchTokenRequest
	LaunchToken        = wire.LaunchTokenResponse
	RevokeLevel        = wire.RevokeLevel
	RevokeResponse     = wire.RevokeResponse
	AuditEvent         = wire.AuditEvent
	AuditPage          = wire.AuditPage
	EventType          = wire.EventType
	Outcome            = wire.Outcome
)

// ScopeIsSubset reports whether each requested scope is covered by an allowed
// one, by the broker's own rule (WIRE.md, "Common to all"): same action, same
// resource, and the same identifier or "*" in the allowed scope. A malformed
// scope covers nothing and is covered by nothing.
func ScopeIsSubset(requested, allowed []string) bool { return wire.Covered(requested, allowed) }

// MissingScopes returns the requested scopes that held does not cover.
func MissingScopes(requested, held []string) []string { return wire.Missing(requested, held) }

// Code is x.
type Code = wire.Code

const CodeUnavailable = wire.CodeUnavailable
