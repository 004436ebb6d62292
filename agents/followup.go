package agents

import (
	"context"
	"errors"
	"maps"
	"regexp"
	"slices"

	"github.com/devonartis/medassist-go/llm"
	"github.com/devonartis/medassist-go/tools"
	"github.com/devonartis/medassist-go/trace"
)

// nudge is what a model is told, once, that answers without having called a
// tool although it should have.
const nudge = "You answered without calling a tool. If the answer needs anything from the record, call the tools now. Otherwise give your answer again."

// smallTalk matches requests that need nothing from the record.
var smallTalk = regexp.MustCompile(`(?i)^\W*(hi|hello|hey|thanks?|thank you|good (morning|afternoon|evening)|who are you|what can you do|help)\b[^?]{0,20}\W*$`)

// unread reports whether an answer can't be based on the record. The offline
// planner answers without a tool only where none would help.
func (e *encounter) unread(reply llm.Reply) bool {
	return len(reply.ToolCalls) == 0 && len(e.calls) == 0 && reply.StandIn == "" && e.Model.Mode() != llm.ModeOffline && !smallTalk.MatchString(e.req.Text)
}

// nudges reports whether the model is to be asked once more after an answer,
// and adds to the conversation why.
func (e *encounter) nudges(reply llm.Reply, turn int) bool {
	announced := len(reply.ToolCalls) == 0 && reply.FinishReason == "tool_calls"
	if e.nudged || turn+1 >= e.Limits.Turns || !announced && !e.unread(reply) {
		return false
	}
	e.nudged = true
	e.messages = append(e.messages, llm.Message{Role: llm.RoleUser, Content: nudge})
	return true
}

// asksAgain reports whether a turn that failed is put to the model once more:
// its reply broke off, and no tool call was made of it.
func (e *encounter) asksAgain(ctx context.Context, turn int, err error) bool {
	var me *llm.Error
	if !errors.As(err, &me) || me.Kind != llm.KindInterrupted || e.askedAgain || turn == e.Limits.Turns || ctx.Err() != nil {
		return false
	}
	e.askedAgain = true
	e.rec.add(ctx, trace.StatusWarning, "Model's reply broke off; asking again", trace.LLMWait{Turn: turn, Reason: me.Message})
	return true
}

// repeats lists the tools of those calls that were already made with the same
// arguments.
func (e *encounter) repeats(calls []llm.ToolCall) []string {
	var names []string
	seen := map[string]bool{}
	for _, c := range calls {
		key := ""
		if parsed, err := tools.Parse(c.Name, c.Arguments); err == nil {
			key = callKey(parsed)
		}
		if _, answered := e.answered[key]; key != "" && (answered || seen[key]) && !slices.Contains(names, c.Name) {
			names = append(names, c.Name)
		}
		seen[key] = true
	}
	return names
}

// callKey identifies calls that ask for the same.
func callKey(c tools.Call) string { return c.Tool.Name + " " + string(c.Args) }

// remember notes that a call was made. After a write, what was read before may
// be read again; what was written is not written twice.
func (e *encounter) remember(c tools.Call) {
	if c.Tool.Writes() {
		maps.DeleteFunc(e.answered, func(_ string, write bool) bool { return !write })
	}
	e.answered[callKey(c)] = c.Tool.Writes()
}

// repeated returns what the model reads in place of the result of a call that
// was already made with the same arguments.
func (e *encounter) repeated(c tools.Call) (result string, ok bool) {
	if _, ok = e.answered[callKey(c)]; !ok {
		return "", false
	}
	return refusal{Error: "already_called", Message: c.Tool.Name + " was already called with these arguments. Its result is above: use it, and do not call it again."}.text(), true
}
