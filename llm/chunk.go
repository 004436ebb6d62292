package llm

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// chunk is one event of a chat completion stream, or a completion that was not
// streamed. It is read leniently: servers disagree about the types of most
// fields and about which of them are present.
type chunk struct {
	Choices []struct {
		Delta        fields          `json:"delta"`
		Message      fields          `json:"message"` // of a completion that was not streamed
		FinishReason json.RawMessage `json:"finish_reason"`
	} `json:"choices"`
	Usage json.RawMessage `json:"usage"`
}

// fields is a JSON object of which any field may be missing, null or of
// another type than expected.
type fields map[string]json.RawMessage

// text returns a field's string; "" if it is none.
func (f fields) text(name string) string { return stringOf(f[name]) }

func stringOf(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// number returns a field's number, which may be encoded as a string.
func (f fields) number(name string) (int, bool) {
	n, err := strconv.Atoi(strings.Trim(string(f[name]), `"`))
	return n, err == nil
}

// object returns a field's object; nil if it is none.
func (f fields) object(name string) fields {
	var inner fields
	if json.Unmarshal(f[name], &inner) != nil {
		return nil
	}
	return inner
}

// list returns the objects of a field that is a list of them, or one of them.
func (f fields) list(name string) []fields {
	var list []fields
	if json.Unmarshal(f[name], &list) == nil {
		return list
	}
	if one := f.object(name); one != nil {
		return []fields{one}
	}
	return nil
}

// isNull reports whether a field has no value.
func isNull(raw json.RawMessage) bool {
	raw = bytes.TrimSpace(raw)
	return len(raw) == 0 || string(raw) == "null"
}

// content returns the text of a message's content, which is a string or a list
// of parts, and the reasoning among the parts.
func (f fields) content() (text, reasoning string) {
	if text := f.text("content"); text != "" {
		return text, ""
	}
	var out, thought strings.Builder
	var parts []json.RawMessage
	if json.Unmarshal(f["content"], &parts) != nil {
		return "", ""
	}
	for _, raw := range parts {
		var part fields
		if json.Unmarshal(raw, &part) != nil {
			out.WriteString(stringOf(raw))
			continue
		}
		switch kind := part.text("type"); {
		case strings.Contains(kind, "think"), strings.Contains(kind, "reason"):
			thought.WriteString(part.text("text"))
			for _, inner := range part.list("thinking") {
				thought.WriteString(inner.text("text"))
			}
			thought.WriteString(part.text("thinking"))
		default:
			out.WriteString(part.text("text"))
		}
	}
	return out.String(), thought.String()
}

// usage returns the tokens that a chunk counts, under either API's names.
func usageOf(raw json.RawMessage) (Usage, bool) {
	var u struct {
		Prompt     int `json:"prompt_tokens"`
		Completion int `json:"completion_tokens"`
		Input      int `json:"input_tokens"`
		Output     int `json:"output_tokens"`
	}
	if isNull(raw) || json.Unmarshal(raw, &u) != nil {
		return Usage{}, false
	}
	return Usage{max(u.Prompt, u.Input), max(u.Completion, u.Output)}, true
}

// piece is a part of a tool call in a stream.
type piece struct {
	index     int
	indexed   bool
	id, name  string
	arguments string
	extra     map[string]json.RawMessage
}

// pieceOf reads a part of a tool call. Arguments may be an object instead of a
// string; name and arguments may stand beside the ID instead of in "function".
func pieceOf(f fields) piece {
	p := piece{id: f.text("id"), extra: map[string]json.RawMessage{}}
	p.index, p.indexed = f.number("index")
	function := f.object("function")
	if function == nil && (f["name"] != nil || f["arguments"] != nil) {
		function = fields{"name": f["name"], "arguments": f["arguments"]}
	}
	p.name = function.text("name")
	if raw := function["arguments"]; !isNull(raw) {
		if p.arguments = stringOf(raw); p.arguments == "" && raw[0] != '"' {
			p.arguments = string(raw)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(f)) {
		switch name {
		case "id", "index", "type", "function", "name", "arguments":
		default:
			if !isNull(f[name]) {
				p.extra[name] = f[name]
			}
		}
	}
	return p
}
