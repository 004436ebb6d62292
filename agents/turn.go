package agents

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/devonartis/medassist-go/internal/text"
	"github.com/devonartis/medassist-go/llm"
	"github.com/devonartis/medassist-go/tools"
	"github.com/devonartis/medassist-go/trace"
)

// Bounds, in bytes, of what a step shows of a call as the model wrote it.
const (
	maxShownName = 100
	maxShownArgs = 2000
)

// ask sends a turn to the model. It returns a reply whose tool calls are within
// the limits and have IDs that are unique within the run.
func (e *encounter) ask(ctx context.Context, turn int) (llm.Reply, error) {
	e.pace.wait(ctx, "ask the model", false)
	var names []string
	for _, t := range tools.All() {
		names = append(names, t.Name)
	}
	e.rec.add(ctx, trace.StatusInfo, fmt.Sprintf("Prompt sent to %s (turn %d)", modelName(e.Model), turn),
		trace.LLMStart{Model: e.Model.Name(), Mode: string(e.Model.Mode()), Turn: turn, Tools: names})

	limited, cancel := context.WithTimeout(ctx, e.Limits.ModelCall)
	defer cancel()
	deltas := newStream(func(text string) {
		e.rec.add(ctx, trace.StatusInfo, "Model is replying", trace.LLMDelta{Turn: turn, Text: text})
	})
	defer deltas.close() // also when the model panics: no piece may follow the end of the turn
	done := e.rec.span(trace.LaneModel, "complete")
	reply, err := e.Model.Complete(limited, llm.Request{Messages: e.messages, Tools: Offer()}, deltas.write)
	span := done()
	deltas.close()
	if err != nil {
		return llm.Reply{}, modelFailure(err)
	}
	if n := len(reply.ToolCalls); n > e.Limits.CallsPerTurn || n+len(e.calls) > e.Limits.Calls {
		return llm.Reply{}, &failure{stage: "limit", message: fmt.Sprintf(
			"The model requested %d tool calls in one turn, after %d earlier ones. The limits are %d in a turn and %d in a run, so none of them was made.",
			n, len(e.calls), e.Limits.CallsPerTurn, e.Limits.Calls)}
	}
	e.nameCalls(turn, reply.ToolCalls)
	e.messages = append(e.messages, llm.Message{Role: llm.RoleAssistant, Content: reply.Content, ToolCalls: reply.ToolCalls})
	e.logReply(ctx, turn, reply, span)
	return reply, nil
}

// nameCalls assigns an ID to each call that has none, or one that the model has
// already used.
func (e *encounter) nameCalls(turn int, calls []llm.ToolCall) {
	for i := range calls {
		id := calls[i].ID
		for n := i + 1; id == "" || len(id) > 64 || e.calls[id]; n++ {
			id = fmt.Sprintf("call_%d_%d", turn, n)
		}
		calls[i].ID = id
		e.calls[calls[i].ID] = true
	}
}

func (e *encounter) logReply(ctx context.Context, turn int, reply llm.Reply, span trace.Span) {
	step := trace.LLMResponse{Turn: turn, Content: reply.Content, FinishReason: reply.FinishReason,
		PromptTokens: reply.Usage.PromptTokens, CompletionTokens: reply.Usage.CompletionTokens,
		Final: len(reply.ToolCalls) == 0, StandIn: reply.StandIn}
	for _, c := range reply.ToolCalls {
		step.ToolCalls = append(step.ToolCalls, trace.LLMCall{CallID: c.ID, Tool: text.Clip(c.Name, maxShownName), Args: text.Clip(c.Arguments, maxShownArgs)})
	}
	status, label := trace.StatusInfo, fmt.Sprintf("Model requests %d tool calls", len(reply.ToolCalls))
	switch {
	case step.Final && reply.FinishReason != "stop":
		status, label = trace.StatusWarning, fmt.Sprintf("Model's reply was cut off (%s)", text.Clip(reply.FinishReason, 40))
	case step.Final:
		status, label = trace.StatusSuccess, "Model replies"
	case len(reply.ToolCalls) == 1:
		label = "Model requests " + text.Clip(reply.ToolCalls[0].Name, maxShownName)
	}
	if step.StandIn != "" {
		status, label = trace.StatusWarning, label+" (not in the recording; answered by the "+step.StandIn+")"
	}
	e.rec.add(ctx, status, label, step, span)
}

func modelFailure(err error) error {
	var me *llm.Error
	if !errors.As(err, &me) {
		return fmt.Errorf("model: %w", err)
	}
	return &failure{stage: "model", message: "The model failed: " + cmp.Or(me.Message, "no reason was given") + ".", hint: me.Hint}
}

// modelName names the model in a sentence.
func modelName(m llm.Model) string {
	if m.Mode() == llm.ModeOffline {
		return "the offline planner"
	}
	return m.Name()
}
