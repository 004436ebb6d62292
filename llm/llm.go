package llm

import (
	"context"
	"encoding/json"
)

// Mode says what stands behind a [Model]; the page always shows it.
type Mode string

// The modes.
const (
	ModeRemote   Mode = "remote"   // a server that speaks the OpenAI protocol
	ModeOffline  Mode = "offline"  // the planner in this process
	ModeRecorded Mode = "recorded" // a recorded model, played back
)

// Model is whatever picks tools and writes the answer.
type Model interface {
	// Name is the model's name as the page shows it: "gpt-4o-mini",
	// "OFFLINE PLANNER" or "RECORDED gpt-4o-mini".
	Name() string
	// Mode says what kind of model it is.
	Mode() Mode
	// Complete puts one turn to the model and returns when the reply is
	// whole. It calls onText, in order and from the caller's goroutine, with
	// each piece of text as it arrives. A stream that ends without a finish
	// reason, an empty reply and an unreadable one are errors. A reply's tool
	// calls have names, and IDs that differ. Its errors are an [*Error] and
	// never hold the key.
	Complete(ctx context.Context, req Request, onText func(string)) (Reply, error)
}

// Request is one turn: the conversation so far and the tools on offer.
type Request struct {
	Messages []Message
	Tools    []Tool
}

// Role is who speaks in a message.
type Role string

// The roles of the OpenAI protocol.
const (
	RoleSystem    Role = "system"
	RoleUser      Role = "user"
	RoleAssistant Role = "assistant"
	RoleTool      Role = "tool"
)

// Message is one entry of the conversation.
type Message struct {
	Role       Role
	Content    string
	ToolCalls  []ToolCall // of an assistant message
	ToolCallID string     // of a tool message: the call it answers
}

// Tool is a function that the model may ask for.
type Tool struct {
	Name        string
	Description string
	Parameters  json.RawMessage // JSON schema of the arguments
}

// ToolCall is a function that the model asks for. Arguments are as the model
// wrote them: they may be anything.
type ToolCall struct {
	ID        string
	Name      string
	Arguments string
}

// Reply is the model's whole turn.
type Reply struct {
	Content      string
	ToolCalls    []ToolCall
	FinishReason string // as the protocol names it: "stop", "tool_calls" …
	StandIn      string // who answered in place of a recording that has no reply; empty otherwise
	Usage        Usage
}

// Usage counts tokens, 0 where the server does not say. The offline planner,
// which has none, counts words.
type Usage struct {
	PromptTokens     int
	CompletionTokens int
}
