package preflight

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/devonartis/medassist-go/llm"
	"github.com/devonartis/medassist-go/tools"
)

// someResults are made up: long enough for an answer of several pieces.
const someResults = `{"patient_id":"P-1042","results":[
{"date":"2026-01-02","loinc":"2823-3","test":"Potassium","value":4.3,"unit":"mmol/L","reference_range":"3.5-5.1","flag":""},
{"date":"2026-01-02","loinc":"2345-7","test":"Glucose","value":162,"unit":"mg/dL","reference_range":"70-99","flag":"H"}]}`

// toolCall asks the model for something that no model can know by itself.
func (x *examination) toolCall(ctx context.Context) (State, string, string) {
	x.messages = []llm.Message{
		{Role: llm.RoleSystem, Content: "You look up medical data with the tools that you are given. The patient is P-1042."},
		{Role: llm.RoleUser, Content: "Show the lab results of patient P-1042."},
	}
	reply, err := x.Model.Complete(ctx, llm.Request{Messages: x.messages, Tools: offer()}, func(string) {})
	switch {
	case err != nil:
		x.messages = nil
		return Failed, modelWords(err), cmp.Or(modelHint(err), "Are LLM_BASE_URL, LLM_API_KEY and LLM_MODEL right? Without them the offline planner answers.")
	case len(reply.ToolCalls) == 0:
		x.messages = nil
		return Failed, x.Model.Name() + " answered without asking for a tool", "Choose a model that can call functions (LLM_MODEL), or present with the offline planner."
	}
	call := reply.ToolCalls[0]
	if _, err := tools.Parse(call.Name, call.Arguments); err != nil {
		x.messages = nil
		return Warning, fmt.Sprintf("%s asked for a tool wrongly: %v", x.Model.Name(), err), "A larger model does better. The page shows such calls as refused."
	}
	x.messages = append(x.messages, llm.Message{Role: llm.RoleAssistant, Content: reply.Content, ToolCalls: reply.ToolCalls})
	for _, c := range reply.ToolCalls {
		x.messages = append(x.messages, llm.Message{Role: llm.RoleTool, ToolCallID: c.ID, Content: someResults})
	}
	return OK, fmt.Sprintf("%s asked for %s", x.Model.Name(), call.Name), ""
}

// modelStreams has the model answer, and counts the pieces.
func (x *examination) modelStreams(ctx context.Context) (State, string, string) {
	if x.messages == nil {
		return Skipped, "there is no answer to look at", ""
	}
	pieces := 0
	_, err := x.Model.Complete(ctx, llm.Request{Messages: x.messages, Tools: offer()}, func(string) { pieces++ })
	switch {
	case err != nil:
		return Failed, modelWords(err), modelHint(err)
	case pieces < 2:
		return Warning, "the answer came in one piece", "The server, or a proxy before it, does not stream: the page shows the answer at its end."
	}
	return OK, fmt.Sprintf("the answer came in %d pieces", pieces), ""
}

// offer is what an encounter offers the model.
func offer() []llm.Tool {
	var out []llm.Tool
	for _, t := range tools.All() {
		out = append(out, llm.Tool{Name: t.Name, Description: t.Description, Parameters: t.Schema()})
	}
	return out
}

func modelWords(err error) string {
	var e *llm.Error
	if errors.As(err, &e) && e.Message != "" {
		return e.Message
	}
	return err.Error()
}

func modelHint(err error) string {
	var e *llm.Error
	if errors.As(err, &e) {
		return e.Hint
	}
	return ""
}
