package planner

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"github.com/sashabaranov/go-openai"
)

// A conversation is the parsed messages of a request.
type conversation struct {
	patient string          // the run's patient
	request string          // the user's last message
	offered map[string]bool // tools
	calls   []call          // since the user's last message, in order
	count   int             // of all calls, for new IDs
}

// A call is a tool call that was made, with its result.
type call struct {
	tool, patient, drug string
	notes               string // of a note

	done   bool
	text   string // the result as text
	result any    // the result as JSON; nil if it is not JSON
}

// object returns the result, if it is an object.
func (c call) object() object {
	o, _ := c.result.(object)
	return o
}

// A failure is the result of a call that was denied or could not be made: an object
// with an error.
func (c call) failure() (object, bool) {
	o := c.object()
	return o, o.str("error") != ""
}

func (c call) succeeded() bool {
	_, failed := c.failure()
	return c.done && !failed
}

// notFound reports whether the patient does not exist.
func (c call) notFound() bool {
	o, failed := c.failure()
	return failed && strings.HasPrefix(o.str("error"), "no such patient")
}

// refused reports whether the call was denied for lack of authority.
func (c call) refused() bool {
	o, failed := c.failure()
	return failed && o.str("refused_by") != ""
}

// The run's patient, as the system prompt names it: "Patient ID: P-1042."
var promptPatient = regexp.MustCompile("(?i)\\bpatient[ _]id(?: is)?[\\s:=]+[\"'`(]?([a-z0-9._-]*[a-z0-9])")

func readConversation(req openai.ChatCompletionRequest) conversation {
	c := conversation{offered: map[string]bool{}}
	for _, t := range req.Tools {
		if t.Function != nil && req.ToolChoice != "none" {
			c.offered[t.Function.Name] = true
		}
	}
	byID := map[string]int{}
	for _, m := range req.Messages {
		switch m.Role {
		case openai.ChatMessageRoleSystem, openai.ChatMessageRoleDeveloper:
			if found := promptPatient.FindStringSubmatch(textOf(m)); found != nil {
				c.patient = found[1]
			}
		case openai.ChatMessageRoleUser:
			c.request, c.calls = strings.ToValidUTF8(textOf(m), "�"), nil
			clear(byID)
		case openai.ChatMessageRoleAssistant:
			for _, asked := range m.ToolCalls {
				byID[asked.ID] = len(c.calls)
				c.calls = append(c.calls, readCall(asked))
				c.count++
			}
		case openai.ChatMessageRoleTool:
			if i, ok := byID[m.ToolCallID]; ok {
				c.calls[i].setResult(textOf(m))
			}
		}
	}
	return c
}

// textOf returns a message's text, which may consist of parts.
func textOf(m openai.ChatCompletionMessage) string {
	if len(m.MultiContent) == 0 {
		return m.Content
	}
	var parts []string
	for _, p := range m.MultiContent {
		parts = append(parts, p.Text)
	}
	return strings.Join(parts, "\n")
}

func readCall(asked openai.ToolCall) call {
	v, _ := parseJSON(asked.Function.Arguments) // invalid JSON means no arguments
	args, _ := v.(object)
	return call{tool: asked.Function.Name, patient: args.str("patient_id"), drug: cmp.Or(args.str("proposed_drug"), args.str("drug")), notes: args.str("notes")}
}

func (c *call) setResult(text string) {
	c.done, c.text = true, text
	c.result, _ = parseJSON(text) // nil if the text is not JSON
}

// find returns a call, if it was made. A drug tells checks and prescriptions apart.
func (c conversation) find(tool, patient, drug string) (call, bool) {
	return findFirst(c.calls, func(have call) bool {
		return have.tool == tool && have.patient == patient && strings.EqualFold(have.drug, drug)
	})
}

// unknown reports whether a tool reported that the patient does not exist.
func (c conversation) unknown(patient string) bool {
	return slices.ContainsFunc(c.calls, func(have call) bool {
		return have.patient == patient && have.notFound()
	})
}

// findNote returns the call that wrote a note. A note without a text is the one that
// the request does not give a text for.
func (c conversation) findNote(t task) (call, bool) {
	return findFirst(c.calls, func(have call) bool {
		return have.tool == toolNote && have.patient == t.patient && (t.text == "" || have.notes == t.text)
	})
}

// findFirst returns the first item of a list that matches, if any does.
func findFirst[T any](list []T, matches func(T) bool) (T, bool) {
	if i := slices.IndexFunc(list, matches); i >= 0 {
		return list[i], true
	}
	var none T
	return none, false
}
