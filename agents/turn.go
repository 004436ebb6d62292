package agents

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/devonartis/medassist-go/internal/text"
	"github.com/devonartis/medassist-go/llm"
	"github.com/devonartis/medassist-go/trace"
)

// Bounds, in bytes, of what a step shows of a call as the model wrote it.
const (
	maxShownName = 100
	maxShownArgs = 2000
)

// ask sends a turn to the model. It returns a reply whose tool calls are within
// the limits and have IDs that are unique within the run. The last turn offers
// no tools, so that the model answers with what it has. If again is true, the
// reply is not the answer, and the model must be asked once more.
func (e *encounter) ask(ctx context.Context, turn int) (reply llm.Reply, again bool, err error) {
	e.pace.wait(ctx, "ask the model", false)
	offer := Offer()
	if turn == e.Limits.Turns {
		offer = nil
	}
	names := []string{}
	for _, t := range offer {
		names = append(names, t.Name)
	}
	e.rec.add(ctx, trace.StatusInfo, fmt.Sprintf("Prompt sent to %s (turn %d)", modelName(e.Model), turn),
		trace.LLMStart{Model: e.Model.Name(), Mode: string(e.Model.Mode()), Turn: turn, Tools: names,
			Request: e.req.Text, BaseURL: e.ModelURL})

	limited, cancel := context.WithTimeout(ctx, e.Limits.ModelCall)
	defer cancel()
	deltas := newStream(func(text string) {
		e.rec.add(ctx, trace.StatusInfo, "Model is replying", trace.LLMDelta{Turn: turn, Text: text})
	})
	defer deltas.close() // also when the model panics: no piece may follow the end of the turn
	done := e.rec.span(trace.LaneModel, "complete")
	request := llm.Request{Messages: e.messages, Tools: offer, OnWait: func(w llm.Wait) { e.showWait(ctx, turn, w) }}
	reply, err = e.Model.Complete(limited, request, deltas.write)
	span := done()
	deltas.close()
	if err != nil {
		return llm.Reply{}, false, err
	}
	switch n := len(reply.ToolCalls); {
	case n > 0 && offer == nil:
		return llm.Reply{}, false, &failure{stage: "limit", hint: "Try a narrower request.",
			message: fmt.Sprintf("The model still requested tools after %d turns.", e.Limits.Turns)}
	case n > e.Limits.CallsPerTurn || n+len(e.calls) > e.Limits.Calls:
		return llm.Reply{}, false, &failure{stage: "limit", message: fmt.Sprintf(
			"The model requested %d tool calls in one turn, after %d earlier ones. The limits are %d in a turn and %d in a run, so none of them was made.",
			n, len(e.calls), e.Limits.CallsPerTurn, e.Limits.Calls)}
	}
	e.messages = append(e.messages, reply.Message())
	reply.ToolCalls = slices.Clone(reply.ToolCalls) // the conversation keeps the model's IDs
	e.nameCalls(turn, reply.ToolCalls)
	again = e.nudges(reply, turn)
	e.logReply(ctx, turn, reply, again, span)
	return reply, again, nil
}

// nameCalls assigns an ID, for the trace, to each call that has none, a long one,
// or one that the model has already used.
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

// logReply records the reply; again tells that the model will be asked again.
func (e *encounter) logReply(ctx context.Context, turn int, reply llm.Reply, again bool, span trace.Span) {
	step := trace.LLMResponse{Turn: turn, Content: reply.Content, FinishReason: reply.FinishReason,
		PromptTokens: reply.Usage.PromptTokens, CompletionTokens: reply.Usage.CompletionTokens,
		Final: len(reply.ToolCalls) == 0 && !again, StandIn: reply.StandIn, Warning: reply.Warning}
	switch repeated := e.repeats(reply.ToolCalls); {
	case step.Final && e.unread(reply):
		step.Warning = "No tool was called: this answer is not based on the record."
	case len(repeated) > 0 && step.Warning == "":
		step.Warning = "Already called with the same arguments, so not called again: " + strings.Join(repeated, ", ") + "."
	}
	for _, c := range reply.ToolCalls {
		step.ToolCalls = append(step.ToolCalls, trace.LLMCall{CallID: c.ID, Tool: text.Clip(c.Name, maxShownName), Args: text.Clip(c.Arguments, maxShownArgs)})
	}
	status, label := trace.StatusInfo, fmt.Sprintf("Model requests %d tool calls", len(reply.ToolCalls))
	switch {
	case again:
		status, label = trace.StatusWarning, "Model replies without having called a tool; asking again"
	case step.Final && reply.FinishReason != "stop":
		status, label = trace.StatusWarning, fmt.Sprintf("Model's reply was cut off (%s)", text.Clip(reply.FinishReason, 40))
	case step.Final && step.Warning != "":
		label = "Model replies. " + step.Warning
	case step.Final:
		status, label = trace.StatusSuccess, "Model replies"
	case len(reply.ToolCalls) == 1:
		label = "Model requests " + text.Clip(reply.ToolCalls[0].Name, maxShownName)
	}
	if step.Warning != "" {
		status = trace.StatusWarning
	}
	if step.StandIn != "" {
		status, label = trace.StatusWarning, label+" (not in the recording; answered by the "+step.StandIn+")"
	}
	e.rec.add(ctx, status, label, step, span)
}

// showWait records that the model will be asked again after a wait.
func (e *encounter) showWait(ctx context.Context, turn int, w llm.Wait) {
	e.rec.add(ctx, trace.StatusWarning, fmt.Sprintf("Model not available: waiting %s before asking again (%s at most)", w.For.Round(100*time.Millisecond), w.Limit),
		trace.LLMWait{Turn: turn, Reason: w.Reason, WaitMS: w.For.Milliseconds(), LimitMS: w.Limit.Milliseconds()})
}

// modelFailure returns the failure that ends a run because of its model.
func modelFailure(err error) error {
	var f *failure
	if errors.As(err, &f) {
		return f
	}
	var me *llm.Error
	if !errors.As(err, &me) {
		return fmt.Errorf("model: %w", err)
	}
	return &failure{stage: "model", message: "The model failed: " + cmp.Or(me.Message, "no reason was given") + ".", hint: text.Capitalize(me.Hint)}
}

// modelName names the model in a sentence.
func modelName(m llm.Model) string {
	if m.Mode() == llm.ModeOffline {
		return "the offline planner"
	}
	return m.Name()
}
