package wire

import "time"

// Limits and defaults of the protocol; durations that travel as seconds are
// given in seconds.
const (
	MaxBodyBytes          = 1 << 20 // request body, answered 413 above
	NonceTTL              = 30      // seconds a challenge lives
	DefaultAgentTTL       = 300     // seconds, a launch token's max_ttl
	DefaultLaunchTokenTTL = 30      // seconds, a launch token's own life
	DefaultDelegationTTL  = 60      // seconds
	MaxTTL                = 86400   // seconds, any token
	MinAppTokenTTL        = 60      // seconds
	DefaultAppTokenTTL    = 1800    // seconds
	AdminTokenTTL         = 300     // seconds
	MaxDelegationDepth    = 5       // hops
	MaxAuditPage          = 1000    // events per page
	DefaultAuditPage      = 100
	DefaultTrustDomain    = "agentwrit.local"
)

// Scopes that the broker itself grants and checks.
const (
	ScopeAdminLaunchTokens = "admin:launch-tokens:*"
	ScopeAdminRevoke       = "admin:revoke:*"
	ScopeAdminAudit        = "admin:audit:*"
	ScopeAppLaunchTokens   = "app:launch-tokens:*"
	ScopeAppAgents         = "app:agents:*"
	ScopeAppAuditRead      = "app:audit:read"
)

// What a broker's health can be.
const (
	HealthOK          = "ok"
	HealthDegraded    = "degraded"    // serving, but its stored trail is not the one it wrote
	HealthUnavailable = "unavailable" // storage fails: nothing is issued; answered with 503
)

// Health is the answer of GET /v1/health. Status is "ok" unless something
// that a credential depends on is broken; Problems then says what.
type Health struct {
	Status           string   `json:"status"`
	Version          string   `json:"version"`
	Uptime           int64    `json:"uptime"` // seconds
	DBConnected      bool     `json:"db_connected"`
	AuditEventsCount int64    `json:"audit_events_count"`
	Problems         []string `json:"problems,omitempty"`
}

// Challenge is the answer of GET /v1/challenge.
type Challenge struct {
	Nonce     string `json:"nonce"`      // 64 hex digits
	ExpiresIn int    `json:"expires_in"` // seconds
}

// RegisterRequest is the body of POST /v1/register.
type RegisterRequest struct {
	LaunchToken    string   `json:"launch_token"`
	Nonce          string   `json:"nonce"`
	PublicKey      string   `json:"public_key"` // base64, 32 bytes
	Signature      string   `json:"signature"`  // base64, Ed25519 over the decoded nonce
	OrchID         string   `json:"orch_id"`
	TaskID         string   `json:"task_id"`
	RequestedScope []string `json:"requested_scope"`
}

// RegisterResponse is its answer.
type RegisterResponse struct {
	AgentID     string `json:"agent_id"` // SPIFFE ID
	AccessToken string `json:"access_token"`
	ExpiresIn   int    `json:"expires_in"` // seconds
}

// ValidateRequest is the body of POST /v1/token/validate.
type ValidateRequest struct {
	Token string `json:"token"`
}

// ValidateResponse is its answer, 200 whether valid or not.
type ValidateResponse struct {
	Valid  bool    `json:"valid"`
	Claims *Claims `json:"claims,omitempty"`
	Error  string  `json:"error,omitempty"`
}

// RenewResponse is the answer of POST /v1/token/renew.
type RenewResponse struct {
	AccessToken string `json:"access_token"`
	ExpiresIn   int    `json:"expires_in"` // seconds
}

// DelegateRequest is the body of POST /v1/delegate.
type DelegateRequest struct {
	DelegateTo string   `json:"delegate_to"` // SPIFFE ID
	Scope      []string `json:"scope"`
	TTL        int      `json:"ttl,omitempty"` // seconds
}

// DelegateResponse is its answer.
type DelegateResponse struct {
	AccessToken     string          `json:"access_token"`
	ExpiresIn       int             `json:"expires_in"` // seconds
	DelegationChain []DelegationHop `json:"delegation_chain"`
}

// AdminAuthRequest is the body of POST /v1/admin/auth.
type AdminAuthRequest struct {
	Secret string `json:"secret"`
}

// AppAuthRequest is the body of POST /v1/app/auth.
type AppAuthRequest struct {
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
}

// AuthResponse answers both logins; Scopes is the app's only.
type AuthResponse struct {
	AccessToken string   `json:"access_token"`
	ExpiresIn   int      `json:"expires_in"` // seconds
	TokenType   string   `json:"token_type"` // "Bearer"
	Scopes      []string `json:"scopes,omitempty"`
}

// LaunchTokenRequest is the body of POST /v1/admin/launch-tokens and
// /v1/app/launch-tokens. Nil fields take the protocol's defaults.
type LaunchTokenRequest struct {
	AgentName    string   `json:"agent_name"`
	AllowedScope []string `json:"allowed_scope"`
	MaxTTL       *int     `json:"max_ttl,omitempty"` // seconds
	SingleUse    *bool    `json:"single_use,omitempty"`
	TTL          *int     `json:"ttl,omitempty"` // seconds
}

// LaunchTokenResponse is its answer.
type LaunchTokenResponse struct {
	LaunchToken string            `json:"launch_token"` // 64 hex digits
	ExpiresAt   time.Time         `json:"expires_at"`
	Policy      LaunchTokenPolicy `json:"policy"`
}

// LaunchTokenPolicy is what a launch token allows.
type LaunchTokenPolicy struct {
	AllowedScope []string `json:"allowed_scope"`
	MaxTTL       int      `json:"max_ttl"` // seconds
}

// CreateAppRequest is the body of POST /v1/admin/apps.
type CreateAppRequest struct {
	Name     string   `json:"name"`
	Scopes   []string `json:"scopes"`
	TokenTTL *int     `json:"token_ttl,omitempty"` // seconds
}

// UpdateAppRequest is the body of PUT /v1/admin/apps/{id}; nil leaves as is.
type UpdateAppRequest struct {
	Scopes   []string `json:"scopes,omitempty"`
	TokenTTL *int     `json:"token_ttl,omitempty"` // seconds
}

// App is a registered application. ClientSecret stands only in the answer
// that created it.
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

// AppList is the answer of GET /v1/admin/apps.
type AppList struct {
	Apps  []App `json:"apps"`
	Total int   `json:"total"`
}

// RevokeLevel says what a revocation takes down.
type RevokeLevel string

// The four levels (WIRE.md, "Revoke").
const (
	RevokeToken RevokeLevel = "token" // target: a jti
	RevokeAgent RevokeLevel = "agent" // target: a SPIFFE ID
	RevokeTask  RevokeLevel = "task"  // target: a task_id
	RevokeChain RevokeLevel = "chain" // target: the first delegator's SPIFFE ID
)

// RevokeRequest is the body of POST /v1/revoke.
type RevokeRequest struct {
	Level  RevokeLevel `json:"level"`
	Target string      `json:"target"`
}

// RevokeResponse is its answer.
type RevokeResponse struct {
	Revoked bool        `json:"revoked"`
	Level   RevokeLevel `json:"level"`
	Target  string      `json:"target"`
	Count   int         `json:"count"`
}

// AuditPage is the answer of GET /v1/audit/events, oldest first.
type AuditPage struct {
	Events []AuditEvent `json:"events"`
	Total  int          `json:"total"` // matching events in all
	Offset int          `json:"offset"`
	Limit  int          `json:"limit"`
}
