package llm

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/sashabaranov/go-openai"
)

// conversation is what the planner understands of the messages.
type conversation struct {
	patient string          // whom the run is about
	request string          // the user's words
	offered map[string]bool // tools
	calls   []pastCall      // in order
}

// pastCall is a call that was made, and what came of it.
type pastCall struct {
	tool, patient, drug string
	result              string
	answer              map[string]any // the result, if it is a JSON object
	done                bool
}

// failed reports whether the call was refused or could not be made.
func (c pastCall) failed() bool {
	_, bad := c.answer["error"]
	return bad || c.answer == nil
}

// planned is the planner's turn.
type planned struct {
	Content   string
	ToolCalls []openai.ToolCall
}

func (p planned) finish() openai.FinishReason {
	if len(p.ToolCalls) > 0 {
		return openai.FinishReasonToolCalls
	}
	return openai.FinishReasonStop
}

var (
	// The run's patient, as a system prompt names it.
	promptPatient = regexp.MustCompile("(?i)patient id(?: is)?[\\s:=]+[\"'`(]?([A-Za-z0-9._-]{1,32})")
	// An ID in free text.
	freeID = regexp.MustCompile(`(?i)\bP-[0-9]{1,8}\b`)
)

func readConversation(req openai.ChatCompletionRequest) conversation {
	c := conversation{offered: map[string]bool{}}
	for _, t := range req.Tools {
		if t.Function != nil {
			c.offered[t.Function.Name] = true
		}
	}
	byID := map[string]int{}
	for _, m := range req.Messages {
		switch m.Role {
		case openai.ChatMessageRoleSystem, openai.ChatMessageRoleDeveloper:
			if found := promptPatient.FindStringSubmatch(m.Content); found != nil && c.patient == "" {
				c.patient = strings.TrimRight(found[1], ".")
			}
		case openai.ChatMessageRoleUser:
			c.request = m.Content
		case openai.ChatMessageRoleAssistant:
			for _, call := range m.ToolCalls {
				byID[call.ID] = len(c.calls)
				c.calls = append(c.calls, readCall(call))
			}
		case openai.ChatMessageRoleTool:
			if i, ok := byID[m.ToolCallID]; ok {
				c.calls[i].setResult(m.Content)
			}
		}
	}
	if c.patient == "" {
		c.patient = freeID.FindString(c.request)
	}
	return c
}

func readCall(call openai.ToolCall) pastCall {
	p := pastCall{tool: call.Function.Name}
	var args map[string]any
	if json.Unmarshal([]byte(call.Function.Arguments), &args) == nil {
		p.patient, _ = args["patient_id"].(string)
		p.drug, _ = args["drug"].(string)
	}
	return p
}

func (p *pastCall) setResult(content string) {
	p.done, p.result = true, content
	if json.Unmarshal([]byte(content), &p.answer) != nil {
		p.answer = nil
	}
}

// find returns the call of a tool for a patient, and for a drug if one is given.
func (c conversation) find(tool, patient, drug string) (pastCall, bool) {
	for _, call := range c.calls {
		if call.tool == tool && strings.EqualFold(call.patient, patient) && (drug == "" || strings.EqualFold(call.drug, drug)) {
			return call, true
		}
	}
	return pastCall{}, false
}

// ask writes a tool call; its ID says which one of the conversation it is.
func (c conversation) ask(n int, t task) openai.ToolCall {
	args, err := json.Marshal(t.args())
	if err != nil {
		args = []byte("{}")
	}
	return openai.ToolCall{ID: fmt.Sprintf("call_%d", len(c.calls)+n+1), Type: openai.ToolTypeFunction,
		Function: openai.FunctionCall{Name: t.tool, Arguments: string(args)}}
}
