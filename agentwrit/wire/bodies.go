package wire

import "time"

// Limits and defaults of the protocol. Durations are in seconds, as on the wire.
const (
	MaxBodyBytes          = 1 << 20 // request body; larger ones are refused with 413
	NonceTTL              = 30      // seconds, a challenge
	DefaultAgentTTL       = 300     // seconds, a launch token's max_ttl
	DefaultLaunchTokenTTL = 30      // seconds, the launch token itself
	DefaultDelegationTTL  = 60      // seconds
	MaxTTL                = 86400   // seconds, every token
	MinAppTokenTTL        = 60      // seconds
	DefaultAppTokenTTL    = 1800    // seconds
	AdminTokenTTL         = 300     // seconds
	MaxDelegationDepth    = 5       // hops
	MaxAuditPage          = 1000    // events per page
	DefaultAuditPage      = 100
	DefaultTrustDomain    = "agentwrit.local"
)

// Scopes of the broker's own endpoints.
const (
	ScopeAdminLaunchTokens = "admin:launch-tokens:*"
	ScopeAdminRevoke       = "admin:revoke:*"
	ScopeAdminAudit        = "admin:audit:*"
	ScopeAppLaunchTokens   = "app:launch-tokens:*"
	ScopeAppAgents         = "app:agents:*"
	ScopeAppAuditRead      = "app:audit:read"
)

// The values of Health.Status.
const (
	HealthOK          = "ok"
	HealthDegraded    = "degraded"    // serving, but the stored audit log was tampered with
	HealthUnavailable = "unavailable" // storage fails, so nothing is issued; served with status 503
)

// Health is the response of GET /v1/health. If something that credentials depend
// on is broken, Status is not "ok", and Problems describes it.
type Health struct {
	Status           string   `json:"status"`
	Version          string   `json:"version"`
	Uptime           int64    `json:"uptime"` // seconds
	DBConnected      bool     `json:"db_connected"`
	AuditEventsCount int64    `json:"audit_events_count"`
	Problems         []string `json:"problems,omitempty"`
	ClockBehind      int64    `json:"clock_behind,omitempty"` // seconds that the wall clock is behind the broker's time

	// Date is when the broker answered, by its wall clock and in whole seconds. The
	// SDK takes it from the response's header; it is zero if there is none.
	Date time.Time `json:"-"`
}

// A Challenge is the response of GET /v1/challenge.
type Challenge struct {
	Nonce     string `json:"nonce"`      // 64 hex digits
	ExpiresIn int    `json:"expires_in"` // seconds
}

// A RegisterRequest is the body of POST /v1/register.
type RegisterRequest struct {
	LaunchToken    string   `json:"launch_token"`
	Nonce          string   `json:"nonce"`
	PublicKey      string   `json:"public_key"` // base64, 32 bytes
	Signature      string   `json:"signature"`  // base64, Ed25519 over the decoded nonce
	OrchID         string   `json:"orch_id"`
	TaskID         string   `json:"task_id"`
	RequestedScope []string `json:"requested_scope"`
}

// A RegisterResponse is the response to a [RegisterRequest].
type RegisterResponse struct {
	AgentID     string `json:"agent_id"` // SPIFFE ID
	AccessToken string `json:"access_token"`
	ExpiresIn   int    `json:"expires_in"` // seconds
}

// A ValidateRequest is the body of POST /v1/token/validate.
type ValidateRequest struct {
	Token string `json:"token"`
}

// A ValidateResponse is the response to a [ValidateRequest]. Its status is 200
// whether the token is valid or not.
type ValidateResponse struct {
	Valid  bool    `json:"valid"`
	Claims *Claims `json:"claims,omitempty"`
	Error  string  `json:"error,omitempty"`
}

// A RenewResponse is the response of POST /v1/token/renew.
type RenewResponse struct {
	AccessToken string `json:"access_token"`
	ExpiresIn   int    `json:"expires_in"` // seconds
}

// A DelegateRequest is the body of POST /v1/delegate.
type DelegateRequest struct {
	DelegateTo string   `json:"delegate_to"` // SPIFFE ID
	Scope      []string `json:"scope"`
	TTL        int      `json:"ttl,omitempty"` // seconds
}

// A DelegateResponse is the response to a [DelegateRequest].
type DelegateResponse struct {
	AccessToken     string          `json:"access_token"`
	ExpiresIn       int             `json:"expires_in"` // seconds
	DelegationChain []DelegationHop `json:"delegation_chain"`
}

// An AdminAuthRequest is the body of POST /v1/admin/auth.
type AdminAuthRequest struct {
	Secret string `json:"secret"`
}

// An AppAuthRequest is the body of POST /v1/app/auth.
type AppAuthRequest struct {
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
}

// An AuthResponse is the response to an [AdminAuthRequest] or an [AppAuthRequest].
// Only an app's has Scopes.
type AuthResponse struct {
	AccessToken string   `json:"access_token"`
	ExpiresIn   int      `json:"expires_in"` // seconds
	TokenType   string   `json:"token_type"` // "Bearer"
	Scopes      []string `json:"scopes,omitempty"`
}

// A LaunchTokenRequest is the body of POST /v1/admin/launch-tokens and
// /v1/app/launch-tokens. Nil fields take the protocol's defaults.
type LaunchTokenRequest struct {
	AgentName    string   `json:"agent_name"`
	AllowedScope []string `json:"allowed_scope"`
	MaxTTL       *int     `json:"max_ttl,omitempty"` // seconds
	SingleUse    *bool    `json:"single_use,omitempty"`
	TTL          *int     `json:"ttl,omitempty"` // seconds
}

// A LaunchTokenResponse is the response to a [LaunchTokenRequest].
type LaunchTokenResponse struct {
	LaunchToken string            `json:"launch_token"` // 64 hex digits
	ExpiresAt   time.Time         `json:"expires_at"`
	Policy      LaunchTokenPolicy `json:"policy"`
}

// A LaunchTokenPolicy is what a launch token allows.
type LaunchTokenPolicy struct {
	AllowedScope []string `json:"allowed_scope"`
	MaxTTL       int      `json:"max_ttl"` // seconds
}

// A CreateAppRequest is the body of POST /v1/admin/apps.
type CreateAppRequest struct {
	Name     string   `json:"name"`
	Scopes   []string `json:"scopes"`
	TokenTTL *int     `json:"token_ttl,omitempty"` // seconds
}

// An UpdateAppRequest is the body of PUT /v1/admin/apps/{id}. Nil fields stay as
// they are.
type UpdateAppRequest struct {
	Scopes   []string `json:"scopes,omitempty"`
	TokenTTL *int     `json:"token_ttl,omitempty"` // seconds
}

// An App is a registered application. ClientSecret is set only in the response to
// its creation.
type App struct {
	AppID          string     `json:"app_id"`
	Name           string     `json:"name"`
	ClientID       string     `json:"client_id"`
	ClientSecret   string     `json:"client_secret,omitempty"` // 64 hex digits
	Scopes         []string   `json:"scopes"`
	TokenTTL       int        `json:"token_ttl"` // seconds
	Status         string     `json:"status"`    // "active" or "inactive"
	CreatedAt      *time.Time `json:"created_at,omitempty"`
	UpdatedAt      *time.Time `json:"updated_at,omitempty"`
	DeregisteredAt *time.Time `json:"deregistered_at,omitempty"`
}

// An AppList is the response of GET /v1/admin/apps.
type AppList struct {
	Apps  []App `json:"apps"`
	Total int   `json:"total"`
}

// A RevokeLevel selects what a revocation ends.
type RevokeLevel string

// The levels (docs/protocol.md, "Revocation").
const (
	RevokeToken RevokeLevel = "token" // target: a jti
	RevokeAgent RevokeLevel = "agent" // target: a SPIFFE ID
	RevokeTask  RevokeLevel = "task"  // target: a task_id
	RevokeChain RevokeLevel = "chain" // target: the first delegator's SPIFFE ID
)

// A RevokeRequest is the body of POST /v1/revoke.
type RevokeRequest struct {
	Level  RevokeLevel `json:"level"`
	Target string      `json:"target"`
}

// A RevokeResponse is the response to a [RevokeRequest].
type RevokeResponse struct {
	Revoked bool        `json:"revoked"`
	Level   RevokeLevel `json:"level"`
	Target  string      `json:"target"`
	Count   int         `json:"count"` // credentials ended
}

// An AuditPage is the response of GET /v1/audit/events, oldest first.
type AuditPage struct {
	Events []AuditEvent `json:"events"`
	Total  int          `json:"total"` // number of matching events
	Offset int          `json:"offset"`
	Limit  int          `json:"limit"`
}
