package llm

import (
	"context"
	"encoding/json"
	"time"
)

// Mode tells what kind of model a [Model] is; the page always shows it.
type Mode string

// The modes.
const (
	ModeRemote   Mode = "remote"   // a server that speaks the OpenAI protocol
	ModeOffline  Mode = "offline"  // the planner in this process
	ModeRecorded Mode = "recorded" // a recorded model, played back
)

// A Model picks tools and writes the answer.
type Model interface {
	// Name returns the model's name as the page shows it: "gpt-4o-mini",
	// "OFFLINE PLANNER" or "RECORDED gpt-4o-mini".
	Name() string
	// Mode returns the kind of model.
	Mode() Mode
	// Complete puts one turn to the model and returns once the reply is
	// complete. It calls onText, in order and from the caller's goroutine, with
	// each piece of the answer's text as it arrives. A reply that failed, was
	// cut off in the middle of a tool call or is empty is an error, so that no
	// tool call of it is ever made. Errors are of type [*Error] and never hold
	// the API key.
	Complete(ctx context.Context, req Request, onText func(string)) (Reply, error)
}

// A Request is one turn: the conversation so far and the tools on offer.
type Request struct {
	Messages []Message
	Tools    []Tool
	// OnWait, if not nil, is called before each wait of a second or more: the
	// server asked for it, or a failed request is about to be repeated.
	OnWait func(Wait) `json:"-"`
}

// A Wait describes a pause before a request is repeated.
type Wait struct {
	Reason string        // "the model server at localhost:8080 answered 503: Loading model"
	For    time.Duration // how long this pause is
	Limit  time.Duration // how long one turn may wait in total
}

// Role is the author of a message.
type Role string

// The roles of the OpenAI protocol.
const (
	RoleSystem    Role = "system"
	RoleUser      Role = "user"
	RoleAssistant Role = "assistant"
	RoleTool      Role = "tool"
)

// A Message is one entry of the conversation. Messages of the assistant are
// made by [Reply.Message].
type Message struct {
	Role       Role
	Content    string
	ToolCalls  []ToolCall // of an assistant message
	ToolCallID string     // of a tool message: ID of the call it answers
	Extra      Extra      // of an assistant message
}

// Extra holds the parts of a reply that mean nothing to us but that the server
// wants to see again, unchanged, in the next turn: reasoning, thought
// signatures, reasoning items.
type Extra struct {
	Fields map[string]json.RawMessage // of the message, by name
	Items  []json.RawMessage          // output items of the Responses API
}

// A Tool is a function that the model may call.
type Tool struct {
	Name        string
	Description string
	Parameters  json.RawMessage // JSON schema of the arguments
}

// A ToolCall is a call that the model asks for. Arguments are usually a JSON
// object; a model may write anything. The ID is the server's own, of any form
// and length; only within one reply is it unique.
type ToolCall struct {
	ID        string
	Name      string
	Arguments string
	Extra     map[string]json.RawMessage // further fields of the call, to be sent back
}

// A Reply is the model's complete turn.
type Reply struct {
	Content   string
	Reasoning string // what the model wrote before its answer; never part of it
	ToolCalls []ToolCall
	// FinishReason is "stop", "tool_calls", "length" or "content_filter", or the
	// server's own word if it means none of these.
	FinishReason string
	Warning      string // a problem of the server's setup that the reply revealed
	StandIn      string // the model that replied because the recording has no reply; empty otherwise
	Usage        Usage
	Extra        Extra
}

// Message returns the reply as the next turn must contain it.
func (r Reply) Message() Message {
	return Message{Role: RoleAssistant, Content: r.Content, ToolCalls: r.ToolCalls, Extra: r.Extra}
}

// Usage counts tokens; 0 means that the server did not tell. The offline
// planner, which has no tokens, counts words.
type Usage struct {
	PromptTokens     int
	CompletionTokens int
}
