package llm

import "strings"

// thinking pairs the tags between which models write their reasoning, when the
// server does not split it off.
var thinking = map[string]string{
	"<think>": "</think>", "<thinking>": "</thinking>", "<thought>": "</thought>", "<reasoning>": "</reasoning>", "[THINK]": "[/THINK]",
	"<|channel|>analysis<|message|>": "<|end|>",
}

// callMarkup lists the beginnings of tool calls in text, of the formats that
// models were trained on.
var callMarkup = []string{
	"<tool_call>", "<tool_calls>", "<function_call>", "<function_calls>", "<function=", "<invoke ", "<minimax:tool_call>",
	"[TOOL_CALLS]", "<|tool_call|>", "<|tool_call>", "<|python_tag|>", "<|tool_calls_section_begin|>", "<|tool_call_begin|>",
	"<｜tool▁calls▁begin｜>", "<｜tool▁call▁begin｜>", "<｜DSML｜", "<|channel|>commentary to=", "<|start|>assistant<|channel|>commentary to=",
}

// textFilter splits a streamed text into the answer, which it emits as it
// arrives, the model's reasoning, and what may be a tool call, which it holds
// back from the first sign of one.
type textFilter struct {
	emit  func(string)
	calls bool // tools are on offer: look for calls

	answer  strings.Builder
	thought strings.Builder
	held    strings.Builder
	buf     string // not decided yet
	closing string // the tag that ends the reasoning; "" outside of it
	holding bool
	trim    bool // skip white space: reasoning has just ended
}

// write takes the next piece of text.
func (f *textFilter) write(text string) {
	if f.holding {
		f.held.WriteString(text)
		return
	}
	f.buf += text
	for f.step() {
	}
}

// step decides about the beginning of the buffer; false if more is needed.
func (f *textFilter) step() bool {
	if f.buf == "" {
		return false
	}
	if f.closing != "" {
		i := strings.Index(f.buf, f.closing)
		if i < 0 {
			keep := partial(f.buf, f.closing)
			f.thought.WriteString(f.buf[:len(f.buf)-keep])
			f.buf = f.buf[len(f.buf)-keep:]
			return false
		}
		f.thought.WriteString(f.buf[:i])
		f.buf, f.closing, f.trim = f.buf[i+len(f.closing):], "", true
		return true
	}
	if f.calls && f.blank() {
		switch rest := strings.TrimLeft(f.buf, " \t\r\n"); {
		case rest == "", len(rest) < 3 && strings.HasPrefix("```", rest):
			return false
		case strings.HasPrefix(rest, "{"), strings.HasPrefix(rest, "["), strings.HasPrefix(rest, "```"):
			if !strings.HasPrefix(rest, "[") || partial(rest, "[THINK]") < len(rest) && !strings.HasPrefix(rest, "[THINK]") {
				f.hold()
				return false
			}
		}
	}
	at, marker := f.marker()
	if at < 0 {
		keep := f.undecided()
		f.pass(f.buf[:len(f.buf)-keep])
		f.buf = f.buf[len(f.buf)-keep:]
		return false
	}
	f.pass(f.buf[:at])
	f.buf = f.buf[at:]
	if closing, ok := thinking[marker]; ok {
		f.buf, f.closing = f.buf[len(marker):], closing
		return true
	}
	f.hold()
	return false
}

// blank reports whether the answer has no text yet.
func (f *textFilter) blank() bool { return strings.TrimSpace(f.answer.String()) == "" }

func (f *textFilter) hold() {
	f.holding = true
	f.held.WriteString(f.buf)
	f.buf = ""
}

// pass emits text of the answer.
func (f *textFilter) pass(text string) {
	if f.trim {
		text = strings.TrimLeft(text, " \t\r\n")
	}
	if text != "" {
		f.trim = false
		f.answer.WriteString(text)
		f.emit(text)
	}
}

// marker finds the first tag in the buffer.
func (f *textFilter) marker() (at int, marker string) {
	at = -1
	look := func(tag string) {
		if i := strings.Index(f.buf, tag); i >= 0 && (at < 0 || i < at) {
			at, marker = i, tag
		}
	}
	for tag := range thinking {
		look(tag)
	}
	if f.calls {
		for _, tag := range callMarkup {
			look(tag)
		}
	}
	return at, marker
}

// undecided returns how many bytes at the buffer's end may begin a tag.
func (f *textFilter) undecided() int {
	n := 0
	for tag := range thinking {
		n = max(n, partial(f.buf, tag))
	}
	if f.calls {
		for _, tag := range callMarkup {
			n = max(n, partial(f.buf, tag))
		}
	}
	return n
}

// partial returns the length of the longest suffix of text that is a proper
// prefix of tag.
func partial(text, tag string) int {
	for n := min(len(text), len(tag)-1); n > 0; n-- {
		if strings.HasSuffix(text, tag[:n]) {
			return n
		}
	}
	return 0
}

// end returns the three parts of the text.
func (f *textFilter) end() (answer, thought, held string) {
	switch {
	case f.closing != "":
		f.thought.WriteString(f.buf)
	default:
		f.pass(f.buf)
	}
	f.buf = ""
	answer = f.answer.String()
	// Some templates write the opening tag into the prompt.
	for _, closing := range thinking {
		if before, after, found := strings.Cut(answer, closing); found && closing != "<|end|>" {
			f.thought.WriteString(before)
			answer = strings.TrimLeft(after, " \t\r\n")
		}
	}
	return answer, f.thought.String(), strings.TrimSpace(f.held.String())
}
