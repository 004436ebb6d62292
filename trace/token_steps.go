package trace

// A Credential identifies a token within its run: the category of the agent that
// holds it, and whether it was delegated. It stays the same when the token is
// renewed, so that a view can follow one credential through its lifetime.
type Credential struct {
	Category  string `json:"category"`            // clinical, prescription or billing
	Delegated bool   `json:"delegated,omitempty"` // obtained by delegation, not by registration
}

func (c Credential) credential() Credential { return c }

// CredentialOf returns the credential that a step concerns, if it concerns one.
func CredentialOf(s Step) (c Credential, ok bool) {
	of, ok := s.(interface{ credential() Credential })
	if ok {
		c = of.credential()
	}
	return c, ok
}

// RefusedBy names the check that refused a call.
type RefusedBy string

// The checks that can refuse a call.
const (
	RefusedByGate    RefusedBy = "gate"
	RefusedByBroker  RefusedBy = "broker"
	RefusedByRecords RefusedBy = "records"
)

// TypeAgentCreated is the type of a [AgentCreated] step.
const TypeAgentCreated Type = "agent_created"

// AgentCreated records an agent's registration with the broker.
type AgentCreated struct {
	Credential
	AgentID      string   `json:"agent_id"`
	SPIFFEID     string   `json:"spiffe_id"`
	Scope        []string `json:"scope"`
	Tools        []string `json:"tools"` // names of the tools in its category
	TaskID       string   `json:"task_id"`
	OrchID       string   `json:"orch_id"`
	ExpiresIn    int      `json:"expires_in"` // seconds
	TokenPreview string   `json:"token_preview"`
	Trigger      string   `json:"trigger"` // name of the tool whose call required it
}

// Type implements [Step].
func (AgentCreated) Type() Type { return TypeAgentCreated }
func (AgentCreated) step()      {}

// TypeAgentError is the type of a [AgentError] step.
const TypeAgentError Type = "agent_error"

// AgentError records an agent that could not be created or, with a delegated
// credential, a delegation that failed without being refused.
type AgentError struct {
	Credential
	Scope     []string `json:"scope"`
	Trigger   string   `json:"trigger"`
	Error     string   `json:"error"`
	ErrorCode string   `json:"error_code,omitempty"`
	RequestID string   `json:"request_id,omitempty"`
	// AnswerLost reports that the broker's response did not arrive: it may
	// have issued a token that nobody holds.
	AnswerLost bool `json:"answer_lost,omitempty"`
	// ValidUntil is the time until which such a token may be accepted.
	ValidUntil int64 `json:"valid_until,omitempty"` // Unix seconds
}

// Type implements [Step].
func (AgentError) Type() Type { return TypeAgentError }
func (AgentError) step()      {}

// TypeTokenValidated is the type of a [TokenValidated] step.
const TypeTokenValidated Type = "token_validated"

// TokenValidated is the broker's validation of a token: its claims, or that it is
// not valid. Context tells why it was validated: "spawned" or "delegated".
type TokenValidated struct {
	Credential
	Valid     bool     `json:"valid"`
	Subject   string   `json:"sub,omitempty"`
	Scope     []string `json:"scope,omitempty"`
	TokenID   string   `json:"jti,omitempty"`
	OrchID    string   `json:"orch_id,omitempty"`
	TaskID    string   `json:"task_id,omitempty"`
	Issuer    string   `json:"iss,omitempty"`
	Audience  []string `json:"aud,omitempty"`
	NotBefore int64    `json:"nbf,omitempty"` // Unix seconds
	IssuedAt  int64    `json:"iat,omitempty"` // Unix seconds
	ExpiresAt int64    `json:"exp,omitempty"` // Unix seconds
	Chain     []Hop    `json:"chain,omitempty"`
	ChainHash string   `json:"chain_hash,omitempty"`
	Error     string   `json:"error,omitempty"`
	Context   string   `json:"context"`
	// Header is the token's header, as the app decoded it.
	Header TokenHeader `json:"header,omitzero"`
}

// A TokenHeader is the header of a JWT: its type, the signature algorithm, and the
// ID of the broker's key.
type TokenHeader struct {
	Algorithm string `json:"alg"`
	Type      string `json:"typ"`
	KeyID     string `json:"kid"`
}

// Type implements [Step].
func (TokenValidated) Type() Type { return TypeTokenValidated }
func (TokenValidated) step()      {}

// Hop is one link of a delegation chain.
type Hop struct {
	Agent       string   `json:"agent"`
	Scope       []string `json:"scope"`
	DelegatedAt string   `json:"delegated_at"`
}

// TypeDelegation is the type of a [Delegation] step.
const TypeDelegation Type = "delegation"

// Delegation records that one agent delegated scopes to another.
type Delegation struct {
	Credential              // of the delegated token
	DelegatorID    string   `json:"delegator_id"`
	DelegatorScope []string `json:"delegator_scope"`
	DelegateID     string   `json:"delegate_id"`
	DelegatedScope []string `json:"delegated_scope"`
	TokenPreview   string   `json:"token_preview"`
	Chain          []Hop    `json:"chain"`
	ExpiresIn      int      `json:"expires_in"` // seconds
}

// Type implements [Step].
func (Delegation) Type() Type { return TypeDelegation }
func (Delegation) step()      {}

// TypeDelegationDenied is the type of a [DelegationDenied] step.
const TypeDelegationDenied Type = "delegation_denied"

// DelegationDenied records a delegation that was refused.
type DelegationDenied struct {
	Tool           string    `json:"tool"` // whose call required the delegation and was not made
	CallID         string    `json:"call_id"`
	PatientID      string    `json:"patient_id"`
	DelegatorID    string    `json:"delegator_id"`
	DelegatorScope []string  `json:"delegator_scope"`
	DelegateID     string    `json:"delegate_id"`
	RequestedScope []string  `json:"requested_scope"`
	MissingScope   []string  `json:"missing_scope"`
	RefusedBy      RefusedBy `json:"refused_by"`
	Reason         string    `json:"reason"`
	ErrorCode      string    `json:"error_code,omitempty"`
	RequestID      string    `json:"request_id,omitempty"`
}

// MarshalJSON implements json.Marshaler. It adds the Python demo's keys.
func (s DelegationDenied) MarshalJSON() ([]byte, error) {
	type plain DelegationDenied
	return marshal(struct {
		plain
		Delegator string   `json:"delegator"`
		Delegate  string   `json:"delegate"`
		Scope     []string `json:"scope"`
		Error     string   `json:"error"`
	}{plain(s), s.DelegatorID, s.DelegateID, s.RequestedScope, s.Reason})
}

// Type implements [Step].
func (DelegationDenied) Type() Type { return TypeDelegationDenied }
func (DelegationDenied) step()      {}

// TypeTokenRenewed is the type of a [TokenRenewed] step.
const TypeTokenRenewed Type = "token_renewed"

// TokenRenewed records that a token was exchanged for a new one.
type TokenRenewed struct {
	Credential
	AgentID      string `json:"agent_id"`
	OldPreview   string `json:"old_preview"`
	NewPreview   string `json:"new_preview"`
	NewExpiresIn int    `json:"new_expires_in"` // seconds
}

// Type implements [Step].
func (TokenRenewed) Type() Type { return TypeTokenRenewed }
func (TokenRenewed) step()      {}

// TypeTokenReleased is the type of a [TokenReleased] step.
const TypeTokenReleased Type = "token_released"

// TokenReleased records that an agent released its token.
type TokenReleased struct {
	Credential
	AgentID  string `json:"agent_id"`
	SPIFFEID string `json:"spiffe_id"`
	TaskID   string `json:"task_id"`
}

// Type implements [Step].
func (TokenReleased) Type() Type { return TypeTokenReleased }
func (TokenReleased) step()      {}

// TypeReleaseError is the type of a [ReleaseError] step.
const TypeReleaseError Type = "release_error"

// ReleaseError records a failed renewal, release or validation at the end of a
// run. Stage is "renew", "validate", "release" or "revoke".
type ReleaseError struct {
	Credential
	AgentID string `json:"agent_id"`
	Stage   string `json:"stage"`
	Error   string `json:"error"`
	// AnswerLost reports that the response to a renewal did not arrive: the
	// broker may have issued a new token that nobody holds.
	AnswerLost bool `json:"answer_lost,omitempty"`
	// Expired reports that the broker no longer accepts the token because its
	// lifetime is over, which is not a revocation.
	Expired bool `json:"expired,omitempty"`
	// ValidUntil is the time until which the token, or one that a lost response
	// carried, may be accepted; 0 if the broker no longer accepts it.
	ValidUntil int64 `json:"valid_until,omitempty"` // Unix seconds
}

// Type implements [Step].
func (ReleaseError) Type() Type { return TypeReleaseError }
func (ReleaseError) step()      {}

// The tokens that a [PostReleaseValidation] can be about.
const (
	TokenOfRenewal = "renewed"  // the token that a renewal replaced
	TokenOfRelease = "released" // the released token
)

// TypePostReleaseValidation is the type of a [PostReleaseValidation] step.
const TypePostReleaseValidation Type = "post_release_validation"

// PostReleaseValidation is the broker's validation of a token that should have
// been revoked. Token is [TokenOfRenewal] or [TokenOfRelease].
type PostReleaseValidation struct {
	Credential
	AgentID string `json:"agent_id"`
	Token   string `json:"token"`
	Valid   bool   `json:"valid"`
	Error   string `json:"error,omitempty"`
}

// contextRenewed is the context of the check of a token that a renewal replaced.
const contextRenewed = "old_token_after_renewal"

// MarshalJSON implements json.Marshaler. It adds the context that the Python demo
// gives for the same check.
func (s PostReleaseValidation) MarshalJSON() ([]byte, error) {
	type plain PostReleaseValidation
	context := "after_release"
	if s.Token == TokenOfRenewal {
		context = contextRenewed
	}
	return marshal(struct {
		plain
		Context string `json:"context"`
	}{plain(s), context})
}

// Type implements [Step].
func (PostReleaseValidation) Type() Type { return TypePostReleaseValidation }
func (PostReleaseValidation) step()      {}
