package llm

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// adaptation is what a client has learned about its server: what it refuses,
// and where it answers. It never changes once it is in use; learn returns a
// new one.
type adaptation struct {
	base        int      // index of the endpoint's base URL
	api         API      // APIChat or APIResponses
	dropped     []string // parameters and message fields that are not sent
	oneCall     bool     // a message may hold only one tool call
	keepTools   bool     // a history with tool calls needs tools
	tokensField string   // the name of the limit on tokens
}

// droppable are the parameters that a request can do without.
var droppable = []string{"stream_options", "parallel_tool_calls", "temperature", "reasoning_effort", "include", "store"}

// unknownFields are fields of messages that go back to the server because it
// sent them. A gateway may refuse what its own backend sent.
var unknownFields = append([]string{"provider_specific_fields", "thinking_blocks"}, returnedFields...)

var (
	refusesField  = regexp.MustCompile(`(?i)unsupported|not support|unknown|unrecogni[sz]ed|not permitted|not allowed|forbidden|cannot find|unexpected|extra (input|field)|invalid`)
	refusesCalls  = regexp.MustCompile(`(?i)(single|one) tool[- _]?calls?|multiple tool[- _]?calls?|parallel tool[- _]?calls? (is|are) not`)
	wantsTools    = regexp.MustCompile("(?i)must define tools|toolConfig.{0,40}(must|required|missing)|tools[=`'\"]*( param\\w*| field)?( must| is required| to be (passed|provided|defined)| are required)")
	wantResponses = regexp.MustCompile(`(?i)v1/responses|responses api|responses endpoint`)
	aboutModel    = regexp.MustCompile(`(?i)model|deployment`)
)

// learn returns what a refusal teaches, and whether it teaches anything: then
// the request can be repeated. sent is the body that was refused.
func (a adaptation) learn(e *Error, end endpoint, wanted API, sent string) (adaptation, bool) {
	told := e.said.message + " " + e.said.param
	switch e.Status {
	case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusNotImplemented:
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		if a.base+1 < len(end.bases) && !aboutModel.MatchString(e.said.message) {
			a.base++
			return a, true
		}
	case http.StatusInternalServerError: // templates fail so, of llama.cpp for one
		if !a.oneCall && refusesCalls.MatchString(told) {
			a.oneCall = true
			return a, true
		}
		return a, false
	default:
		return a, false
	}
	if !a.keepTools && wantsTools.MatchString(told) && !strings.Contains(sent, `"tools":`) {
		a.keepTools = true
		return a, true
	}
	if wanted == APIAuto && a.api == APIChat && wantResponses.MatchString(told) {
		a.api = APIResponses
		return a, true
	}
	if e.Kind == KindContext || e.Kind == KindQuota {
		return a, false
	}
	if !a.oneCall && refusesCalls.MatchString(told) {
		a.oneCall = true
		return a, true
	}
	for _, name := range []string{"max_tokens", "max_completion_tokens", "max_output_tokens"} {
		if a.tokensField != name || !strings.Contains(told, name) {
			continue
		}
		other := map[string]string{"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}[name]
		if other == "" || slices.Contains(a.dropped, other) {
			return a.drop(name), true
		}
		a = a.drop(name)
		a.tokensField = other
		return a, true
	}
	for _, name := range droppable {
		if strings.Contains(told, name) && strings.Contains(sent, `"`+name+`"`) && !slices.Contains(a.dropped, name) {
			return a.drop(name), true
		}
	}
	for _, name := range unknownFields {
		if strings.Contains(told, name) && refusesField.MatchString(told) && strings.Contains(sent, `"`+name+`"`) && !slices.Contains(a.dropped, name) {
			return a.drop(name), true
		}
	}
	return a, false
}

func (a adaptation) drop(name string) adaptation {
	a.dropped = append(slices.Clone(a.dropped), name)
	return a
}

func (a adaptation) drops(name string) bool { return slices.Contains(a.dropped, name) }

// toolChoiceNone keeps the model from calling the tools of a request.
const toolChoiceNone = "none"

// tools returns the tools of a request. If it offers none and the server wants
// those of its history defined, they are the ones that the conversation has
// called, with their arguments left open; the model must then not call them.
func (a adaptation) tools(req Request) []Tool {
	if len(req.Tools) > 0 || !a.keepTools {
		return req.Tools
	}
	var called []Tool
	for _, msg := range req.Messages {
		for _, c := range msg.ToolCalls {
			if !slices.ContainsFunc(called, func(t Tool) bool { return t.Name == c.Name }) {
				called = append(called, Tool{Name: c.Name, Parameters: json.RawMessage(`{"type":"object","properties":{}}`)})
			}
		}
	}
	return called
}
