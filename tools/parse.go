package tools

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/devonartis/medassist-go/patient"
)

// Bounds on what a model may write.
const (
	maxArguments = 16 << 10 // bytes of a call's arguments
	maxText      = 4000     // characters of one of them
)

// Call is a tool call that was understood.
type Call struct {
	Tool    Tool
	Patient patient.ID
	Args    json.RawMessage // as understood, keys in order
}

// RequiredScopes is what a token must hold for this call.
func (c Call) RequiredScopes() []string { return c.Tool.RequiredScopes(c.Patient) }

// ParseError is a call that was not understood. Its text is meant for the
// model, which may do better next time, and for the trace.
type ParseError struct{ Reason string }

func (e *ParseError) Error() string { return e.Reason }

// Parse reads a tool call as a model wrote it: the arguments must be one JSON
// object that the tool's schema allows, about one patient. Every error is a
// [*ParseError].
func Parse(name, arguments string) (Call, error) {
	refuse := func(format string, args ...any) (Call, error) {
		return Call{}, &ParseError{fmt.Sprintf(format, args...)}
	}
	tool, ok := ByName(name)
	if !ok {
		return refuse("there is no tool of that name; the tools are %s", strings.Join(names(), ", "))
	}
	if len(arguments) > maxArguments {
		return refuse("the arguments of %s are longer than %d bytes", name, maxArguments)
	}
	var args map[string]any
	if err := json.Unmarshal([]byte(arguments), &args); err != nil || args == nil {
		return refuse("the arguments of %s must be one JSON object", name)
	}
	raw, ok := args["patient_id"]
	if !ok {
		return refuse("patient_id is missing: say which patient %s is about", name)
	}
	text, ok := raw.(string)
	if !ok {
		return refuse(`patient_id must be one string, such as "P-1042": one call is about one patient`)
	}
	id, err := patient.ParseID(text)
	if err != nil {
		return refuse("patient_id can't be used: %v", err)
	}
	if err := tool.check.Validate(args); err != nil {
		return refuse("the arguments of %s do not fit its schema: %v", name, err)
	}
	canonical, err := json.Marshal(args)
	if err != nil {
		return refuse("the arguments of %s can't be read", name)
	}
	return Call{Tool: tool, Patient: id, Args: canonical}, nil
}

func names() []string {
	var out []string
	for _, t := range catalogue {
		out = append(out, t.Name)
	}
	return out
}
