package llm

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/sashabaranov/go-openai"
)

// responsesRequest returns a turn for the Responses API. The server stores
// nothing (the conversation is about a patient), so reasoning comes back
// encrypted and goes into the next turn with everything else.
func (m *client) responsesRequest(req Request, a adaptation) (openai.CreateResponseRequest, error) {
	input, err := responsesInput(req.Messages)
	out := openai.CreateResponseRequest{Model: m.cfg.Model, Input: input, Stream: true}
	if !a.drops("store") {
		out.Store = new(false)
	}
	if !a.drops("include") {
		out.Include = []openai.ResponseInclude{openai.ResponseIncludeReasoningEncryptedContent}
	}
	if t := m.cfg.Temperature; t != nil && !a.drops("temperature") {
		out.Temperature = t
	}
	if !a.drops("max_output_tokens") {
		out.MaxOutputTokens = m.cfg.MaxTokens
	}
	offered := a.tools(req)
	if len(offered) > len(req.Tools) {
		out.ToolChoice = toolChoiceNone
	}
	for _, t := range offered {
		// Without strict the API would hold the schema to rules of its own.
		out.Tools = append(out.Tools, openai.ResponseTool{Type: openai.ToolTypeFunction, Parameters: map[string]any{
			"name": t.Name, "description": t.Description, "parameters": t.Parameters, "strict": false}})
	}
	return out, err
}

// responsesInput returns the conversation as input items. A reply that the
// Responses API gave goes back item by item, as it came.
func responsesInput(messages []Message) ([]json.RawMessage, error) {
	var items []json.RawMessage
	add := func(item map[string]any) error {
		raw, err := json.Marshal(item)
		if err != nil {
			return fmt.Errorf("write the request: %w", err)
		}
		items = append(items, raw)
		return nil
	}
	for _, msg := range messages {
		switch {
		case msg.Role == RoleTool:
			if err := add(map[string]any{"type": "function_call_output", "call_id": msg.ToolCallID, "output": cmp.Or(msg.Content, "{}")}); err != nil {
				return nil, err
			}
			continue
		case len(msg.Extra.Items) > 0:
			items = append(items, msg.Extra.Items...)
		case msg.Content != "":
			if err := add(map[string]any{"role": string(msg.Role), "content": msg.Content}); err != nil {
				return nil, err
			}
		}
		for _, c := range msg.ToolCalls {
			if hasCall(msg.Extra.Items, c.ID) {
				continue
			}
			if err := add(map[string]any{"type": "function_call", "call_id": c.ID, "name": c.Name, "arguments": sentArguments(c)}); err != nil {
				return nil, err
			}
		}
	}
	return items, nil
}

// hasCall reports whether one of the items is the call with this ID.
func hasCall(items []json.RawMessage, id string) bool {
	return slices.ContainsFunc(items, func(raw json.RawMessage) bool {
		var item fields
		return json.Unmarshal(raw, &item) == nil && item.text("type") == "function_call" && item.text("call_id") == id
	})
}

// responseEvent is one event of a Responses API stream, or a response that was
// not streamed.
type responseEvent struct {
	Type     string          `json:"type"`
	Delta    json.RawMessage `json:"delta"`
	Item     json.RawMessage `json:"item"`
	Response *response       `json:"response"`
	response
}

type response struct {
	Status            string            `json:"status"`
	Output            []json.RawMessage `json:"output"`
	Usage             json.RawMessage   `json:"usage"`
	Error             json.RawMessage   `json:"error"`
	IncompleteDetails struct {
		Reason string `json:"reason"`
	} `json:"incomplete_details"`
}

// addResponseEvent takes one event of a Responses API stream. Calls are taken
// from complete items only.
func (a *assembly) addResponseEvent(raw []byte) error {
	if string(bytes.TrimSpace(raw)) == "[DONE]" {
		return nil
	}
	var e responseEvent
	if err := json.Unmarshal(raw, &e); err != nil {
		return err
	}
	switch e.Type {
	case "response.output_text.delta", "response.refusal.delta":
		return a.addText(stringOf(e.Delta))
	case "response.reasoning_summary_text.delta", "response.reasoning_text.delta":
		return a.addReasoning(stringOf(e.Delta))
	case "response.function_call_arguments.delta":
		return a.grow(len(stringOf(e.Delta)))
	case "response.output_item.done":
		return a.addItem(e.Item)
	case "response.completed", "response.incomplete", "response.failed":
		if e.Response == nil {
			return a.errorf("an event %q without a response", clip(e.Type))
		}
		return a.endResponse(*e.Response)
	case "":
		if e.Output == nil {
			return a.errorf("it is not an event of the Responses API")
		}
		for _, item := range e.Output {
			if err := a.addText(itemText(item)); err != nil {
				return err
			}
		}
		return a.endResponse(e.response)
	}
	return nil
}

// addItem takes a complete output item.
func (a *assembly) addItem(raw json.RawMessage) error {
	var item fields
	if err := json.Unmarshal(raw, &item); err != nil {
		return err
	}
	if err := a.grow(len(raw) / 4); err != nil { // encrypted reasoning is long, but not endless
		return err
	}
	a.extra.Items = append(a.extra.Items, raw)
	if item.text("type") != "function_call" {
		return nil
	}
	if len(a.calls) == maxReplyCalls {
		return tooMuch(a.who, fmt.Sprintf("a reply may ask for %d tools", maxReplyCalls))
	}
	arguments := item.text("arguments")
	if len(arguments) > maxReplyArgs {
		return tooMuch(a.who, fmt.Sprintf("the arguments of a tool call had no end: %d bytes are allowed", maxReplyArgs))
	}
	a.calls = append(a.calls, &ToolCall{ID: cmp.Or(item.text("call_id"), item.text("id")), Name: item.text("name"), Arguments: arguments})
	return nil
}

// itemText returns the text of a message item.
func itemText(raw json.RawMessage) string {
	var item fields
	if json.Unmarshal(raw, &item) != nil || item.text("type") != "message" {
		return ""
	}
	text := ""
	for _, part := range item.list("content") {
		text += part.text("text") + part.text("refusal")
	}
	return text
}

// endResponse takes the last event: how the response ended. Items that no event
// of their own announced are taken from it.
func (a *assembly) endResponse(r response) error {
	if u, ok := usageOf(r.Usage); ok {
		a.usage = u
	}
	if len(a.extra.Items) == 0 {
		for _, item := range r.Output {
			if err := a.addItem(item); err != nil {
				return err
			}
		}
	}
	a.done = true
	switch r.Status {
	case "completed", "":
		a.finish = "stop"
	case "incomplete":
		a.finish = cmp.Or(r.IncompleteDetails.Reason, "incomplete")
	default:
		a.finish = cmp.Or(r.Status, "failed")
		if !isNull(r.Error) {
			return a.failed(r.Error)
		}
	}
	return nil
}
