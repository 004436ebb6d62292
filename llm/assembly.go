package llm

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Bounds on one reply.
const (
	maxReplyText  = 256 << 10 // bytes of text, reasoning included
	maxReplyCalls = 32        // tool calls
	maxReplyArgs  = 64 << 10  // bytes of one call's arguments
)

// returnedFields are the fields of a reply's message that are sent back in the
// next turn. DeepSeek and Gemini refuse a turn without them.
var returnedFields = []string{"reasoning_content", "reasoning", "reasoning_details", "extra_content"}

// assembly builds a reply from the pieces of a stream.
type assembly struct {
	who     string // names the server in errors
	vendor  Vendor
	failed  func(body []byte) *Error // returns the error that a server reports
	earlier int                      // tool calls in the conversation before this reply
	offered map[string]bool          // names of the tools on offer
	text    textFilter

	calls     []*ToolCall
	byIndex   map[int]*ToolCall
	reasoning strings.Builder
	size      int // bytes of text and reasoning
	finish    string
	done      bool // the stream said that it is complete
	usage     Usage
	extra     Extra
}

func newAssembly(t *transport, req Request, emit func(string)) *assembly {
	a := &assembly{who: t.who, vendor: t.vendor, failed: t.failed, offered: map[string]bool{}, byIndex: map[int]*ToolCall{}}
	for _, t := range req.Tools {
		a.offered[t.Name] = true
	}
	for _, m := range req.Messages {
		a.earlier += len(m.ToolCalls)
	}
	a.text = textFilter{emit: emit, calls: len(req.Tools) > 0}
	return a
}

// empty reports whether nothing of the reply has arrived.
func (a *assembly) empty() bool {
	return a.size == 0 && len(a.calls) == 0 && a.finish == "" && len(a.extra.Items) == 0
}

// add takes one event of a chat completion stream. Only the first of several
// choices counts: one was asked for, and some servers count up its index.
func (a *assembly) add(c chunk) error {
	if u, ok := usageOf(c.Usage); ok {
		a.usage = u
	}
	if len(c.Choices) == 0 {
		return nil
	}
	choice := c.Choices[0]
	a.finish = cmp.Or(stringOf(choice.FinishReason), a.finish)
	delta := choice.Delta
	if len(delta) == 0 {
		delta = choice.Message
	}
	for _, f := range delta.list("tool_calls") {
		if err := a.addCall(pieceOf(f)); err != nil {
			return err
		}
	}
	if f := delta.object("function_call"); f != nil { // from before tool_calls
		if err := a.addCall(pieceOf(fields{"index": json.RawMessage("0"), "function": delta["function_call"]})); err != nil {
			return err
		}
	}
	a.keep(delta)
	text, thought := delta.content()
	if err := a.addReasoning(cmp.Or(thought, delta.text("reasoning_content"), delta.text("reasoning"))); err != nil {
		return err
	}
	return a.addText(text + delta.text("refusal"))
}

// keep collects the fields that must go back: strings and lists grow with each
// piece, of anything else the last one counts.
func (a *assembly) keep(delta fields) {
	for _, name := range returnedFields {
		raw := delta[name]
		if isNull(raw) {
			continue
		}
		if a.extra.Fields == nil {
			a.extra.Fields = map[string]json.RawMessage{}
		}
		a.extra.Fields[name] = joined(a.extra.Fields[name], raw)
	}
}

func joined(old, more json.RawMessage) json.RawMessage {
	var a, b string
	if json.Unmarshal(old, &a) == nil && json.Unmarshal(more, &b) == nil {
		if both, err := json.Marshal(a + b); err == nil {
			return both
		}
	}
	var c, d []json.RawMessage
	if json.Unmarshal(old, &c) == nil && json.Unmarshal(more, &d) == nil {
		if both, err := json.Marshal(append(c, d...)); err == nil {
			return both
		}
	}
	return more
}

func (a *assembly) addText(text string) error {
	if err := a.grow(len(text)); err != nil {
		return err
	}
	a.text.write(text)
	return nil
}

func (a *assembly) addReasoning(text string) error {
	a.reasoning.WriteString(text)
	return a.grow(len(text))
}

func (a *assembly) grow(n int) error {
	if a.size += n; a.size > maxReplyText {
		return tooMuch(a.who, fmt.Sprintf("a reply may have %d bytes of text", maxReplyText))
	}
	return nil
}

func (a *assembly) addCall(p piece) error {
	c := a.find(p)
	if c == nil {
		if len(a.calls) == maxReplyCalls {
			return tooMuch(a.who, fmt.Sprintf("a reply may ask for %d tools", maxReplyCalls))
		}
		c = &ToolCall{}
		a.calls = append(a.calls, c)
	}
	if p.indexed {
		a.byIndex[p.index] = c
	}
	if len(c.Arguments)+len(p.arguments) > maxReplyArgs {
		return tooMuch(a.who, fmt.Sprintf("the arguments of a tool call had no end: %d bytes are allowed; a larger model does better", maxReplyArgs))
	}
	c.ID = cmp.Or(c.ID, p.id)
	switch {
	case c.Name == "", c.Arguments == "" && strings.HasPrefix(p.name, c.Name): // whole, or longer with each piece
		c.Name = cmp.Or(p.name, c.Name)
	case p.name != "" && c.Arguments == "" && !a.offered[toolName(c.Name, a.offered)]: // in pieces
		c.Name += p.name
	}
	c.Arguments += p.arguments
	for name, value := range p.extra {
		if c.Extra == nil {
			c.Extra = map[string]json.RawMessage{}
		}
		c.Extra[name] = value
	}
	return nil
}

// find returns the call that a piece continues, or nil if it begins a new one.
// By the protocol the index tells. But some servers give every call the same
// index, or none, or count pieces; some repeat name and ID in each piece, some
// change the ID. What is safe to say: a new call has a name, and the call
// before it has complete arguments.
func (a *assembly) find(p piece) *ToolCall {
	if len(a.calls) == 0 {
		return nil
	}
	last := a.calls[len(a.calls)-1]
	byIndex := a.byIndex[p.index]
	if !p.indexed {
		byIndex = nil
	}
	byID := a.byID(p.id)
	switch {
	case byIndex != nil:
		if a.begins(byIndex, p) {
			return nil
		}
		return byIndex
	case p.name == "" && byID != nil:
		return byID
	case p.name == "" && p.indexed && p.id != "" && (p.arguments == "" || isObject(last.Arguments)): // its name follows
		return nil
	case p.name == "":
		return last
	case byID != nil && byID.Name == p.name && !isObject(byID.Arguments): // repeated in each piece
		return byID
	case last.Name != p.name || isObject(last.Arguments):
		return nil
	case p.id == "", !p.indexed && last.Arguments != "":
		return last
	}
	return nil
}

// begins reports whether a piece under the index of call c begins another one.
func (a *assembly) begins(c *ToolCall, p piece) bool {
	otherID := p.id != "" && c.ID != "" && p.id != c.ID
	switch {
	case p.name == "" || c.Name == "":
		return false
	case p.name != c.Name && isObject(c.Arguments):
		return true
	case p.name != c.Name:
		return otherID
	}
	// The same name again: repeated in each piece, or called twice.
	return isObject(c.Arguments) && p.arguments != "" && (otherID || strings.HasPrefix(strings.TrimSpace(p.arguments), "{"))
}

func (a *assembly) byID(id string) *ToolCall {
	for _, c := range a.calls {
		if id != "" && c.ID == id {
			return c
		}
	}
	return nil
}

// reply returns the complete turn, or the error that says why there is none.
func (a *assembly) reply() (Reply, error) {
	r := Reply{Usage: a.usage, Extra: a.extra}
	class := classOf(a.finish)
	if a.finish == "" && a.done {
		class = finishDone
	}
	r.FinishReason = cmp.Or(finishWord(class, a.finish), "stop")
	text, thought, held := a.text.end()
	r.Content, r.Reasoning = text, a.reasoning.String()+thought
	if err := a.refuse(class, r, held); err != nil {
		return Reply{}, err
	}
	if held != "" && len(a.calls) == 0 {
		calls, ok := callsInText(held, a.offered)
		switch {
		case ok:
			a.calls = calls
			r.Warning = "The model wrote its tool calls as text, because the server does not parse them. " + advice(a.vendor, problemToolParser)
		case !isMarkup(held): // an answer that merely begins like a call
			r.Content += held
			a.text.emit(held)
		default:
			return Reply{}, &Error{Kind: KindProtocol, Message: a.who + " sent a tool call as text: the server does not parse this model's tool calls",
				Hint: advice(a.vendor, problemToolParser)}
		}
	}
	return r, a.finishCalls(&r)
}

// refuse returns the error of a reply from which nothing may follow.
func (a *assembly) refuse(class finishClass, r Reply, held string) error {
	calls := len(a.calls) > 0 || held != ""
	switch {
	case a.empty():
		return emptyReply(a.who, "sent an empty reply")
	case a.finish == "" && !a.done:
		return brokenOff(a.who)
	case class == finishFailed:
		return &Error{Kind: KindServer, Message: fmt.Sprintf("%s ended its reply with %q", a.who, clip(a.finish)), Hint: "try again; the server's log may say more"}
	case class == finishMalformed:
		return emptyReply(a.who, "could not read the tool call that the model wrote")
	case class == finishLength && calls:
		return &Error{Kind: KindLimit, Message: a.who + " cut the reply off in the middle of a tool call",
			Hint: "raise LLM_MAX_TOKENS if it is set, or the server's own limit. " + advice(a.vendor, problemContext)}
	case class == finishFiltered && (calls || r.Content == ""):
		return &Error{Kind: KindServer, Message: a.who + " stopped the reply by its content filter", Hint: "ask in other words, or use another model"}
	case class == finishUnknown && len(a.calls) > 0:
		return &Error{Kind: KindProtocol, Message: fmt.Sprintf("%s ended a reply with tool calls by %q, which may mean that it failed", a.who, clip(a.finish)), Hint: "try again"}
	case class == finishLength && r.Content == "":
		return &Error{Kind: KindLimit, Message: a.who + " used all of its tokens before the answer began", Hint: "raise LLM_MAX_TOKENS if it is set, or the server's own limit"}
	case r.Content == "" && !calls:
		return emptyReply(a.who, fmt.Sprintf("ended its reply (%q) without text or a tool call", clip(a.finish)))
	}
	return nil
}

// finishCalls adds the calls to a reply: one for each object of arguments, with
// the names of the tools on offer and with IDs that differ.
func (a *assembly) finishCalls(r *Reply) error {
	used := map[string]bool{}
	for _, c := range a.calls {
		if c.Name == "" {
			return unreadable(a.who, "it asks for a tool without naming it")
		}
		for i, arguments := range argumentObjects(c.Arguments) {
			call := ToolCall{ID: c.ID, Name: toolName(c.Name, a.offered), Arguments: arguments, Extra: c.Extra}
			if i > 0 {
				call.Extra = nil
			}
			if call.ID == "" || used[call.ID] {
				call.ID = fallbackID(a.earlier + len(r.ToolCalls) + 1)
			}
			used[call.ID] = true
			r.ToolCalls = append(r.ToolCalls, call)
		}
	}
	if len(r.ToolCalls) > maxReplyCalls {
		return tooMuch(a.who, fmt.Sprintf("a reply may ask for %d tools", maxReplyCalls))
	}
	return nil
}

// fallbackID is the ID of a call that has none. Mistral's templates accept
// exactly nine letters and digits.
func fallbackID(n int) string { return fmt.Sprintf("call%05d", n%100000) }

var nameParts = regexp.MustCompile(`[A-Za-z0-9_-]+`)

// toolName returns the tool on offer that a name means. Some models and servers
// surround it with a namespace or with markup: "functions.get_chart:0",
// "default_api:get_chart", "get_chart<|channel|>commentary". A name that holds
// none, or several, of the tools is returned as it is.
func toolName(name string, offered map[string]bool) string {
	if offered[name] {
		return name
	}
	found := map[string]bool{}
	for _, part := range nameParts.FindAllString(name, -1) {
		if offered[part] {
			found[part] = true
		}
	}
	if len(found) != 1 {
		return name
	}
	return slices.Collect(maps.Keys(found))[0]
}
