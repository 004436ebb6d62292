package llm

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"github.com/sashabaranov/go-openai"
)

// fingerprint says which question a request puts to a model. Two requests have
// the same one if a reply to one can stand for a reply to the other:
//
//   - The words of system prompt and user count, but for upper case and white
//     space; so do the names of the tools on offer, in any order.
//   - Of what the model itself said before, only the tool calls count: which
//     tool, with which arguments. IDs of calls do not.
//   - Tool results count, as an answer repeats them: another value, another
//     refusal, another drug on the list is another question. What differs from
//     run to run without meaning does not: dates, times, UUIDs, long
//     hexadecimal numbers, and the values of fields that end in _id, other
//     than patient_id. The same goes for the system prompt.
//   - The server, the model's name and its settings do not count: they were
//     chosen when it was recorded.
func fingerprint(req openai.ChatCompletionRequest) string {
	h := sha256.New()
	enc := json.NewEncoder(h) // one line for each part; a hash never fails to be written to
	var names []string
	for _, t := range req.Tools {
		if t.Function != nil {
			names = append(names, t.Function.Name)
		}
	}
	slices.Sort(names)
	_ = enc.Encode(names)
	for _, m := range req.Messages {
		switch m.Role {
		case openai.ChatMessageRoleAssistant:
			for _, c := range m.ToolCalls {
				_ = enc.Encode([]any{"call", c.Function.Name, canonical(c.Function.Arguments)})
			}
		case openai.ChatMessageRoleTool:
			_ = enc.Encode([]any{m.Role, steady(canonical(m.Content))})
		case openai.ChatMessageRoleUser:
			_ = enc.Encode([]any{m.Role, folded(m.Content)})
		default:
			_ = enc.Encode([]any{m.Role, mask(folded(m.Content))})
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

func folded(text string) string { return strings.ToLower(strings.Join(strings.Fields(text), " ")) }

// canonical is JSON as a value, so that the order of keys is none; anything else
// is text.
func canonical(text string) any {
	var v any
	if json.Unmarshal([]byte(text), &v) != nil {
		return text
	}
	return v
}

// steady is a value without what differs from run to run.
func steady(v any) any {
	switch v := v.(type) {
	case string:
		return mask(v)
	case []any:
		for i := range v {
			v[i] = steady(v[i])
		}
	case map[string]any:
		for key := range v {
			if strings.HasSuffix(key, "_id") && key != "patient_id" {
				v[key] = "#"
			} else {
				v[key] = steady(v[key])
			}
		}
	}
	return v
}

// volatile are dates and times (RFC 3339, in whole or part), UUIDs and long
// hexadecimal numbers.
var volatile = regexp.MustCompile(`(?i)\b[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[t ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?(?:z|[+-][0-9]{2}:[0-9]{2})?)?\b|` +
	`\b[0-9]{2}:[0-9]{2}:[0-9]{2}\b|\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b[0-9a-f]{12,}\b`)

func mask(text string) string { return volatile.ReplaceAllString(text, "#") }
