package tools

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/devonartis/medassist-go/internal/strictjson"
	"github.com/devonartis/medassist-go/patient"
)

// maxArguments is the largest size of a call's arguments, in bytes.
const maxArguments = 16 << 10

// A Call is a parsed tool call.
type Call struct {
	Tool    Tool
	Patient patient.ID
	// Args are the arguments as JSON for display: those of the request, and
	// the ignored ones as the model wrote them.
	Args json.RawMessage
	// Ignored names the arguments that the tool does not have.
	Ignored []string

	request map[string]any // arguments of the request, without the patient
}

// RequiredScopes returns the scopes that this call requires.
func (c Call) RequiredScopes() []string { return c.Tool.RequiredScopes(c.Patient) }

// A ParseError is a tool call that could not be parsed. Its text is meant for
// the model and for the trace.
type ParseError struct{ Reason string }

func (e *ParseError) Error() string { return e.Reason }

// Parse parses a tool call as a model wrote it. The arguments must be one JSON
// object about one patient. Parse is lenient with all but the patient ID, so
// that a call beyond the agent's authority reaches the gate and is denied there;
// whether the arguments are complete is decided by the records API. Every error
// is a [*ParseError].
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
	if _, err := strictjson.Check([]byte(arguments)); err != nil {
		return refuse("the arguments of %s must be one JSON object without repeated keys", name)
	}
	var args map[string]any
	dec := json.NewDecoder(strings.NewReader(arguments))
	dec.UseNumber()
	if err := dec.Decode(&args); err != nil {
		return refuse("the arguments of %s must be one JSON object", name)
	}
	raw, ok := args["patient_id"]
	if !ok {
		return refuse("patient_id is missing: which patient is %s about?", name)
	}
	text, ok := raw.(string)
	if !ok {
		return refuse(`patient_id must be one string, such as "P-1042": one call is about one patient`)
	}
	id, err := patient.ParseID(strings.TrimSpace(text))
	if err != nil {
		return refuse("patient_id is not valid: %v", err)
	}
	call := Call{Tool: tool, Patient: id, request: make(map[string]any)}
	delete(args, "patient_id")
	for _, p := range tool.params {
		v, given := args[p.name]
		if !given && p.older != "" {
			v, given = args[p.older]
			delete(args, p.older)
		}
		delete(args, p.name)
		if !given || v == nil {
			continue
		}
		if call.request[p.name], ok = p.convert(v); !ok {
			return refuse("%s of %s must be %s", p.name, name, p.kind)
		}
	}
	shown := map[string]any{"patient_id": id.String()}
	for key, v := range call.request {
		shown[key] = v
	}
	for key, v := range args {
		shown[key] = v
		call.Ignored = append(call.Ignored, key)
	}
	slices.Sort(call.Ignored)
	if call.Args, err = marshal(shown); err != nil {
		return refuse("the arguments of %s can't be read", name)
	}
	return call, nil
}

func (k kind) String() string {
	return [...]string{kindText: "a text", kindTexts: "a list of texts", kindNumber: "a number"}[k]
}

// marshal encodes v on one line, with "<", ">" and "&" unescaped.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSpace(b.Bytes()), err
}

func names() []string {
	var out []string
	for _, t := range catalogue {
		out = append(out, t.Name)
	}
	return out
}
