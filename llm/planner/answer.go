package planner

import (
	"fmt"
	"slices"
	"strings"

	itext "github.com/devonartis/medassist-go/internal/text"
)

// tools lists how an answer names each tool, in the order in which it offers them.
var tools = []struct {
	name, title, offer string
	writes             bool
}{
	{toolRecords, "Records", "show **records**", false},
	{toolLabs, "Laboratory results", "show **lab results**", false},
	{toolBilling, "Billing", "check **billing**", false},
	{toolInsurance, "Insurance", "check **insurance**", false},
	{toolCheck, "Interaction check", "check a drug for **interactions**", false},
	{toolPrescribe, "Prescription", "**prescribe**", true},
	{toolNote, "Clinical note", "write **notes**", true},
	{toolCodes, "Billing codes", "**code** services", true},
	{toolClaim, "Insurance claim", "file **claims**", true},
}

func writes(tool string) bool {
	for _, t := range tools {
		if t.name == tool {
			return t.writes
		}
	}
	return false
}

// title returns a heading for a call: "Prescription of Lisinopril".
func title(tool, drug string) string {
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

// answer returns the answer in Markdown. It is based on the tools' results and on
// nothing else.
func (c conversation) answer(u understood) string {
	var b strings.Builder
	c.writeSummary(&b, u)
	for _, call := range c.calls {
		if call.succeeded() {
			fmt.Fprintf(&b, "## %s\n\n", c.heading(call))
			writeValue(&b, call)
		}
	}
	c.writeUnknown(&b)
	c.writeNotPrescribed(&b, u)
	c.writeFailures(&b, u.tasks, "Refused", call.refused)
	c.writeFailures(&b, u.tasks, "Failed", func(call call) bool { return !call.refused() })
	c.writeRemarks(&b, u)
	if b.Len() == 0 {
		return c.offer()
	}
	return strings.TrimSpace(b.String())
}

// offer describes what the planner can do with the offered tools.
func (c conversation) offer() string {
	var can []string
	for _, t := range tools {
		if c.offered[t.name] {
			can = append(can, t.offer)
		}
	}
	if len(can) == 0 {
		return "I can do nothing without tools, and was offered none that I know."
	}
	return fmt.Sprintf("I can %s for patient %s. Try: *Show records, check billing, and prescribe Lisinopril*.",
		strings.Join(can, ", "), inline(c.patient))
}

// writeSummary writes one line about what was done and what was not, if there was
// more than one thing to do.
func (c conversation) writeSummary(b *strings.Builder, u understood) {
	if len(c.calls) < 2 && len(u.tasks) < 2 {
		return
	}
	var read, written, stopped, refused, failed []string
	for _, call := range c.calls {
		list := &failed
		switch {
		case call.notFound():
			continue
		case call.succeeded() && writes(call.tool):
			list = &written
		case call.succeeded():
			list = &read
		case call.refused():
			list = &refused
		}
		*list = append(*list, c.heading(call))
	}
	for _, t := range c.notPrescribed(u) {
		stopped = append(stopped, inline(t.drug))
	}
	var parts []string
	for _, part := range []struct {
		name  string
		items []string
	}{{"Read", read}, {"Written", written}, {"Not prescribed", stopped}, {"Refused", refused}, {"Failed", failed}} {
		if len(part.items) > 0 {
			parts = append(parts, fmt.Sprintf("**%s**: %s.", part.name, strings.Join(part.items, "; ")))
		}
	}
	if len(parts) > 0 {
		fmt.Fprintf(b, "%s\n\n", strings.Join(parts, " "))
	}
}

// heading returns a call's title, with the patient if it is not the run's.
func (c conversation) heading(call call) string {
	if strings.EqualFold(call.patient, c.patient) {
		return title(call.tool, call.drug)
	}
	return fmt.Sprintf("%s, %s", title(call.tool, call.drug), inline(call.patient))
}

// writeUnknown writes, once for each unknown patient, that the patient does not exist.
func (c conversation) writeUnknown(b *strings.Builder) {
	var said []string
	for _, call := range c.calls {
		if call.notFound() && !slices.Contains(said, call.patient) {
			said = append(said, call.patient)
			fmt.Fprintf(b, "There is no patient **%s** in the records: nothing could be read or written.\n\n", inline(call.patient))
		}
	}
}

// notPrescribed returns the prescriptions that were requested and checked but not
// attempted.
func (c conversation) notPrescribed(u understood) []task {
	var out []task
	for _, t := range u.tasks {
		check, _ := c.find(toolCheck, t.patient, t.drug)
		if _, tried := c.made(t); t.tool == toolPrescribe && !tried && check.done && !check.notFound() {
			out = append(out, t)
		}
	}
	return out
}

// writeNotPrescribed explains why they were not attempted.
func (c conversation) writeNotPrescribed(b *strings.Builder, u understood) {
	for _, t := range c.notPrescribed(u) {
		why := "it could not be checked against what the patient takes."
		if check, _ := c.find(toolCheck, t.patient, t.drug); check.succeeded() {
			why = c.against(t, check)
		}
		fmt.Fprintf(b, "## Not prescribed: %s\n\n%s was **not prescribed**: %s\n\n", inline(t.drug), inline(t.drug), why)
	}
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
		if slices.ContainsFunc(tasks, func(t task) bool { return t.injected && t.tool == call.tool && t.patient == call.patient }) {
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
	out := fmt.Sprintf("refused by %s. Missing: %s.", by, codeList(missing))
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

// writeRemarks lists what could not be attempted.
func (c conversation) writeRemarks(b *strings.Builder, u understood) {
	if u.unnamed {
		b.WriteString("To prescribe, I need the name of a drug.\n\n")
	}
	for _, t := range u.tasks {
		if !c.offered[t.tool] {
			fmt.Fprintf(b, "%s: I was not offered a tool for that.\n\n", title(t.tool, t.drug))
		}
	}
	if len(c.calls) >= maxCalls {
		fmt.Fprintf(b, "I stopped after %d tool calls; there may be more to do.\n\n", len(c.calls))
	}
}

// maxNote is the maximum length, in bytes, of a note that the planner composes.
const maxNote = 1000

// noteText composes a note for a request that gives no text for it: what was
// requested, what was read, and which results are out of range.
func (c conversation) noteText() string {
	var read, abnormal []string
	for _, call := range c.calls {
		if !call.succeeded() || !strings.EqualFold(call.patient, c.patient) {
			continue
		}
		read = append(read, strings.ToLower(title(call.tool, call.drug)))
		found, _ := call.result.(object)
		for _, row := range found.list("results") {
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
