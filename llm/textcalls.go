package llm

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// wrappers are the tags around tool calls in text. They carry no meaning of
// their own once the call between them is found.
var wrappers = regexp.MustCompile("^(?:" + strings.Join([]string{
	`\s+`, `[,;]`, `</?tool_calls?>`, `</?function_calls?>`, `</?minimax:tool_call>`, `\[/?TOOL_CALLS\]`, `\[ARGS\]`, `\[CALL_ID\][A-Za-z0-9]+`,
	`<\|/?tool_call\|?>`, `<tool_call\|>`, `<\|tool_calls?_(?:section_)?(?:begin|end)\|>`, `<\|tool_call_argument_begin\|>`, `<\|python_tag\|>`,
	`<｜tool▁calls?▁(?:begin|end)｜>`, `function<｜tool▁sep｜>`, `<｜tool▁sep｜>`, `</?｜DSML｜function_calls>`,
	`<\|start\|>assistant`, `<\|channel\|>commentary to=`, `<\|constrain\|>json`, `<\|message\|>`, `<\|call\|>`, `<\|end\|>`, `json(?:\s|$)`,
	`<\|eom_id\|>`, `<\|eot_id\|>`, `<\|im_end\|>`, `</s>`, "```[a-z_]*",
}, "|") + ")")

var (
	functionTag  = regexp.MustCompile(`^<function=([A-Za-z0-9_.:-]+)>?`)
	invokeTag    = regexp.MustCompile(`^<(?:｜DSML｜)?invoke name="([^"]+)">`)
	parameterTag = regexp.MustCompile(`(?s)<(?:｜DSML｜)?parameter(?:=| name=")([A-Za-z0-9_]+)"?[^>]*>\s*(.*?)\s*</(?:｜DSML｜)?parameter>`)
	argPair      = regexp.MustCompile(`(?s)^\s*<arg_key>\s*([A-Za-z0-9_]+)\s*</arg_key>\s*<arg_value>\s*(.*?)\s*</arg_value>`)
	plainName    = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.]*(?::[0-9]+)?`)
)

// isMarkup reports whether text that was held back contains the tags of a tool
// call, and not merely JSON or a code block.
func isMarkup(held string) bool {
	return slices.ContainsFunc(callMarkup, func(tag string) bool { return strings.Contains(held, tag) })
}

// callsInText reads tool calls that a model wrote as text. It succeeds only if
// the text consists of nothing but calls; without the tags of a known format,
// the tools must be on offer too.
func callsInText(held string, offered map[string]bool) ([]*ToolCall, bool) {
	marked := isMarkup(held)
	var calls []*ToolCall
	for rest := held; ; {
		for {
			w := wrappers.FindString(rest)
			if w == "" {
				break
			}
			rest = rest[len(w):]
		}
		if rest == "" {
			return calls, len(calls) > 0
		}
		next, n := callAt(rest)
		if n == 0 || len(calls)+len(next) > maxReplyCalls {
			return nil, false
		}
		for _, c := range next {
			if !marked && !offered[toolName(c.Name, offered)] {
				return nil, false
			}
		}
		calls, rest = append(calls, next...), rest[n:]
	}
}

// callAt reads the calls at the beginning of text and returns their length, 0
// if there is none.
func callAt(text string) (calls []*ToolCall, n int) {
	if text[0] == '{' || text[0] == '[' {
		raw, n := jsonAt(text)
		if calls = callsInJSON(raw); len(calls) == 0 {
			return nil, 0
		}
		return calls, n
	}
	for tag, closing := range map[*regexp.Regexp][]string{functionTag: {"</function>"}, invokeTag: {"</invoke>", "</｜DSML｜invoke>"}} {
		m := tag.FindStringSubmatch(text)
		if m == nil {
			continue
		}
		body, end := text[len(m[0]):], len(text)
		for _, c := range closing {
			if i := strings.Index(body, c); i >= 0 {
				body, end = body[:i], len(m[0])+i+len(c)
			}
		}
		arguments, ok := argumentsIn(body)
		if !ok {
			return nil, 0
		}
		return []*ToolCall{{Name: m[1], Arguments: arguments}}, end
	}
	name := plainName.FindString(text)
	if name == "" {
		return nil, 0
	}
	rest := text[len(name):]
	if pairs := map[string]json.RawMessage{}; argPair.MatchString(rest) {
		for m := argPair.FindStringSubmatch(rest); m != nil; m = argPair.FindStringSubmatch(rest) {
			pairs[m[1]] = parameter(m[2])
			rest = rest[len(m[0]):]
		}
		return []*ToolCall{{Name: name, Arguments: marshal(pairs)}}, len(text) - len(rest)
	}
	for w := wrappers.FindString(rest); w != ""; w = wrappers.FindString(rest) {
		rest = rest[len(w):]
	}
	raw, n := jsonAt(rest)
	if n == 0 || raw[0] != '{' {
		return nil, 0
	}
	return []*ToolCall{{Name: name, Arguments: string(raw)}}, len(text) - len(rest) + n
}

// argumentsIn reads the body of a call: JSON, or parameters each in its tag.
func argumentsIn(body string) (string, bool) {
	body = strings.TrimSpace(body)
	if body == "" {
		return "{}", true
	}
	if raw, n := jsonAt(body); n > 0 && raw[0] == '{' {
		rest := strings.TrimSpace(body[n:])
		return string(raw), rest == "" || rest == ">"
	}
	found := parameterTag.FindAllStringSubmatch(body, -1)
	values := map[string]json.RawMessage{}
	for _, m := range found {
		values[m[1]] = parameter(m[2])
	}
	left := strings.TrimSpace(parameterTag.ReplaceAllString(body, ""))
	return marshal(values), len(found) > 0 && left == ""
}

// parameter returns a value that stands between tags as JSON. Only lists and
// objects are read as such: an ID that looks like a number is still a text.
func parameter(text string) json.RawMessage {
	if text != "" && (text[0] == '[' || text[0] == '{') && json.Valid([]byte(text)) {
		return json.RawMessage(text)
	}
	return json.RawMessage(marshal(text))
}

func marshal(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return "null"
	}
	return string(b)
}

// jsonAt returns the JSON value at the beginning of text, and its length.
func jsonAt(text string) (json.RawMessage, int) {
	dec := json.NewDecoder(strings.NewReader(text))
	var raw json.RawMessage
	if dec.Decode(&raw) != nil || len(raw) == 0 {
		return nil, 0
	}
	return raw, int(dec.InputOffset())
}

// callsInJSON reads a call, or a list of calls, that is written as JSON. An
// object is one only if it has nothing but a name, arguments and an ID.
func callsInJSON(raw json.RawMessage) []*ToolCall {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) == nil {
		var calls []*ToolCall
		for _, one := range list {
			next := callsInJSON(one)
			if len(next) != 1 {
				return nil
			}
			calls = append(calls, next...)
		}
		return calls
	}
	var f fields
	if json.Unmarshal(raw, &f) != nil {
		return nil
	}
	if inner := f.list("tool_calls"); inner != nil && len(f) == 1 {
		return callsInJSON(f["tool_calls"])
	}
	if function := f.object("function"); function != nil { // as the protocol has it
		delete(f, "function")
		maps.Copy(f, function)
	}
	name, arguments := "", json.RawMessage(nil)
	for key, value := range f {
		switch key {
		case "name", "tool", "tool_name", "function":
			name = stringOf(value)
		case "arguments", "parameters", "args", "input":
			arguments = value
		case "id", "type", "index":
		default:
			return nil
		}
	}
	if name == "" || arguments == nil {
		return nil
	}
	text := string(arguments)
	if s := stringOf(arguments); s != "" {
		text = s
	}
	if !isObject(text) {
		return nil
	}
	return []*ToolCall{{Name: name, Arguments: text}}
}
