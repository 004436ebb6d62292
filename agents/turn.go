package agents

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/devonartis/medassist-go/llm"
	"github.com/devonartis/medassist-go/tools"
	"github.com/devonartis/medassist-go/trace"
)

// maxShownArgs is how much of a call's arguments, as the model wrote them, a
// step shows. Bytes.
const maxShownArgs = 2000

// ask puts a turn to the model. Its tool calls come back within the limits and
// with IDs that are this run's alone.
func (e *encounter) ask(ctx context.Context, turn int) (llm.Reply, error) {
	e.pace.wait(ctx, "ask the model", false)
	var names []string
	for _, t := range tools.All() {
		names = append(names, t.Name)
	}
	e.rec.add(ctx, trace.StatusInfo, fmt.Sprintf("Turn %d: %s is asked", turn, e.Model.Name()),
		trace.LLMStart{Model: e.Model.Name(), Mode: string(e.Model.Mode()), Turn: turn, Tools: names})

	limited, cancel := context.WithTimeout(ctx, e.Limits.ModelCall)
	defer cancel()
	words := newStream(func(text string) {
		e.rec.add(ctx, trace.StatusInfo, "The model writes", trace.LLMDelta{Turn: turn, Text: text})
	})
	defer words.close() // also when the model panics: its timer must not outlive the turn
	done := e.rec.span(trace.LaneModel, "complete")
	reply, err := e.Model.Complete(limited, llm.Request{Messages: e.messages, Tools: Offer()}, words.write)
	span := done()
	words.close()
	if err != nil {
		return llm.Reply{}, modelFailure(err)
	}
	if n := len(reply.ToolCalls); n > e.Limits.CallsPerTurn || n+len(e.calls) > e.Limits.Calls {
		return llm.Reply{}, &failure{stage: "limit", message: fmt.Sprintf(
			"The model asked for %d tool calls at once, after %d before: a turn may have %d, a run %d. None of them was made.",
			n, len(e.calls), e.Limits.CallsPerTurn, e.Limits.Calls)}
	}
	e.nameCalls(turn, reply.ToolCalls)
	e.messages = append(e.messages, llm.Message{Role: llm.RoleAssistant, Content: reply.Content, ToolCalls: reply.ToolCalls})
	e.logReply(ctx, turn, reply, span)
	return reply, nil
}

// nameCalls gives the calls IDs of their own where the model gave none, or one
// that it had used.
func (e *encounter) nameCalls(turn int, calls []llm.ToolCall) {
	for i := range calls {
		if id := calls[i].ID; id == "" || len(id) > 64 || e.calls[id] {
			calls[i].ID = fmt.Sprintf("call_%d_%d", turn, i+1)
		}
		e.calls[calls[i].ID] = true
	}
}

func (e *encounter) logReply(ctx context.Context, turn int, reply llm.Reply, span trace.Span) {
	step := trace.LLMResponse{Turn: turn, Content: reply.Content, FinishReason: reply.FinishReason,
		PromptTokens: reply.Usage.PromptTokens, CompletionTokens: reply.Usage.CompletionTokens,
		Final: len(reply.ToolCalls) == 0, StandIn: reply.StandIn}
	for _, c := range reply.ToolCalls {
		step.ToolCalls = append(step.ToolCalls, trace.LLMCall{CallID: c.ID, Tool: clip(c.Name, 100), Args: clip(c.Arguments, maxShownArgs)})
	}
	status, label := trace.StatusInfo, fmt.Sprintf("The model asks for %d tools", len(reply.ToolCalls))
	switch {
	case step.Final && reply.FinishReason != "stop":
		status, label = trace.StatusWarning, fmt.Sprintf("The model's answer is cut off (%s)", clip(reply.FinishReason, 40))
	case step.Final:
		status, label = trace.StatusSuccess, "The model answers"
	case len(reply.ToolCalls) == 1:
		label = "The model asks for " + clip(reply.ToolCalls[0].Name, 100)
	}
	if step.StandIn != "" {
		status, label = trace.StatusWarning, label+"; not in the recording, so it was the "+step.StandIn
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

// clip shortens text to at most n bytes, and makes it valid UTF-8.
func clip(s string, n int) string {
	if len(s) <= n {
		return strings.ToValidUTF8(s, "\uFFFD")
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return strings.ToValidUTF8(s[:n], "\uFFFD") + "…"
}
