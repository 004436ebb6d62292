package tools

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/devonartis/medassist-go/patient"
)

// A param is one argument of a tool.
type param struct {
	name     string
	kind     kind
	required bool
	max      int    // characters of a text
	hint     string // description in the schema
	older    string // the name that earlier versions used, still accepted
}

// A kind is the type of an argument.
type kind int

const (
	kindText kind = iota
	kindTexts
	kindNumber
)

// Limits of a list.
const (
	maxItems    = 10
	maxItemText = 200
)

// property is a JSON schema of the plain kind that every vendor accepts: one
// type, no union, no references.
type property struct {
	Type        string    `json:"type"`
	Description string    `json:"description,omitempty"`
	Pattern     string    `json:"pattern,omitempty"`
	MaxLength   int       `json:"maxLength,omitempty"`
	Items       *property `json:"items,omitempty"`
	MaxItems    int       `json:"maxItems,omitempty"`
}

func (p param) property() property {
	switch p.kind {
	case kindTexts:
		return property{Type: "array", Description: p.hint, MaxItems: maxItems, Items: &property{Type: "string", MaxLength: maxItemText}}
	case kindNumber:
		return property{Type: "number", Description: p.hint}
	default:
		return property{Type: "string", Description: p.hint, MaxLength: p.max}
	}
}

// Schema returns the JSON schema of the tool's arguments.
func (t Tool) Schema() json.RawMessage {
	properties := map[string]property{"patient_id": {Type: "string", Pattern: "^[A-Za-z0-9._-]+$", MaxLength: patient.MaxIDLength}}
	required := []string{"patient_id"}
	for _, p := range t.params {
		properties[p.name] = p.property()
		if p.required {
			required = append(required, p.name)
		}
	}
	schema, err := json.Marshal(map[string]any{"type": "object", "properties": properties, "required": required})
	if err != nil {
		panic("tools: schema of " + t.Name + ": " + err.Error()) // the catalogue is constant
	}
	return schema
}

// convert returns an argument in the parameter's type, and false if it has none.
// It is lenient where the meaning is clear: spaces are trimmed, numbers are
// taken as text and text as a number or as the only item of a list.
func (p param) convert(v any) (any, bool) {
	switch p.kind {
	case kindTexts:
		list, ok := v.([]any)
		if !ok {
			list = []any{v}
		}
		texts := []string{}
		for _, item := range list {
			s, ok := textOf(item)
			if !ok {
				return nil, false
			}
			texts = append(texts, s)
		}
		return texts, true
	case kindNumber:
		s, ok := textOf(v)
		if !ok {
			return nil, false
		}
		f, err := strconv.ParseFloat(strings.TrimPrefix(s, "$"), 64)
		if err != nil || f-f != 0 { // neither NaN nor infinite
			return nil, false
		}
		return f, true
	default:
		return onlyText(v)
	}
}

// onlyText is textOf, which also accepts a list of one item.
func onlyText(v any) (any, bool) {
	if list, ok := v.([]any); ok && len(list) == 1 {
		v = list[0]
	}
	return textOf(v)
}

func textOf(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return strings.TrimSpace(v), true
	case json.Number:
		return v.String(), true
	default:
		return "", false
	}
}
