package trace

import "encoding/json"

// TypeToolCall is the type of a [ToolCall] step.
const TypeToolCall Type = "tool_call"

// ToolCall records a call that was allowed and answered.
type ToolCall struct {
	Credential
	Tool          string          `json:"tool"`
	CallID        string          `json:"call_id"`
	PatientID     string          `json:"patient_id"`
	Args          json.RawMessage `json:"args"`
	IgnoredArgs   []string        `json:"ignored_args,omitempty"` // that the tool does not have
	Authorized    bool            `json:"authorized"`             // always true
	RequiredScope []string        `json:"required_scope"`
	HeldScope     []string        `json:"held_scope"`
	AgentID       string          `json:"agent_id"`
	Output        json.RawMessage `json:"output"`
}

// Type implements [Step].
func (ToolCall) Type() Type { return TypeToolCall }
func (ToolCall) step()      {}

// TypeToolError is the type of a [ToolError] step.
const TypeToolError Type = "tool_error"

// ToolError records a call that could not be made, or that failed for a reason
// other than authorization: invalid arguments, an unknown tool, an unavailable
// records API. Reason is the text that the model received.
type ToolError struct {
	Category  string `json:"category,omitempty"`
	Tool      string `json:"tool"`
	CallID    string `json:"call_id"`
	PatientID string `json:"patient_id,omitempty"`
	Args      string `json:"args"` // as the model wrote them, clipped
	Reason    string `json:"reason"`
}

// Type implements [Step].
func (ToolError) Type() Type { return TypeToolError }
func (ToolError) step()      {}

// TypeScopeDenied is the type of a [ScopeDenied] step.
const TypeScopeDenied Type = "scope_denied"

// ScopeDenied records a call that was refused because the token lacks a required
// scope.
type ScopeDenied struct {
	Credential
	Tool          string          `json:"tool"`
	CallID        string          `json:"call_id"`
	PatientID     string          `json:"patient_id"`
	Args          json.RawMessage `json:"args"`
	IgnoredArgs   []string        `json:"ignored_args,omitempty"` // that the tool does not have
	Authorized    bool            `json:"authorized"`             // always false
	RequiredScope []string        `json:"required_scope"`
	HeldScope     []string        `json:"held_scope"`
	MissingScope  []string        `json:"missing_scope"`
	RefusedBy     RefusedBy       `json:"refused_by"`
	AgentID       string          `json:"agent_id"`
	Reason        string          `json:"reason"`
}

// Type implements [Step].
func (ScopeDenied) Type() Type { return TypeScopeDenied }
func (ScopeDenied) step()      {}

// TypeTokenRejected is the type of a [TokenRejected] step.
const TypeTokenRejected Type = "token_rejected"

// TokenRejected records a call that was refused because its token has expired or
// was revoked or released.
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

// Type implements [Step].
func (TokenRejected) Type() Type { return TypeTokenRejected }
func (TokenRejected) step()      {}
