package llm

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
)

// maxEncodings is how often arguments may have been encoded as a JSON string.
const maxEncodings = 3

// argumentObjects repairs the form of a call's arguments and returns the JSON
// objects in them, one for each call that was meant. What can't be repaired
// comes back as it was written, alone. It undoes what servers and models do to
// the encoding (a Markdown fence, a JSON string around the object, a trailing
// comma, no arguments at all); it never completes what was cut off and never
// changes a value.
func argumentObjects(written string) []string {
	text := strings.TrimSpace(written)
	if text == "" || text == "null" {
		return []string{"{}"}
	}
	for range maxEncodings {
		text = unfenced(text)
		var inner string
		if json.Unmarshal([]byte(text), &inner) != nil {
			break
		}
		text = strings.TrimSpace(inner)
	}
	for _, candidate := range []string{text, withoutTrailingCommas(text)} {
		if objects, ok := objectsIn(candidate); ok {
			return objects
		}
	}
	return []string{written}
}

// unfenced returns what a Markdown fence surrounds.
func unfenced(text string) string {
	inner, ok := strings.CutPrefix(text, "```")
	if !ok {
		return text
	}
	inner, ok = strings.CutSuffix(strings.TrimSpace(inner), "```")
	if !ok {
		return text
	}
	if _, rest, found := strings.Cut(inner, "\n"); found && !strings.ContainsAny(inner[:len(inner)-len(rest)], "{[") {
		inner = rest // the language
	}
	return strings.TrimSpace(inner)
}

// objectsIn reports whether text is one or more JSON objects in a row.
func objectsIn(text string) (objects []string, ok bool) {
	dec := json.NewDecoder(strings.NewReader(text))
	for {
		var raw json.RawMessage
		err := dec.Decode(&raw)
		if errors.Is(err, io.EOF) {
			return objects, len(objects) > 0
		}
		if err != nil || len(raw) == 0 || raw[0] != '{' || len(objects) == maxReplyCalls {
			return nil, false
		}
		objects = append(objects, string(raw))
	}
}

// withoutTrailingCommas removes commas before a closing bracket, outside of
// strings.
func withoutTrailingCommas(text string) string {
	var out bytes.Buffer
	inString, escaped := false, false
	for i := range len(text) {
		c := text[i]
		switch {
		case escaped:
			escaped = false
		case inString && c == '\\':
			escaped = true
		case c == '"':
			inString = !inString
		case !inString && c == ',':
			if rest := strings.TrimLeft(text[i+1:], " \t\r\n"); rest != "" && (rest[0] == '}' || rest[0] == ']') {
				continue
			}
		}
		out.WriteByte(c)
	}
	return out.String()
}

// isObject reports whether text is exactly one JSON object.
func isObject(text string) bool {
	return strings.HasPrefix(strings.TrimSpace(text), "{") && json.Valid([]byte(text))
}
