package llm

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/sashabaranov/go-openai"
)

// Bounds on one reply.
const (
	maxReplyText  = 256 << 10 // bytes of text
	maxReplyCalls = 32        // tool calls
	maxReplyArgs  = 64 << 10  // bytes of one call's arguments
)

// assembly puts a reply together from the pieces of a stream.
type assembly struct {
	who     string // in errors
	earlier int    // tool calls in the conversation before this reply

	text    strings.Builder
	calls   []*ToolCall
	byIndex map[int]*ToolCall
	finish  openai.FinishReason
	usage   Usage
}

// add takes one chunk and returns the text in it. Only the first of several
// choices counts. A chunk with the usage has none.
func (a *assembly) add(chunk openai.ChatCompletionStreamResponse) (string, error) {
	if u := chunk.Usage; u != nil {
		a.usage = Usage{u.PromptTokens, u.CompletionTokens}
	}
	var added strings.Builder
	for _, choice := range chunk.Choices {
		if choice.Index != 0 {
			continue
		}
		if choice.FinishReason != "" && choice.FinishReason != openai.FinishReasonNull {
			a.finish = choice.FinishReason
		}
		for _, piece := range choice.Delta.ToolCalls {
			if err := a.addCall(piece); err != nil {
				return "", err
			}
		}
		added.WriteString(choice.Delta.Content)
		added.WriteString(choice.Delta.Refusal)
	}
	if a.text.Len()+added.Len() > maxReplyText {
		return "", tooMuch(a.who, fmt.Sprintf("a reply may have %d bytes of text", maxReplyText))
	}
	a.text.WriteString(added.String())
	return added.String(), nil
}

func (a *assembly) addCall(piece openai.ToolCall) error {
	c := a.find(piece)
	if c == nil {
		if len(a.calls) == maxReplyCalls {
			return tooMuch(a.who, fmt.Sprintf("a reply may ask for %d tools", maxReplyCalls))
		}
		c = &ToolCall{}
		a.calls = append(a.calls, c)
	}
	if piece.Index != nil {
		if a.byIndex == nil {
			a.byIndex = map[int]*ToolCall{}
		}
		a.byIndex[*piece.Index] = c
	}
	if len(c.Arguments)+len(piece.Function.Arguments) > maxReplyArgs {
		return tooMuch(a.who, fmt.Sprintf("a tool call may have %d bytes of arguments", maxReplyArgs))
	}
	c.ID = cmp.Or(c.ID, piece.ID)
	c.Name = cmp.Or(c.Name, piece.Function.Name)
	c.Arguments += piece.Function.Arguments
	return nil
}

// find returns the call that a piece goes on with, nil if it begins one. The
// index says which, but some servers give every call the same one and an ID of
// its own, and some give none: then a piece with a name begins a call.
func (a *assembly) find(piece openai.ToolCall) *ToolCall {
	var c *ToolCall
	switch {
	case piece.Index != nil:
		c = a.byIndex[*piece.Index]
	case piece.Function.Name == "" && len(a.calls) > 0:
		c = a.calls[len(a.calls)-1]
	}
	if c != nil && c.ID != "" && piece.ID != "" && c.ID != piece.ID {
		return nil
	}
	return c
}

// reply is the whole turn, or what is missing from it.
func (a *assembly) reply() (Reply, error) {
	switch {
	case a.finish == "" && a.text.Len() == 0 && len(a.calls) == 0:
		return Reply{}, &Error{Kind: KindProtocol, Message: a.who + " sent an empty reply", Hint: "try again, or use another model"}
	case a.finish == "":
		return Reply{}, brokenOff(a.who)
	case a.text.Len() == 0 && len(a.calls) == 0:
		return Reply{}, &Error{Kind: KindProtocol, Hint: "try again, or use another model",
			Message: fmt.Sprintf("%s ended its reply (%.40q) without a word or a tool call", a.who, string(a.finish))}
	}
	r := Reply{Content: a.text.String(), FinishReason: string(a.finish), Usage: a.usage}
	used := map[string]bool{}
	for i, c := range a.calls {
		if c.Name == "" {
			return Reply{}, unreadable(a.who, "it asks for a tool without naming it")
		}
		if c.ID == "" || used[c.ID] {
			c.ID = fmt.Sprintf("call_%d", a.earlier+i+1)
		}
		used[c.ID] = true
		c.Arguments = cmp.Or(c.Arguments, "{}")
		r.ToolCalls = append(r.ToolCalls, *c)
	}
	return r, nil
}
