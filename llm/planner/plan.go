package planner

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/sashabaranov/go-openai"
)

// maxCalls bounds the calls of a conversation.
const maxCalls = 16

// plan returns the planner's turn: the tool calls that can be made now, or the
// answer if there are none.
func plan(c conversation) turn {
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
	for _, task := range u.tasks {
		if _, made := c.made(task); made || !c.offered[task.tool] || len(c.calls)+len(t.calls) == maxCalls {
			continue
		}
		if task.tool == toolNote && task.text == "" {
			if len(t.calls) > 0 {
				continue // the note reports findings, which are not known yet
			}
			task.text = c.noteText()
		}
		if c.ready(task, u.tasks) {
			t.calls = append(t.calls, c.ask(c.withUsualDose(task), len(t.calls)))
		}
	}
	if len(t.calls) == 0 {
		t.text = c.answer(u)
	}
	return t
}

func firstID(text string) string {
	for _, t := range tokenize(text) {
		if t.kind == tokenID {
			return t.text
		}
	}
	return ""
}

// withFacts adds a read before a note that has to report findings.
func withFacts(tasks []task) []task {
	i := slices.IndexFunc(tasks, func(t task) bool { return t.tool == toolNote && t.text == "" })
	if i < 0 || len(tasks) > 1 {
		return tasks
	}
	note := tasks[i]
	return []task{{tool: toolRecords, patient: note.patient}, {tool: toolLabs, patient: note.patient}, note}
}

func (c conversation) made(t task) (call, bool) { return c.find(t.tool, t.patient, t.drug) }

// ask returns the nth tool call of this turn.
func (c conversation) ask(t task, n int) openai.ToolCall {
	args, err := json.Marshal(t.args())
	if err != nil {
		panic("planner: arguments are plain strings: " + err.Error())
	}
	return openai.ToolCall{ID: fmt.Sprintf("call_%d", c.count+n+1), Type: openai.ToolTypeFunction,
		Function: openai.FunctionCall{Name: t.tool, Arguments: string(args)}}
}

// withUsualDose completes a prescription from the result of the interaction check.
func (c conversation) withUsualDose(t task) task {
	if t.tool == toolPrescribe {
		check, _ := c.find(toolCheck, t.patient, t.drug)
		usual, _ := check.result.(object)
		t.dose, t.frequency = cmp.Or(t.dose, usual.str("usual_dose")), cmp.Or(t.frequency, usual.str("usual_frequency"))
	}
	return t
}

// ready reports whether a task can be done now.
func (c conversation) ready(t task, tasks []task) bool {
	if c.unknown(t.patient) {
		return false
	}
	switch t.tool {
	case toolPrescribe:
		return c.mayPrescribe(t)
	case toolClaim: // coding comes first
		i := slices.IndexFunc(tasks, func(o task) bool { return o.tool == toolCodes && o.patient == t.patient })
		if i < 0 || !c.offered[toolCodes] {
			return true
		}
		coded, _ := c.made(tasks[i])
		return coded.done
	}
	return true
}

// mayPrescribe reports whether a drug was checked without a finding that rules it
// out.
func (c conversation) mayPrescribe(t task) bool {
	if !c.offered[toolCheck] {
		return true
	}
	check, _ := c.find(toolCheck, t.patient, t.drug)
	if check.refused() {
		// Nothing is known about another patient, but the planner tries anyway, as a
		// model might. The broker denies it.
		return !strings.EqualFold(t.patient, c.patient)
	}
	return check.succeeded() && c.against(t, check) == ""
}

// against returns the reason that rules out a prescription according to the tools'
// results, or "" if there is none.
func (c conversation) against(t task, check call) string {
	found, _ := check.result.(object)
	for _, f := range found {
		for _, row := range objects(f.value) {
			if severity := row.str("severity"); isSevere(severity) && !strings.Contains(f.key, "allerg") {
				return fmt.Sprintf("%s interaction with **%s**. %s", inline(severity), inline(row.str("with")),
					sentences(row.str("mechanism"), row.str("advice")))
			}
		}
		if strings.Contains(f.key, "contraindicat") || strings.Contains(f.key, "conflict") {
			if list, ok := f.value.([]any); f.value == true || ok && len(list) > 0 {
				return "the check found a contraindication."
			}
		}
	}
	if severity := found.str("highest_severity"); isSevere(severity) {
		return inline(severity) + " interaction."
	}
	if found.get("in_formulary") == false {
		return "it is not in the formulary."
	}
	if chart, ok := c.find(toolRecords, t.patient, ""); ok {
		read, _ := chart.result.(object)
		for _, a := range read.list("allergies") {
			if sameDrug(a.str("substance"), t.drug) {
				return fmt.Sprintf("the patient is allergic to **%s**. %s", inline(a.str("substance")), sentences(a.str("reaction")))
			}
		}
	}
	return ""
}

func isSevere(severity string) bool {
	switch strings.ToLower(severity) {
	case "major", "severe", "contraindicated":
		return true
	}
	return false
}
