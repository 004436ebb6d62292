package preflight

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/devonartis/medassist-go/agents"
	"github.com/devonartis/medassist-go/internal/text"
	"github.com/devonartis/medassist-go/llm"
	"github.com/devonartis/medassist-go/tools"
)

// Estimates of the number of tokens in a text, in bytes for each. JSON has more
// tokens than these assume, so that a smaller count is a sure sign of loss.
const (
	bytesPerToken     = 4
	bytesPerToolToken = 8 // of a tool's JSON, as templates may shorten it
)

// conversation is the model's part of the checks.
type conversation struct {
	messages   []llm.Message // up to the tool results; nil without a tool call
	prompt     int           // tokens of the first turn, 0 if the server does not tell
	grown      int           // bytes added by the second turn
	secondTurn int           // tokens of the second turn
}

// someResults returns an invented tool result of the size that an encounter's
// results have together.
func someResults() string {
	rows := make([]string, 60)
	for i := range rows {
		rows[i] = fmt.Sprintf(`{"date":"2026-%02d-%02d","loinc":"%04d-3","test":"Potassium","value":%d.%d,"unit":"mmol/L","reference_range":"3.5-5.1","flag":""}`,
			i%12+1, i%28+1, 1000+37*i, 3+i%3, i%10)
	}
	return `{"patient_id":"P-1042","results":[` + strings.Join(rows, ",") + `]}`
}

// toolCall asks the model for a fact that only a tool can supply.
func (x *examination) toolCall(ctx context.Context) Result {
	messages := []llm.Message{
		{Role: llm.RoleSystem, Content: "You look up medical data with the tools that you are given. The patient is P-1042."},
		{Role: llm.RoleUser, Content: "Show the lab results of patient P-1042."},
	}
	offer := agents.Offer()
	start := time.Now()
	reply, err := x.Model.Complete(ctx, llm.Request{Messages: messages, Tools: offer}, func(string) {})
	name := x.Model.Name()
	advice := llm.AdviceFor(x.Model)
	switch {
	case err != nil:
		found, do := describeModel(err)
		return failed(found, cmp.Or(do, "Check LLM_BASE_URL, LLM_API_KEY and LLM_MODEL. Without them the offline planner answers."))
	case len(reply.ToolCalls) == 0 && lost(reply.Usage.PromptTokens, size(offer)/bytesPerToolToken):
		return failed(fmt.Sprintf("%s was not shown the tools: the prompt had %d tokens, and the tools alone have more", name, reply.Usage.PromptTokens), advice.NoTools())
	case len(reply.ToolCalls) == 0:
		return failed(name+" answered without calling a tool", "Choose a model that can call tools (LLM_MODEL), or present with the offline planner. "+advice.NoTools())
	}
	call := reply.ToolCalls[0]
	if _, err := tools.Parse(call.Name, call.Arguments); err != nil {
		return warning(fmt.Sprintf("%s made an invalid tool call: %v", name, err), "A larger model does better. The page shows such calls as refused.")
	}
	messages = append(messages, reply.Message())
	for _, c := range reply.ToolCalls {
		results := someResults()
		messages = append(messages, llm.Message{Role: llm.RoleTool, ToolCallID: c.ID, Content: results})
		x.talk.grown += len(results)
	}
	x.talk.messages, x.talk.prompt = messages, reply.Usage.PromptTokens
	found := fmt.Sprintf("%s called %s in %s", name, call.Name, round(time.Since(start)))
	if reply.Warning != "" {
		return warning(found, reply.Warning)
	}
	return passed(found)
}

// size returns the bytes of the tools' descriptions.
func size(offer []llm.Tool) int {
	n := 0
	for _, t := range offer {
		n += len(t.Name) + len(t.Description) + len(t.Parameters)
	}
	return n
}

// lost reports whether a prompt of so many tokens can't have held what it should
// have. A server that does not tell, tells 0.
func lost(tokens, expected int) bool { return tokens > 0 && tokens < expected }

// modelStreams has the model answer from the tool's result, and times the pieces
// of the answer.
func (x *examination) modelStreams(ctx context.Context) Result {
	if x.talk.messages == nil {
		return skipped("there is no tool call to answer", "")
	}
	var pace pace
	reply, err := x.complete(ctx, agents.Offer(), &pace)
	if err == nil && len(reply.ToolCalls) > 0 { // one result is not enough for it
		pace.reset()
		reply, err = x.complete(ctx, nil, &pace)
	}
	if err != nil {
		x.talk.messages = nil
		return failed(describeModel(err))
	}
	x.talk.secondTurn = reply.Usage.PromptTokens
	if pace.buffered() {
		return warning(pace.String(), llm.AdviceFor(x.Model).Buffered())
	}
	return passed(pace.String())
}

func (x *examination) complete(ctx context.Context, offer []llm.Tool, p *pace) (llm.Reply, error) {
	p.reset()
	return x.Model.Complete(ctx, llm.Request{Messages: x.talk.messages, Tools: offer}, func(string) { p.piece(time.Now()) })
}

// modelContext compares the prompts of both turns: a server whose context is too
// small drops a part of the second one, often without an error.
func (x *examination) modelContext(context.Context) Result {
	switch grown := x.talk.secondTurn - x.talk.prompt; {
	case x.talk.messages == nil:
		return skipped("there is no answer to measure", "")
	case x.Model.Mode() == llm.ModeOffline:
		return passed("the offline planner has no limit")
	case x.talk.prompt == 0 || x.talk.secondTurn == 0:
		return skipped("the server does not count tokens", "If answers ignore what the tools returned: "+llm.AdviceFor(x.Model).SmallContext())
	case grown < x.talk.grown/bytesPerToken/2:
		return warning(fmt.Sprintf("the prompt grew from %d to %d tokens, less than the tool's result has: the server drops a part of it", x.talk.prompt, x.talk.secondTurn),
			llm.AdviceFor(x.Model).SmallContext())
	}
	return passed(fmt.Sprintf("a prompt of %d tokens fits", x.talk.secondTurn))
}

// pace is how an answer arrived.
type pace struct {
	start, first, last time.Time
	pause              time.Duration // the longest between two pieces
	pieces             int
}

func (p *pace) reset() { *p = pace{start: time.Now()} }

func (p *pace) piece(now time.Time) {
	if p.pieces == 0 {
		p.first = now
	} else {
		p.pause = max(p.pause, now.Sub(p.last))
	}
	p.last = now
	p.pieces++
}

// buffered reports whether the answer arrived all at once: in one piece, or in
// several after a wait that was far longer than all of them together.
func (p *pace) buffered() bool {
	return p.pieces < 2 || p.first.Sub(p.start) > time.Second && p.last.Sub(p.first) < p.first.Sub(p.start)/50
}

func (p *pace) String() string {
	switch {
	case p.pieces < 2:
		return "the answer arrived in one piece"
	case p.buffered():
		return fmt.Sprintf("all %d pieces of the answer arrived at once, after %s", p.pieces, round(p.last.Sub(p.start)))
	}
	return fmt.Sprintf("the answer arrived in %d pieces, the first after %s, the longest pause %s", p.pieces, round(p.first.Sub(p.start)), round(p.pause))
}

func round(d time.Duration) time.Duration {
	if d > 10*time.Second {
		return d.Round(time.Second)
	}
	return d.Round(time.Millisecond)
}

// describeModel returns a model's error for people, and what to do about it.
func describeModel(err error) (found, do string) {
	var e *llm.Error
	if errors.As(err, &e) {
		return cmp.Or(e.Message, err.Error()), text.Capitalize(e.Hint)
	}
	return err.Error(), ""
}
