package planner

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/sashabaranov/go-openai"
)

// Bounds of a conversation.
const (
	maxCalls = 24 // tool calls
	maxDrugs = 4  // prescriptions: each takes two turns, of which an application may allow ten
)

// noDrug is the drug of an interaction check whose purpose is the medication list: no
// other tool returns it.
const noDrug = "none"

// A request is a tool call that a task needs.
type request struct {
	tool, patient, drug string
	args                map[string]any // beside the patient and the drug
}

// plan returns the planner's turn: the tool calls that can be made now, or the
// answer if there are none.
func plan(c conversation) turn {
	if text := foreign(c.request); text != "" {
		return turn{text: text}
	}
	if c.patient == "" {
		c.patient = firstID(c.request)
	}
	if c.patient == "" {
		return turn{text: "Which patient is this about? Name one, such as P-1042."}
	}
	u := understand(c.request, c.patient)
	u.tasks = append(u.tasks, c.injected(u.tasks)...)
	u.tasks = withFacts(u.tasks)
	var t turn
	var asked []request
	ask := func(r request) {
		made := slices.ContainsFunc(asked, func(o request) bool {
			return o.tool == r.tool && o.patient == r.patient && strings.EqualFold(o.drug, r.drug)
		})
		if made || !c.offered[r.tool] || len(c.calls)+len(t.calls) == maxCalls {
			return
		}
		asked = append(asked, r)
		t.calls = append(t.calls, c.toolCall(r, len(t.calls)))
	}
	var notes []task
	for i, task := range u.tasks {
		switch {
		case c.unknown(task.patient), task.topic == prescribe && c.waits(u.tasks, i):
		case task.topic == note:
			notes = append(notes, task)
		default:
			for _, r := range c.next(task, u.tasks) {
				ask(r)
			}
		}
	}
	for _, n := range notes {
		if n.text == "" && len(t.calls) > 0 {
			break // the note reports findings, which are not known yet
		}
		for _, r := range c.next(n, u.tasks) {
			ask(r)
		}
	}
	if len(t.calls) == 0 {
		t.text = c.answer(u)
	}
	return t
}

func firstID(text string) string {
	tokens, _ := tokenize(text)
	for _, t := range tokens {
		if t.kind == tokenID {
			return t.text
		}
	}
	return ""
}

// withFacts adds reads before a note that has to report findings.
func withFacts(tasks []task) []task {
	i := slices.IndexFunc(tasks, func(t task) bool { return t.topic == note && t.text == "" })
	if i < 0 || len(tasks) > 1 {
		return tasks
	}
	n := tasks[i]
	return []task{{topic: chart, patient: n.patient}, {topic: labs, patient: n.patient}, n}
}

// waits reports whether a prescription has to wait for an earlier one: what is
// prescribed first counts in the interaction check of the next.
func (c conversation) waits(tasks []task, i int) bool {
	earlier := 0
	for _, t := range tasks[:i] {
		if t.topic != prescribe || t.patient != tasks[i].patient {
			continue
		}
		if earlier++; len(c.next(t, tasks)) > 0 {
			return true
		}
	}
	return earlier >= maxDrugs
}

// toolCall returns the nth tool call of this turn.
func (c conversation) toolCall(r request, n int) openai.ToolCall {
	args := map[string]any{"patient_id": r.patient}
	for key, value := range r.args {
		if value != "" {
			args[key] = value
		}
	}
	switch r.tool {
	case toolCheck:
		args["proposed_drug"] = r.drug
	case toolPrescribe:
		args["drug"] = r.drug
	}
	encoded, err := json.Marshal(args)
	if err != nil {
		panic("planner: arguments are plain strings: " + err.Error())
	}
	return openai.ToolCall{ID: fmt.Sprintf("call_%d", c.count+n+1), Type: openai.ToolTypeFunction,
		Function: openai.FunctionCall{Name: r.tool, Arguments: string(encoded)}}
}

// next returns the tool calls that a task needs now: those that can be made and were
// not made yet.
func (c conversation) next(t task, tasks []task) []request {
	var out []request
	need := func(tool, drug string) {
		if _, made := c.find(tool, t.patient, drug); !made {
			out = append(out, request{tool: tool, patient: t.patient, drug: drug})
		}
	}
	switch t.topic {
	case medications, refill, change:
		need(toolCheck, c.listedWith(t))
	case interactions:
		c.nextInteractions(t, need)
	case safety:
		need(toolRecords, "")
		need(toolCheck, t.about)
	case prescribe:
		return c.nextPrescription(t)
	case code:
		if _, made := c.find(toolCodes, t.patient, ""); !made {
			return []request{{tool: toolCodes, patient: t.patient, args: procedures(t.text)}}
		}
	case claim:
		return c.nextClaim(t, tasks)
	case note:
		if _, made := c.findNote(t); !made {
			text := t.text
			if text == "" {
				text = c.noteText()
			}
			return []request{{tool: toolNote, patient: t.patient, args: map[string]any{"notes": text}}}
		}
	default:
		need(sources[t.topic].tool, "")
	}
	return out
}

// listedWith returns the drug of the interaction check that shows the medication
// list: the task's own, one that the request checks anyway, or none.
func (c conversation) listedWith(t task) string {
	if _, group := classNamed(t.about); t.about != "" && !group {
		return t.about
	}
	for _, have := range c.calls {
		if have.tool == toolCheck && have.patient == t.patient && have.succeeded() {
			return have.drug
		}
	}
	return noDrug
}

// nextInteractions asks for a drug's interactions or, if none is named, for those of
// each active medication with the others.
func (c conversation) nextInteractions(t task, need func(tool, drug string)) {
	if t.about != "" {
		need(toolCheck, t.about)
		return
	}
	need(toolCheck, noDrug)
	list, _ := c.find(toolCheck, t.patient, noDrug)
	for _, m := range list.object().list("active_medications") {
		if drug := m.str("drug"); drug != "" && len(drug) <= maxDrugName {
			need(toolCheck, drug)
		}
	}
}
