package preflight

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/devonartis/medassist-go/agents"
	"github.com/devonartis/medassist-go/llm"
	"github.com/devonartis/medassist-go/tools"
)

// someResults is an invented tool result, long enough that the answer to it
// takes several pieces.
const someResults = `{"patient_id":"P-1042","results":[
{"date":"2026-01-02","loinc":"2823-3","test":"Potassium","value":4.3,"unit":"mmol/L","reference_range":"3.5-5.1","flag":""},
{"date":"2026-01-02","loinc":"2345-7","test":"Glucose","value":162,"unit":"mg/dL","reference_range":"70-99","flag":"H"}]}`

// toolCall asks the model for a fact that only a tool can supply.
func (x *examination) toolCall(ctx context.Context) Result {
	messages := []llm.Message{
		{Role: llm.RoleSystem, Content: "You look up medical data with the tools that you are given. The patient is P-1042."},
		{Role: llm.RoleUser, Content: "Show the lab results of patient P-1042."},
	}
	reply, err := x.Model.Complete(ctx, llm.Request{Messages: messages, Tools: agents.Offer()}, func(string) {})
	switch {
	case err != nil:
		found, do := describeModel(err)
		return failed(found, cmp.Or(do, "Check LLM_BASE_URL, LLM_API_KEY and LLM_MODEL. Without them the offline planner answers."))
	case len(reply.ToolCalls) == 0:
		return failed(x.Model.Name()+" answered without calling a tool", "Choose a model that can call tools (LLM_MODEL), or present with the offline planner.")
	}
	call := reply.ToolCalls[0]
	if _, err := tools.Parse(call.Name, call.Arguments); err != nil {
		return warning(fmt.Sprintf("%s made an invalid tool call: %v", x.Model.Name(), err), "A larger model does better. The page shows such calls as refused.")
	}
	messages = append(messages, llm.Message{Role: llm.RoleAssistant, Content: reply.Content, ToolCalls: reply.ToolCalls})
	for _, c := range reply.ToolCalls {
		messages = append(messages, llm.Message{Role: llm.RoleTool, ToolCallID: c.ID, Content: someResults})
	}
	x.messages = messages
	return passed(fmt.Sprintf("%s called %s", x.Model.Name(), call.Name))
}

// modelStreams has the model answer, and counts the pieces of the answer.
func (x *examination) modelStreams(ctx context.Context) Result {
	if x.messages == nil {
		return skipped("there is no tool call to answer", "")
	}
	pieces := 0
	_, err := x.Model.Complete(ctx, llm.Request{Messages: x.messages, Tools: agents.Offer()}, func(string) { pieces++ })
	switch {
	case err != nil:
		return failed(describeModel(err))
	case pieces < 2:
		return warning("the answer arrived in one piece", "The server, or a proxy in front of it, does not stream: the page shows the answer only once it is complete.")
	}
	return passed(fmt.Sprintf("the answer arrived in %d pieces", pieces))
}

// describeModel returns a model's error for people, and what to do about it.
func describeModel(err error) (found, do string) {
	var e *llm.Error
	if errors.As(err, &e) {
		return cmp.Or(e.Message, err.Error()), e.Hint
	}
	return err.Error(), ""
}
