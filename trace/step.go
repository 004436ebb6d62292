package trace

import (
	"encoding/json"
	"fmt"
	"reflect"
)

// A Type names a kind of step. The values are part of the public contract.
type Type string

// A Step is the payload of an [Event]: one Go type for each [Type]. The set is
// closed, so that a linter can check that a switch over steps covers all of it.
//
//sumtype:decl
type Step interface {
	Type() Type
	step()
}

// registered holds the zero value of every step. Decoding, [Types] and [Steps]
// derive from it; a test reports a Step that is missing here.
//
// To add a step type, in this order:
//
//  1. *_steps.go here: the constant of its Type, the struct with its JSON keys, and
//     its methods Type and step.
//  2. registered below, and a value in the table of step_test.go.
//  3. docs/openapi/app.yaml: the type and the keys of its detail. The tests of this
//     package compare them.
//  4. agents: what happens appends the step to the trace, with a test.
//  5. The switches over steps that `make lint` reports. A step that does not concern
//     one of them joins its case without a body.
//  6. Switches with a default, which it does not report: twin/play.go and projection.go
//     of web/run, and, if the step decides about a call, why.go and step.go of web/run.
var registered = []Step{
	Validation{}, PatientLookup{}, BrokerHealth{}, BrokerWait{},
	LLMStart{}, LLMWait{}, LLMDelta{}, LLMResponse{},
	AgentCreated{}, AgentError{}, TokenValidated{}, Delegation{}, DelegationDenied{},
	ToolCall{}, ToolError{}, ScopeDenied{}, TokenRejected{},
	TokenRenewed{}, TokenReleased{}, ReleaseError{}, PostReleaseValidation{},
	Incident{}, TokenRevoked{}, StolenTokenUsed{},
	Cancelled{}, RunError{}, Complete{},
}

var goTypes = func() map[Type]reflect.Type {
	m := make(map[Type]reflect.Type, len(registered))
	for _, s := range registered {
		m[s.Type()] = reflect.TypeOf(s)
	}
	return m
}()

// Steps returns the zero value of every step.
func Steps() []Step { return append([]Step(nil), registered...) }

// Types returns every step type, in the order of [Steps].
func Types() []Type {
	types := make([]Type, len(registered))
	for i, s := range registered {
		types[i] = s.Type()
	}
	return types
}

// publicType returns the type under which a step is published: its own, except
// that the check of a token that a renewal replaced is a token_validated step, as
// in the Python demo.
func publicType(s Step) Type {
	if check, ok := s.(PostReleaseValidation); ok && check.Token == TokenOfRenewal {
		return TypeTokenValidated
	}
	return s.Type()
}

// decodeStep decodes a detail into the Go type that was published as t.
func decodeStep(t Type, detail json.RawMessage) (Step, error) {
	if t == TypeTokenValidated {
		var replaced struct {
			Context string `json:"context"`
		}
		if err := json.Unmarshal(detail, &replaced); err == nil && replaced.Context == contextRenewed {
			t = TypePostReleaseValidation
		}
	}
	goType, ok := goTypes[t]
	if !ok {
		return nil, fmt.Errorf("trace: unknown step type %q", t)
	}
	v := reflect.New(goType)
	if err := json.Unmarshal(detail, v.Interface()); err != nil {
		return nil, fmt.Errorf("trace: detail of %s: %w", t, err)
	}
	return v.Elem().Interface().(Step), nil
}
