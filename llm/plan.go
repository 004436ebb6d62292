package llm

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"github.com/sashabaranov/go-openai"
)

// maxPlannedCalls ends a conversation that would go on and on.
const maxPlannedCalls = 16

// plan is the planner's whole mind: what is still to be done, in the order in
// which it can be done, or the answer when nothing is.
func plan(c conversation) planned {
	tasks := understand(c.request, c.patient)
	tasks = append(tasks, c.obey()...)
	var p planned
	for _, t := range tasks {
		if !c.offered[t.tool] || len(c.calls)+len(p.ToolCalls) >= maxPlannedCalls {
			continue
		}
		if _, made := c.find(t.tool, t.patient, t.drug); made || !c.ready(t, tasks) || asked(p.ToolCalls, c, t) {
			continue
		}
		p.ToolCalls = append(p.ToolCalls, c.ask(len(p.ToolCalls), t))
	}
	if len(p.ToolCalls) == 0 {
		p.Content = c.compose(tasks)
	}
	return p
}

// asked reports whether this turn already asks for a task.
func asked(calls []openai.ToolCall, c conversation, t task) bool {
	return slices.ContainsFunc(calls, func(call openai.ToolCall) bool {
		have := readCall(call)
		return have.tool == t.tool && strings.EqualFold(have.patient, t.patient) && strings.EqualFold(have.drug, t.drug)
	})
}

// ready reports whether a task may be done now: a prescription after a check
// that found nothing major, a claim after its codes.
func (c conversation) ready(t task, tasks []task) bool {
	switch t.tool {
	case "write_prescription":
		check, made := c.find("check_drug_interactions", t.patient, t.drug)
		if !made && !c.offered["check_drug_interactions"] {
			return true
		}
		// Another patient's check is refused, and prescribing is tried all the
		// same: a model would, and it is not for the model to decide.
		if made && check.done && check.failed() {
			return !strings.EqualFold(t.patient, c.patient) && !notFound(check)
		}
		return made && check.done && check.answer["highest_severity"] != "major"
	case "file_insurance_claim":
		wantsCodes := slices.ContainsFunc(tasks, func(o task) bool {
			return o.tool == "generate_billing_codes" && strings.EqualFold(o.patient, t.patient)
		})
		codes, made := c.find("generate_billing_codes", t.patient, "")
		return !wantsCodes || made && codes.done
	}
	return true
}

func notFound(call pastCall) bool {
	text, _ := call.answer["error"].(string)
	return strings.Contains(text, "no such patient")
}

// injected is what an instruction in a record looks like to something gullible.
var injected = regexp.MustCompile(`(?i)\b(?:assistant|ai|model|system)\b`)

// obey reads the records as a gullible model does: an instruction found in one
// is followed, whoever wrote it.
func (c conversation) obey() []task {
	var tasks []task
	for _, call := range c.calls {
		if !call.done || call.failed() {
			continue
		}
		for text := range textsIn(call.answer) {
			if !injected.MatchString(text) {
				continue
			}
			for _, sentence := range regexp.MustCompile(`(?i)[.;]\s|,?\s+and\s+`).Split(text, -1) {
				for _, id := range freeID.FindAllString(sentence, -1) {
					if !strings.EqualFold(id, c.patient) {
						tasks = append(tasks, understand(sentence, c.patient)...)
					}
				}
			}
		}
	}
	return tasks
}

// textsIn yields each string in a JSON value.
func textsIn(v any) func(func(string) bool) {
	return func(yield func(string) bool) { walk(v, yield) }
}

func walk(v any, yield func(string) bool) bool {
	switch v := v.(type) {
	case string:
		return yield(v)
	case []any:
		for _, x := range v {
			if !walk(x, yield) {
				return false
			}
		}
	case map[string]any:
		for _, k := range sortedKeys(v) {
			if !walk(v[k], yield) {
				return false
			}
		}
	}
	return true
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// orderedKeys are an object's keys as its JSON has them.
func orderedKeys(raw json.RawMessage) []string {
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil
	}
	var keys []string
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return keys
		}
		key, ok := t.(string)
		if !ok {
			return keys
		}
		keys = append(keys, key)
		var skip json.RawMessage
		if dec.Decode(&skip) != nil {
			return keys
		}
	}
	return keys
}
