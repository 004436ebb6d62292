package trace

import (
	"encoding/json"
	"fmt"
	"reflect"
)

// Type names a kind of step; the values are the public contract.
type Type string

// Step is what happened: one Go type for each [Type].
type Step interface {
	Type() Type
}

// The step types.
const (
	TypeValidation            Type = "validation"
	TypePatientLookup         Type = "patient_lookup"
	TypeBrokerHealth          Type = "broker_health"
	TypeLLMStart              Type = "llm_start"
	TypeAgentCreated          Type = "agent_created"
	TypeAgentError            Type = "agent_error"
	TypeTokenValidated        Type = "token_validated"
	TypeToolCall              Type = "tool_call"
	TypeToolError             Type = "tool_error"
	TypeScopeDenied           Type = "scope_denied"
	TypeTokenRejected         Type = "token_rejected"
	TypeDelegation            Type = "delegation"
	TypeDelegationDenied      Type = "delegation_denied"
	TypeLLMDelta              Type = "llm_delta"
	TypeLLMResponse           Type = "llm_response"
	TypeTokenRenewed          Type = "token_renewed"
	TypeTokenReleased         Type = "token_released"
	TypeReleaseError          Type = "release_error"
	TypePostReleaseValidation Type = "post_release_validation"
	TypeIncident              Type = "incident"
	TypeTokenRevoked          Type = "token_revoked"
	TypeStolenTokenUsed       Type = "stolen_token_used"
	TypeCancelled             Type = "cancelled"
	TypeError                 Type = "error"
	TypeComplete              Type = "complete"
)

// Credential names a token within its run: its holder, and whether it was
// delegated. It stays the same when the token is renewed, so that a view can
// follow one credential from birth to death.
type Credential struct {
	Category  string `json:"category"`            // clinical, prescription or billing
	Delegated bool   `json:"delegated,omitempty"` // held by delegation, not by registration
}

// RefusedBy says which of the three checks refused.
type RefusedBy string

// The places that can refuse.
const (
	RefusedByGate    RefusedBy = "gate"
	RefusedByBroker  RefusedBy = "broker"
	RefusedByRecords RefusedBy = "records"
)

// Validation is the run's input, accepted.
type Validation struct {
	PatientID string `json:"patient_id"`
	Request   string `json:"request"`
	Pace      string `json:"pace"`
}

// PatientLookup says whether the records know the patient.
type PatientLookup struct {
	PatientID string `json:"patient_id"`
	Found     bool   `json:"found"`
	Name      string `json:"name,omitempty"`
}

// BrokerHealth is the broker's own word on itself, or why it gave none.
type BrokerHealth struct {
	URL              string `json:"url"`
	Embedded         bool   `json:"embedded"`
	Status           string `json:"status"`
	Version          string `json:"version,omitempty"`
	Uptime           int64  `json:"uptime"` // seconds
	DBConnected      bool   `json:"db_connected"`
	AuditEventsCount int64  `json:"audit_events_count"`
	Error            string `json:"error,omitempty"`
}

// LLMStart is one turn put to the model.
type LLMStart struct {
	Model string   `json:"model"`
	Mode  string   `json:"mode"` // llm.Mode
	Turn  int      `json:"turn"` // 1, 2, 3 …
	Tools []string `json:"tools"`
}

// AgentCreated is an agent registered at the broker.
type AgentCreated struct {
	Credential
	AgentID      string   `json:"agent_id"`
	SPIFFEID     string   `json:"spiffe_id"`
	Scope        []string `json:"scope"`
	Tools        []string `json:"tools"` // names of its category's tools
	TaskID       string   `json:"task_id"`
	OrchID       string   `json:"orch_id"`
	ExpiresIn    int      `json:"expires_in"` // seconds
	TokenPreview string   `json:"token_preview"`
	Trigger      string   `json:"trigger"` // the tool call that made it necessary
}

// AgentError is an agent that could not be spawned; with a delegated
// credential, a delegation that failed without being refused.
type AgentError struct {
	Credential
	Scope     []string `json:"scope"`
	Trigger   string   `json:"trigger"`
	Error     string   `json:"error"`
	ErrorCode string   `json:"error_code,omitempty"`
	RequestID string   `json:"request_id,omitempty"`
	// AnswerLost says that the broker's answer did not arrive, so that a
	// token may live that nobody holds.
	AnswerLost bool `json:"answer_lost,omitempty"`
}

// TokenValidated is the broker's answer about a token: its claims, or that it
// is not valid. Context says why it was asked: "spawned" or "delegated".
type TokenValidated struct {
	Credential
	Valid     bool     `json:"valid"`
	Subject   string   `json:"sub,omitempty"`
	Scope     []string `json:"scope,omitempty"`
	TokenID   string   `json:"jti,omitempty"`
	OrchID    string   `json:"orch_id,omitempty"`
	TaskID    string   `json:"task_id,omitempty"`
	Issuer    string   `json:"iss,omitempty"`
	IssuedAt  int64    `json:"iat,omitempty"` // Unix seconds
	ExpiresAt int64    `json:"exp,omitempty"` // Unix seconds
	Chain     []Hop    `json:"chain,omitempty"`
	Error     string   `json:"error,omitempty"`
	Context   string   `json:"context"`
}

// Hop is one link of a delegation chain.
type Hop struct {
	Agent       string   `json:"agent"`
	Scope       []string `json:"scope"`
	DelegatedAt string   `json:"delegated_at"`
}

// ToolCall is a call that was let through and answered.
type ToolCall struct {
	Credential
	Tool          string          `json:"tool"`
	CallID        string          `json:"call_id"`
	PatientID     string          `json:"patient_id"`
	Args          json.RawMessage `json:"args"`
	Authorized    bool            `json:"authorized"` // always true
	RequiredScope []string        `json:"required_scope"`
	HeldScope     []string        `json:"held_scope"`
	AgentID       string          `json:"agent_id"`
	Output        json.RawMessage `json:"output"`
}

// ToolError is a call that could not be made, or that failed for a reason
// other than authority: bad arguments, an unknown tool, a records API that is
// down. Reason is what the model was told.
type ToolError struct {
	Category  string `json:"category,omitempty"`
	Tool      string `json:"tool"`
	CallID    string `json:"call_id"`
	PatientID string `json:"patient_id,omitempty"`
	Args      string `json:"args"` // as the model wrote them, capped
	Reason    string `json:"reason"`
}

// ScopeDenied is a call that was refused because the token does not hold what
// the call needs.
type ScopeDenied struct {
	Credential
	Tool          string          `json:"tool"`
	CallID        string          `json:"call_id"`
	PatientID     string          `json:"patient_id"`
	Args          json.RawMessage `json:"args"`
	Authorized    bool            `json:"authorized"` // always false
	RequiredScope []string        `json:"required_scope"`
	HeldScope     []string        `json:"held_scope"`
	MissingScope  []string        `json:"missing_scope"`
	RefusedBy     RefusedBy       `json:"refused_by"`
	AgentID       string          `json:"agent_id"`
	Reason        string          `json:"reason"`
}

// TokenRejected is a call refused because its token is dead: expired, revoked
// or released.
type TokenRejected struct {
	Credential
	Tool          string    `json:"tool"`
	CallID        string    `json:"call_id"`
	PatientID     string    `json:"patient_id"`
	RequiredScope []string  `json:"required_scope"`
	RefusedBy     RefusedBy `json:"refused_by"`
	AgentID       string    `json:"agent_id"`
	Reason        string    `json:"reason"`
}

// Delegation is authority handed from one agent to another.
type Delegation struct {
	Credential              // the new, delegated one
	DelegatorID    string   `json:"delegator_id"`
	DelegatorScope []string `json:"delegator_scope"`
	DelegateID     string   `json:"delegate_id"`
	DelegatedScope []string `json:"delegated_scope"`
	TokenPreview   string   `json:"token_preview"`
	Chain          []Hop    `json:"chain"`
	ExpiresIn      int      `json:"expires_in"` // seconds
}

// DelegationDenied is a delegation that the broker refused.
type DelegationDenied struct {
	Tool           string    `json:"tool"` // the call that needed it, which was therefore not made
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

// LLMDelta is a piece of the model's answer as it streams.
type LLMDelta struct {
	Turn int    `json:"turn"`
	Text string `json:"text"`
}

// LLMResponse ends a turn: the model's text, or the tools it asks for.
type LLMResponse struct {
	Turn             int       `json:"turn"`
	Content          string    `json:"content"`
	ToolCalls        []LLMCall `json:"tool_calls,omitempty"`
	FinishReason     string    `json:"finish_reason"`
	PromptTokens     int       `json:"prompt_tokens,omitempty"`
	CompletionTokens int       `json:"completion_tokens,omitempty"`
	Final            bool      `json:"final"` // no tool is asked for: this is the answer
	// StandIn is who replied in place of a recorded model that has no such
	// request; empty if the model that was asked did.
	StandIn string `json:"stand_in,omitempty"`
}

// LLMCall is a tool call as the model wrote it, arguments capped.
type LLMCall struct {
	CallID string `json:"call_id"`
	Tool   string `json:"tool"`
	Args   string `json:"args"`
}

// TokenRenewed is a token replaced by its successor.
type TokenRenewed struct {
	Credential
	AgentID      string `json:"agent_id"`
	OldPreview   string `json:"old_preview"`
	NewPreview   string `json:"new_preview"`
	NewExpiresIn int    `json:"new_expires_in"` // seconds
}

// TokenReleased is a token given back.
type TokenReleased struct {
	Credential
	AgentID  string `json:"agent_id"`
	SPIFFEID string `json:"spiffe_id"`
	TaskID   string `json:"task_id"`
}

// ReleaseError is a renewal, release or proof of death that failed. Stage is
// "renew", "validate" or "release".
type ReleaseError struct {
	Credential
	AgentID string `json:"agent_id"`
	Stage   string `json:"stage"`
	Error   string `json:"error"`
	// AnswerLost says that a renewal's answer did not arrive: the token may
	// have a successor that nobody holds.
	AnswerLost bool `json:"answer_lost,omitempty"`
}

// What a [PostReleaseValidation] is about.
const (
	TokenOfRenewal = "renewed"  // the token before its renewal
	TokenOfRelease = "released" // the last token, after its release
)

// PostReleaseValidation is the broker's answer whether a token is dead. Token
// says which: [TokenOfRenewal] or [TokenOfRelease].
type PostReleaseValidation struct {
	Credential
	AgentID string `json:"agent_id"`
	Token   string `json:"token"`
	Valid   bool   `json:"valid"`
	Error   string `json:"error,omitempty"`
}

// Cancelled is a run stopped from outside: by whom, and why.
type Cancelled struct {
	By     string `json:"by"` // "presenter", "operator" or "shutdown"
	Reason string `json:"reason"`
}

// RunError is a run that could not go on. Stage is "model", "broker",
// "records", "limit" or "internal".
type RunError struct {
	Stage   string `json:"stage"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"` // what to try
}

// Complete ends every run: what it did, counted.
type Complete struct {
	PatientID    string   `json:"patient_id"`
	Agents       []string `json:"agents_spawned"` // categories
	AgentsCount  int      `json:"agents_count"`
	Allowed      int      `json:"allowed"`
	Denied       int      `json:"denied"` // refused by gate, broker or records
	Errors       int      `json:"errors"` // calls that failed, or could not be made, for other reasons
	Delegations  int      `json:"delegations"`
	Tokens       int      `json:"tokens"` // issued: agents and delegations
	Released     int      `json:"released"`
	ProvenDead   int      `json:"proven_dead"`
	Unaccounted  int      `json:"unaccounted,omitempty"` // answers lost that may have held a token
	AllDead      bool     `json:"all_tokens_dead"`       // the broker said so of each, and there was one
	Outcome      Outcome  `json:"outcome"`
	Milliseconds int64    `json:"duration_ms"`
}

func (Validation) Type() Type            { return TypeValidation }
func (PatientLookup) Type() Type         { return TypePatientLookup }
func (BrokerHealth) Type() Type          { return TypeBrokerHealth }
func (LLMStart) Type() Type              { return TypeLLMStart }
func (AgentCreated) Type() Type          { return TypeAgentCreated }
func (AgentError) Type() Type            { return TypeAgentError }
func (TokenValidated) Type() Type        { return TypeTokenValidated }
func (ToolCall) Type() Type              { return TypeToolCall }
func (ToolError) Type() Type             { return TypeToolError }
func (ScopeDenied) Type() Type           { return TypeScopeDenied }
func (TokenRejected) Type() Type         { return TypeTokenRejected }
func (Delegation) Type() Type            { return TypeDelegation }
func (DelegationDenied) Type() Type      { return TypeDelegationDenied }
func (LLMDelta) Type() Type              { return TypeLLMDelta }
func (LLMResponse) Type() Type           { return TypeLLMResponse }
func (TokenRenewed) Type() Type          { return TypeTokenRenewed }
func (TokenReleased) Type() Type         { return TypeTokenReleased }
func (ReleaseError) Type() Type          { return TypeReleaseError }
func (PostReleaseValidation) Type() Type { return TypePostReleaseValidation }
func (Incident) Type() Type              { return TypeIncident }
func (TokenRevoked) Type() Type          { return TypeTokenRevoked }
func (StolenTokenUsed) Type() Type       { return TypeStolenTokenUsed }
func (Cancelled) Type() Type             { return TypeCancelled }
func (RunError) Type() Type              { return TypeError }
func (Complete) Type() Type              { return TypeComplete }

// steps maps each type to the zero value of its Go type.
var steps = func() map[Type]reflect.Type {
	m := map[Type]reflect.Type{}
	for _, s := range []Step{
		Validation{}, PatientLookup{}, BrokerHealth{}, LLMStart{},
		AgentCreated{}, AgentError{}, TokenValidated{}, ToolCall{},
		ToolError{}, ScopeDenied{}, TokenRejected{}, Delegation{},
		DelegationDenied{}, LLMDelta{}, LLMResponse{}, TokenRenewed{},
		TokenReleased{}, ReleaseError{}, PostReleaseValidation{},
		Incident{}, TokenRevoked{}, StolenTokenUsed{},
		Cancelled{}, RunError{}, Complete{},
	} {
		m[s.Type()] = reflect.TypeOf(s)
	}
	return m
}()

// decodeStep reads a detail into the Go type that belongs to t.
func decodeStep(t Type, detail json.RawMessage) (Step, error) {
	rt, ok := steps[t]
	if !ok {
		return nil, fmt.Errorf("trace: unknown step type %q", t)
	}
	v := reflect.New(rt)
	if err := json.Unmarshal(detail, v.Interface()); err != nil {
		return nil, fmt.Errorf("trace: detail of %s: %w", t, err)
	}
	return v.Elem().Interface().(Step), nil
}
