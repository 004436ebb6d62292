package llm

import (
	"cmp"
	"encoding/json"
	"fmt"

	"github.com/sashabaranov/go-openai"
)

// chatRequest returns a turn as the client library sends it. Its types lack
// some fields of messages, and it leaves out what is empty or 0: amendChat adds
// what is missing.
func (m *client) chatRequest(req Request, a adaptation) openai.ChatCompletionRequest {
	out := openai.ChatCompletionRequest{Model: m.cfg.Model, Stream: true}
	if !a.drops("stream_options") {
		out.StreamOptions = &openai.StreamOptions{IncludeUsage: true}
	}
	offered := a.tools(req)
	for _, t := range offered {
		out.Tools = append(out.Tools, openai.Tool{Type: openai.ToolTypeFunction, Function: &openai.FunctionDefinition{
			Name: t.Name, Description: t.Description, Parameters: t.Parameters}})
	}
	if len(offered) > len(req.Tools) {
		out.ToolChoice = toolChoiceNone
	}
	// These models call tools over chat completions only without reasoning.
	if m.cfg.Model == openai.GPT6Sol || m.cfg.Model == openai.GPT6Luna {
		out.ReasoningEffort = openai.ReasoningEffortNone
	}
	return out
}

// amendChat adds to a request what the client library can't express.
func (m *client) amendChat(body []byte, req Request, a adaptation) ([]byte, error) {
	var f fields
	if err := json.Unmarshal(body, &f); err != nil {
		return nil, fmt.Errorf("read the request: %w", err)
	}
	set := func(name string, value any) error {
		raw, err := json.Marshal(value)
		f[name] = raw
		return err
	}
	err := set("messages", chatMessages(req.Messages, a))
	if t := m.cfg.Temperature; err == nil && t != nil && !a.drops("temperature") {
		err = set("temperature", *t)
	}
	if err == nil && m.cfg.MaxTokens > 0 && !a.drops(a.tokensField) {
		err = set(a.tokensField, m.cfg.MaxTokens)
	}
	if a.drops("reasoning_effort") {
		delete(f, "reasoning_effort")
	}
	if err != nil {
		return nil, fmt.Errorf("write the request: %w", err)
	}
	return json.Marshal(f)
}

// chatMessages returns the conversation in the form of chat completions. Where
// a server's template takes only one tool call in a message, a message with
// several becomes several, each followed by its result.
func chatMessages(messages []Message, a adaptation) []map[string]any {
	out := []map[string]any{}
	for i, msg := range messages {
		if msg.Role == RoleTool && a.oneCall && i > 0 && answersSplit(messages[:i]) {
			continue // already written, after its call
		}
		if msg.Role != RoleAssistant || !a.oneCall || len(msg.ToolCalls) < 2 {
			out = append(out, chatMessage(msg, msg.ToolCalls, a))
			continue
		}
		for n, c := range msg.ToolCalls {
			one := msg
			if n > 0 {
				one.Content = ""
			}
			out = append(out, chatMessage(one, []ToolCall{c}, a))
			for _, result := range messages[i+1:] {
				if result.Role != RoleTool {
					break
				}
				if result.ToolCallID == c.ID {
					out = append(out, chatMessage(result, nil, a))
				}
			}
		}
	}
	return out
}

// answersSplit reports whether the last message that is no result has several
// calls.
func answersSplit(before []Message) bool {
	for i := len(before) - 1; i >= 0; i-- {
		if before[i].Role != RoleTool {
			return len(before[i].ToolCalls) > 1
		}
	}
	return false
}

// chatMessage returns one message. Content is null, and not empty, beside tool
// calls, and a result is never empty: servers refuse both.
func chatMessage(msg Message, calls []ToolCall, a adaptation) map[string]any {
	out := map[string]any{"role": string(msg.Role), "content": msg.Content}
	switch {
	case msg.Role == RoleTool:
		out["content"] = cmp.Or(msg.Content, "{}")
		out["tool_call_id"] = msg.ToolCallID
	case msg.Content == "" && len(calls) > 0:
		out["content"] = nil
	}
	for name, value := range msg.Extra.Fields {
		if !a.drops(name) {
			out[name] = value
		}
	}
	var list []map[string]any
	for _, c := range calls {
		call := map[string]any{"id": c.ID, "type": "function", "function": map[string]any{"name": c.Name, "arguments": sentArguments(c)}}
		for name, value := range c.Extra {
			if !a.drops(name) {
				call[name] = value
			}
		}
		list = append(list, call)
	}
	if list != nil {
		out["tool_calls"] = list
	}
	return out
}

// sentArguments returns a call's arguments as they go back to the server. Some
// fail for good on a history with arguments that are not a JSON object.
func sentArguments(c ToolCall) string {
	if isObject(c.Arguments) {
		return c.Arguments
	}
	return "{}"
}

// addChatEvent takes one event of a chat completion stream.
func (a *assembly) addChatEvent(raw []byte) error {
	var c chunk
	if err := json.Unmarshal(raw, &c); err != nil {
		return err
	}
	return a.add(c)
}
