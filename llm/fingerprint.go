package llm

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// fingerprint identifies the question that a request puts to a model. Two
// requests have the same one if a reply to one can stand for a reply to the
// other:
//
//   - The text of system prompt and user counts, except for case and white
//     space; so do the names of the tools on offer, in any order.
//   - Of the model's own messages only the tool calls count: the tool and its
//     arguments. IDs of calls do not.
//   - Tool results count, because an answer repeats them: another value, another
//     refusal, another drug on the list is another question. What differs from
//     run to run without meaning does not: dates, times, UUIDs, long
//     hexadecimal numbers, and the values of fields that end in _id, other
//     than patient_id. The same goes for the system prompt.
//   - The server, the model's name and its settings do not count: they were
//     chosen when it was recorded.
func fingerprint(req Request) string {
	h := sha256.New()
	enc := json.NewEncoder(h) // one line for each part; writing to a hash never fails
	names := []string{}
	for _, t := range req.Tools {
		names = append(names, t.Name)
	}
	slices.Sort(names)
	_ = enc.Encode(names)
	for _, m := range req.Messages {
		switch m.Role {
		case RoleAssistant:
			for _, c := range m.ToolCalls {
				_ = enc.Encode([]any{"call", c.Name, canonical(c.Arguments)})
			}
		case RoleTool:
			_ = enc.Encode([]any{m.Role, stable(canonical(m.Content))})
		case RoleUser:
			_ = enc.Encode([]any{m.Role, folded(m.Content)})
		default:
			_ = enc.Encode([]any{m.Role, mask(folded(m.Content))})
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

func folded(text string) string { return strings.ToLower(strings.Join(strings.Fields(text), " ")) }

// canonical returns JSON as a value, so that the order of keys does not count;
// anything else is text.
func canonical(text string) any {
	var v any
	if json.Unmarshal([]byte(text), &v) != nil {
		return text
	}
	return v
}

// stable returns a value without what differs from run to run.
func stable(v any) any {
	switch v := v.(type) {
	case string:
		return mask(v)
	case []any:
		for i := range v {
			v[i] = stable(v[i])
		}
	case map[string]any:
		for key := range v {
			if strings.HasSuffix(key, "_id") && key != "patient_id" {
				v[key] = "#"
			} else {
				v[key] = stable(v[key])
			}
		}
	}
	return v
}

// volatile matches dates and times (RFC 3339, in whole or part), UUIDs and long
// hexadecimal numbers.
var volatile = regexp.MustCompile(`(?i)\b[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[t ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?(?:z|[+-][0-9]{2}:[0-9]{2})?)?\b|` +
	`\b[0-9]{2}:[0-9]{2}:[0-9]{2}\b|\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b[0-9a-f]{12,}\b`)

func mask(text string) string { return volatile.ReplaceAllString(text, "#") }
