package llm

import (
	"net/http"
	"strings"
	"testing"
)

// Tool calls that a model wrote as text are recognized if the reply is nothing
// else; the reply then warns about the server. Nothing of them is shown.
func TestCallsWrittenAsText(t *testing.T) {
	asJSON := func(name string) string { return `{"name": "` + name + `", "arguments": ` + anArgument + `}` }
	tests := map[string]string{
		"Hermes, Qwen":          "<tool_call>\n" + asJSON(chart) + "\n</tool_call>\n<tool_call>\n" + asJSON(bill) + "\n</tool_call>",
		"after a preamble":      "I'll look it up.\n<tool_call>" + asJSON(chart) + "</tool_call><tool_call>" + asJSON(bill) + "</tool_call>",
		"after thoughts":        "<think>Chart, then bills.</think>\n<tool_call>" + asJSON(chart) + "</tool_call><tool_call>" + asJSON(bill) + "</tool_call>",
		"no closing tag":        "<tool_call>" + asJSON(chart) + "</tool_call><tool_call>" + asJSON(bill),
		"bare JSON":             asJSON(chart) + "\n" + asJSON(bill),
		"a list":                "[" + asJSON(chart) + ", " + asJSON(bill) + "]",
		"fenced":                "```json\n[" + asJSON(chart) + ", " + asJSON(bill) + "]\n```",
		"parameters":            strings.ReplaceAll(asJSON(chart)+asJSON(bill), "arguments", "parameters"),
		"as the protocol":       `{"tool_calls":[{"id":"a","type":"function","function":{"name":"` + chart + `","arguments":` + quoted(anArgument) + `}},{"type":"function","function":` + asJSON(bill) + `}]}`,
		"Mistral":               "[TOOL_CALLS][" + asJSON(chart) + "," + asJSON(bill) + "]",
		"newer Mistral":         "[TOOL_CALLS]" + chart + "[ARGS]" + anArgument + "[TOOL_CALLS]" + bill + "[ARGS]" + anArgument + "</s>",
		"Llama 3":               "<|python_tag|>" + asJSON(chart) + "; " + asJSON(bill) + "<|eom_id|>",
		"Llama's function tag":  "<function=" + chart + ">" + anArgument + "</function><function=" + bill + ">" + anArgument + "</function>",
		"Qwen coder":            "<tool_call>\n<function=" + chart + ">\n<parameter=patient_id>\nP-1042\n</parameter>\n</function>\n</tool_call>\n<tool_call>\n<function=" + bill + ">\n<parameter=patient_id>\nP-1042\n</parameter>\n</function>\n</tool_call>",
		"invoke":                `<function_calls><invoke name="` + chart + `"><parameter name="patient_id">P-1042</parameter></invoke><invoke name="` + bill + `"><parameter name="patient_id">P-1042</parameter></invoke></function_calls>`,
		"MiniMax":               `<minimax:tool_call><invoke name="` + chart + `"><parameter name="patient_id">P-1042</parameter></invoke><invoke name="` + bill + `"><parameter name="patient_id">P-1042</parameter></invoke></minimax:tool_call>`,
		"GLM":                   "<tool_call>" + chart + "\n<arg_key>patient_id</arg_key>\n<arg_value>P-1042</arg_value></tool_call><tool_call>" + bill + "\n<arg_key>patient_id</arg_key>\n<arg_value>P-1042</arg_value></tool_call>",
		"DeepSeek":              "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>" + chart + "\n```json\n" + anArgument + "\n```<｜tool▁call▁end｜>\n<｜tool▁call▁begin｜>function<｜tool▁sep｜>" + bill + "\n```json\n" + anArgument + "\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
		"Kimi":                  "<|tool_calls_section_begin|><|tool_call_begin|>functions." + chart + ":0<|tool_call_argument_begin|>" + anArgument + "<|tool_call_end|><|tool_call_begin|>functions." + bill + ":1<|tool_call_argument_begin|>" + anArgument + "<|tool_call_end|><|tool_calls_section_end|>",
		"gpt-oss":               "<|channel|>commentary to=functions." + chart + " <|constrain|>json<|message|>" + anArgument + "<|call|><|start|>assistant<|channel|>commentary to=functions." + bill + " <|constrain|>json<|message|>" + anArgument + "<|call|>",
		"a namespace in a call": "<tool_call>" + asJSON("functions."+chart) + asJSON(bill) + "</tool_call>",
	}
	for name, text := range tests {
		for _, size := range []int{1, 9, 4000} { // bytes of a piece
			var stream strings.Builder
			for rest := []rune(text); len(rest) > 0; {
				n := min(size, len(rest))
				stream.WriteString(words(string(rest[:n])))
				rest = rest[n:]
			}
			s := play(t, &server{answer: first(stream.String() + finish("stop") + done)})
			if s.err != nil {
				t.Errorf("%s: %v", name, s.err)
				continue
			}
			var written strings.Builder
			for _, c := range s.calls {
				written.WriteString(c.Name + strings.ReplaceAll(c.Arguments, " ", ""))
			}
			if written.String() != chart+anArgument+bill+anArgument || s.answer() != theAnswer {
				t.Errorf("%s in pieces of %d: calls %s, answer %q", name, size, written.String(), s.answer())
			}
			if r := s.replies[0]; !strings.Contains(r.Warning, "as text") || strings.ContainsAny(r.Content, "<{[") {
				t.Errorf("%s: text %q, warning %q", name, r.Content, r.Warning)
			}
		}
	}
}

// What merely resembles a call is text; what is one, but not alone, is an error
// that tells what to set.
func TestTextThatIsNoCall(t *testing.T) {
	one := `{"name": "` + chart + `", "arguments": ` + anArgument + `}`
	for name, tt := range map[string]struct{ text, fails string }{
		"another object":             {`{"name": "Maria", "age": 54}`, ""},
		"a tool that is not offered": {`{"name": "drop_tables", "arguments": {}}`, ""},
		"a call with other fields":   {strings.Replace(one, "{", `{"reason":"x",`, 1), ""},
		"a code block":               {"```go\nfunc main() {}\n```", ""},
		"a list":                     {"[1] First, [2] second", ""},
		"an object in a sentence":    {"The call would be " + one, ""},
		"an object before text":      {one + " is what I would call.", ""},
		"a less-than sign":           {"Potassium < 3.5 and <b>low</b>", ""},
		"a call among words":         {"<tool_call>" + one + "</tool_call> and so I know that all is well.", "does not parse this model's tool calls"},
		"half a call":                {"<tool_call>{\"name\": \"" + chart, "does not parse this model's tool calls"},
		"a call with its own result": {"<tool_call>" + one + "</tool_call><tool_response>fine</tool_response>", "--jinja"},
	} {
		s := play(t, &server{answer: func(asked) http.HandlerFunc { return says(words(tt.text) + finish("stop")) }})
		switch {
		case tt.fails != "":
			if s.err == nil || !strings.Contains(s.err.Error(), "as text") || !strings.Contains(s.err.Error(), tt.fails) {
				t.Errorf("%s: %v, calls %q", name, s.err, s.names())
			}
		case s.err != nil || len(s.calls) > 0 || s.answer() != tt.text || s.streamed != tt.text:
			t.Errorf("%s: %v, calls %q, answer %q, streamed %q", name, s.err, s.names(), s.answer(), s.streamed)
		}
	}
}

// Reasoning is never part of the answer, nor sent back as content.
func TestThoughtsAreSplitOff(t *testing.T) {
	for name, tt := range map[string]struct{ text, answer, thought string }{
		"think":              {"<think>Hm.</think>\n\nYes.", "Yes.", "Hm."},
		"thinking":           {"\n<thinking>Hm.</thinking>Yes.", "\nYes.", "Hm."},
		"Mistral":            {"[THINK]Hm.[/THINK]Yes.", "Yes.", "Hm."},
		"twice":              {"<think>a</think>Yes. <think>b</think>No.", "Yes. No.", "ab"},
		"without an opening": {"Hm.</think>\n\nYes.", "Yes.", "Hm."},
		"gpt-oss":            {"<|channel|>analysis<|message|>Hm.<|end|>Yes.", "Yes.", "Hm."},
		"none":               {"a < b, [1]", "a < b, [1]", ""},
	} {
		s := play(t, &server{answer: func(asked) http.HandlerFunc { return says(words(tt.text) + finish("stop")) }})
		if s.err != nil || s.answer() != tt.answer || s.replies[0].Reasoning != tt.thought {
			t.Errorf("%s: %v, answer %q, reasoning %+v", name, s.err, s.answer(), s.replies)
		}
	}
	s := play(t, &server{answer: func(asked) http.HandlerFunc { return says(words("<think>and on and on") + finish("length")) }})
	if s.err == nil || !strings.Contains(s.err.Error(), "before the answer began") {
		t.Errorf("nothing but thoughts: %v", s.err)
	}
	s = play(t, &server{answer: func(a asked) http.HandlerFunc {
		if strings.Contains(a.body, "secret thought") {
			t.Error("a thought went back")
		}
		return says(words("<think>secret thought</think>") + script(a))
	}})
	worked(t, s)
}
