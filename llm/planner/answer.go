package planner

import (
	"fmt"
	"slices"
	"strings"

	itext "github.com/devonartis/medassist-go/internal/text"
)

// tools lists how an answer names each tool, in the order in which it offers them.
var tools = []struct{ name, title, offer string }{
	{toolRecords, "Records", "show **records**"},
	{toolLabs, "Laboratory results", "show **lab results**"},
	{toolBilling, "Billing", "check **billing**"},
	{toolInsurance, "Insurance", "check **insurance**"},
	{toolCheck, "Interaction check", "check a drug for **interactions**"},
	{toolPrescribe, "Prescription", "**prescribe**"},
	{toolNote, "Clinical note", "write **notes**"},
	{toolCodes, "Billing codes", "**code** services"},
	{toolClaim, "Insurance claim", "file **claims**"},
}

// title returns a heading for a call: "Prescription of Lisinopril".
func title(tool, drug string) string {
	if tool == toolCheck && drug == noDrug {
		return "Medications"
	}
	name := humanise(tool)
	for _, t := range tools {
		if t.name == tool {
			name = t.title
		}
	}
	if drug != "" {
		name += " of " + inline(drug)
	}
	return name
}

// heading returns a call's title, with the patient if it is not the run's.
func (c conversation) heading(call call) string {
	if call.patient == c.patient {
		return title(call.tool, call.drug)
	}
	return fmt.Sprintf("%s, %s", title(call.tool, call.drug), inline(call.patient))
}

// answer returns the answer in Markdown: first what the request asks for, in a
// sentence for each thing, then the results that it is based on, then what was
// denied or failed. It is based on the tools' results and on nothing else.
func (c conversation) answer(u understood) string {
	lead := c.lead(u)
	if len(lead) == 0 {
		return c.offer(u)
	}
	var b strings.Builder
	b.WriteString(strings.Join(lead, " ") + "\n\n")
	for _, call := range c.calls {
		if call.succeeded() {
			fmt.Fprintf(&b, "## %s\n\n", c.heading(call))
			writeValue(&b, c.focused(call, u.tasks))
		}
	}
	c.writeFailures(&b, u.tasks, "Denied", call.refused)
	c.writeFailures(&b, u.tasks, "Failed", func(call call) bool { return !call.refused() })
	return strings.TrimSpace(b.String())
}

// lead returns the sentences that an answer begins with.
func (c conversation) lead(u understood) []string {
	var out []string
	say := func(text string) {
		if text != "" && !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	prescriptions := 0
	for _, t := range u.tasks {
		if t.topic == prescribe && t.patient == c.patient {
			if prescriptions++; prescriptions > maxDrugs {
				say(fmt.Sprintf("I prescribe at most %d drugs in one request: **%s** was not prescribed.", maxDrugs, inline(t.about)))
				continue
			}
		}
		say(c.say(t, u.tasks))
	}
	say(c.sayUnknown())
	say(c.sayDenied())
	for _, what := range u.cannot {
		say("There is no tool that " + what + ".")
	}
	for _, name := range u.strangers {
		say(fmt.Sprintf("I do not know a patient named **%s**: give the patient's ID, such as P-2187.", inline(name)))
	}
	if u.unnamed {
		say("To prescribe, I need the name of a drug.")
	}
	if u.depends {
		say("Nothing was prescribed: I can't decide a condition. Prescribe it if the condition holds.")
	}
	for _, t := range u.tasks {
		say(c.sayNotOffered(t))
	}
	if len(c.calls) >= maxCalls {
		say(fmt.Sprintf("I stopped after %d tool calls; there may be more to do.", len(c.calls)))
	}
	if u.cut && len(out) > 0 {
		say("The request was too long: I read only its beginning.")
	}
	return out
}

// sayNotOffered tells that a task's tool was not offered.
func (c conversation) sayNotOffered(t task) string {
	tool := t.tool()
	if c.offered[tool] {
		return ""
	}
	return fmt.Sprintf("%s: I was not offered a tool for that.", title(tool, ""))
}

// tool returns the tool that a task ends with.
func (t task) tool() string {
	switch t.topic {
	case safety, interactions, refill, change:
		return toolCheck
	case prescribe:
		return toolPrescribe
	case note:
		return toolNote
	case code:
		return toolCodes
	case claim:
		return toolClaim
	}
	return sources[t.topic].tool
}

// offer describes what the planner can do with the offered tools.
func (c conversation) offer(u understood) string {
	var can []string
	for _, t := range tools {
		if c.offered[t.name] {
			can = append(can, t.offer)
		}
	}
	if len(can) == 0 {
		return "I was not offered a tool that I know, so I can't do anything."
	}
	begin := "I did not understand that. "
	switch {
	case u.greeted:
		begin = "Hello. "
	case strings.TrimSpace(c.request) == "":
		begin = ""
	}
	return fmt.Sprintf("%sI can %s for patient %s. Try: *What medications does she take?*, or *Show records, check billing, and prescribe Lisinopril*. "+
		"I follow rules and am not a language model; a real model can be connected instead.", begin, strings.Join(can, ", "), inline(c.patient))
}

// focused returns a call with the part of its result that the tasks ask about: all of
// it if one asks for the whole.
func (c conversation) focused(have call, tasks []task) call {
	whole, ok := have.result.(object)
	if !ok {
		return have
	}
	var fields []string
	var about []string // tests
	narrow := true
	for _, t := range tasks {
		from, reads := sources[t.topic]
		switch {
		case t.patient != have.patient || t.injected:
		case reads && from.tool == have.tool && (have.tool != toolCheck || c.listedWith(t) == have.drug):
			fields = append(fields, from.fields...)
			narrow = narrow && from.fields != nil
			if t.topic == test {
				about = append(about, t.about)
			}
		case (t.topic == safety || t.topic == prescribe) && have.tool == toolRecords:
			fields = append(fields, "allergies")
		case t.topic == claim && have.tool == toolBilling:
			fields = append(fields, "claims")
		case t.topic == note && have.tool == toolRecords:
			narrow = false
		case t.topic == refill || t.topic == change || t.topic == interactions && t.about == "":
			if have.tool == toolCheck && have.drug == c.listedWith(t) {
				fields = append(fields, "active_medications")
			}
		case t.tool() == have.tool:
			narrow = narrow && have.tool == toolCheck && have.drug == noDrug
		}
	}
	if !narrow || len(fields) == 0 {
		return have
	}
	var kept object
	for _, f := range whole {
		if slices.Contains(fields, f.key) {
			if len(about) > 0 && f.key == "results" {
				f.value = rowsAbout(objects(f.value), about)
			}
			kept = append(kept, f)
		}
	}
	have.result = kept
	return have
}

// rowsAbout returns the laboratory results of some tests; all of them if there is none.
func rowsAbout(rows []object, about []string) []any {
	var all, out []any
	for _, row := range rows {
		all = append(all, row)
		if slices.ContainsFunc(about, func(test string) bool { return isTest(row, test) }) {
			out = append(out, row)
		}
	}
	if len(out) == 0 {
		return all
	}
	return out
}

// sayUnknown tells which patients do not exist.
func (c conversation) sayUnknown() string {
	var unknown []string
	for _, call := range c.calls {
		if call.notFound() && !slices.Contains(unknown, call.patient) {
			unknown = append(unknown, call.patient)
		}
	}
	if len(unknown) == 0 {
		return ""
	}
	return fmt.Sprintf("There is no patient **%s** in the records: nothing could be read or written.", inline(strings.Join(unknown, ", ")))
}

// sayDenied tells which calls were denied or failed.
func (c conversation) sayDenied() string {
	var denied, failures, wrong []string
	for _, call := range c.calls {
		said, failed := call.failure()
		name := strings.ToLower(title(call.tool, ""))
		switch {
		case call.refused() && call.patient != c.patient:
			denied = append(denied, fmt.Sprintf("%s of %s", name, inline(call.patient)))
		case call.refused():
			denied = append(denied, name)
		case failed && said.str("error") == "invalid_call" && call.patient != c.patient:
			wrong = append(wrong, "“"+inline(call.patient)+"” is not a patient ID. An ID looks like P-1042, and must be written exactly.")
		case failed && !call.notFound():
			failures = append(failures, name)
		}
	}
	if len(failures) > 0 {
		wrong = append([]string{fmt.Sprintf("Failed: %s.", strings.Join(slices.Compact(failures), ", "))}, wrong...)
	}
	if len(denied) > 0 {
		wrong = append([]string{fmt.Sprintf("Denied: %s.", strings.Join(slices.Compact(denied), ", "))}, wrong...)
	}
	return strings.Join(slices.Compact(wrong), " ")
}

// writeFailures lists the calls that were denied or failed.
func (c conversation) writeFailures(b *strings.Builder, tasks []task, heading string, which func(call) bool) {
	var lines []string
	for _, call := range c.calls {
		said, failed := call.failure()
		if !failed || call.notFound() || !which(call) {
			continue
		}
		line := fmt.Sprintf("- **%s** for **%s**: %s", title(call.tool, call.drug), inline(call.patient), explain(said))
		if slices.ContainsFunc(tasks, func(t task) bool { return t.injected && t.tool() == call.tool && t.patient == call.patient }) {
			line += " *This was not in your request: a text among the results asked for it.*"
		}
		lines = append(lines, line)
	}
	if len(lines) > 0 {
		fmt.Fprintf(b, "## %s\n\n%s\n\n", heading, strings.Join(lines, "\n"))
	}
}

// explain returns why a call failed: who denied it and which scope was missing, or
// else the message in the result.
func explain(said object) string {
	missing, _ := said.get("missing_scope").([]any)
	by := map[string]string{"gate": "the gate", "broker": "the broker", "records": "the records API"}[said.str("refused_by")]
	if len(missing) == 0 || by == "" {
		for _, key := range []string{"message", "error"} {
			if text := said.str(key); text != "" {
				return sentences(text)
			}
		}
	}
	held, _ := said.get("held_scope").([]any)
	out := fmt.Sprintf("denied by %s. Missing: %s.", by, codeList(missing))
	if len(held) > 0 {
		out += fmt.Sprintf(" Held: %s.", codeList(held))
	}
	return out
}

func codeList(items []any) string {
	var out []string
	for _, item := range items {
		if s, ok := item.(string); ok {
			out = append(out, "`"+strings.ReplaceAll(s, "`", "")+"`")
		}
	}
	return strings.Join(out, ", ")
}

// maxNote is the maximum length, in bytes, of a note that the planner composes.
const maxNote = 1000

// noteText composes a note for a request that gives no text for it: what was
// requested, what was read, and which results are out of range.
func (c conversation) noteText() string {
	var read, abnormal []string
	for _, call := range c.calls {
		if !call.succeeded() || call.patient != c.patient {
			continue
		}
		read = append(read, strings.ToLower(title(call.tool, call.drug)))
		for _, row := range call.object().list("results") {
			if flag := flagWord(row.str("flag")); flag != "" {
				abnormal = append(abnormal, fmt.Sprintf("%s %s (%s)", row.str("test"), quantity(row), flag))
			}
		}
	}
	text := "Request: " + strings.TrimRight(strings.Join(strings.Fields(c.request), " "), ".") + "."
	if len(read) > 0 {
		text += " Reviewed: " + strings.Join(read, ", ") + "."
	}
	if len(abnormal) > 0 {
		text += " Out of range: " + strings.Join(abnormal, ", ") + "."
	}
	return itext.Clip(text, maxNote)
}
