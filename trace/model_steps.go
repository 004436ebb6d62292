package trace

// TypeLLMStart is the type of a [LLMStart] step.
const TypeLLMStart Type = "llm_start"

// LLMStart records a prompt sent to the model: the start of a turn.
type LLMStart struct {
	Model string   `json:"model"`
	Mode  string   `json:"mode"` // llm.Mode
	Turn  int      `json:"turn"` // 1, 2, 3 …
	Tools []string `json:"tools"`
	// Request is the user's request; BaseURL is the address of the model's
	// server, empty for a model in this process.
	Request string `json:"request"`
	BaseURL string `json:"base_url"`
}

// MarshalJSON implements json.Marshaler. It adds the Python demo's key for the
// names of the tools.
func (s LLMStart) MarshalJSON() ([]byte, error) {
	type plain LLMStart
	return marshal(struct {
		plain
		ToolsAvailable []string `json:"tools_available"`
	}{plain(s), s.Tools})
}

// Type implements [Step].
func (LLMStart) Type() Type { return TypeLLMStart }
func (LLMStart) step()      {}

// TypeLLMWait is the type of a [LLMWait] step.
const TypeLLMWait Type = "llm_wait"

// LLMWait records that a turn is put to the model once more, after a wait: the
// server asked for it, or failed in a way that may pass.
type LLMWait struct {
	Turn    int    `json:"turn"`
	Reason  string `json:"reason"`
	WaitMS  int64  `json:"wait_ms"`
	LimitMS int64  `json:"limit_ms,omitempty"` // of all waits of one turn
}

// Type implements [Step].
func (LLMWait) Type() Type { return TypeLLMWait }
func (LLMWait) step()      {}

// TypeLLMDelta is the type of a [LLMDelta] step.
const TypeLLMDelta Type = "llm_delta"

// LLMDelta is a fragment of the model's streamed answer.
type LLMDelta struct {
	Turn int    `json:"turn"`
	Text string `json:"text"`
}

// Type implements [Step].
func (LLMDelta) Type() Type { return TypeLLMDelta }
func (LLMDelta) step()      {}

// TypeLLMResponse is the type of a [LLMResponse] step.
const TypeLLMResponse Type = "llm_response"

// LLMResponse ends a turn with the model's text, the tool calls it requests, or
// both.
type LLMResponse struct {
	Turn             int       `json:"turn"`
	Content          string    `json:"content"`
	ToolCalls        []LLMCall `json:"tool_calls,omitempty"`
	FinishReason     string    `json:"finish_reason"`
	PromptTokens     int       `json:"prompt_tokens,omitempty"`
	CompletionTokens int       `json:"completion_tokens,omitempty"`
	Final            bool      `json:"final"` // no tool call is requested: this is the answer
	// StandIn names the model that replied in place of a recorded model
	// without a recording of this request. It is usually empty.
	StandIn string `json:"stand_in,omitempty"`
	// Warning tells what is wrong with the reply, or with the server's setup. It
	// is usually empty.
	Warning string `json:"warning,omitempty"`
}

// Type implements [Step].
func (LLMResponse) Type() Type { return TypeLLMResponse }
func (LLMResponse) step()      {}

// LLMCall is a tool call as the model wrote it, with its arguments clipped.
type LLMCall struct {
	CallID string `json:"call_id"`
	Tool   string `json:"tool"`
	Args   string `json:"args"`
}
