package llm

import (
	"encoding/json"
	"fmt"
	"strings"
)

// titles head the parts of an answer.
var titles = map[string]string{
	"get_patient_records":     "Records",
	"get_lab_results":         "Laboratory results",
	"get_billing_history":     "Billing",
	"get_insurance_coverage":  "Insurance",
	"check_drug_interactions": "Interaction check",
	"write_prescription":      "Prescription",
	"write_clinical_notes":    "Clinical note",
	"generate_billing_codes":  "Billing codes",
	"file_insurance_claim":    "Insurance claim",
}

const maxRows = 15 // of one table

// compose writes the answer from what the tools returned, and nothing else.
func (c conversation) compose(tasks []task) string {
	if len(c.calls) == 0 {
		return "I can show **records** and **lab results**, check **billing** and **insurance**, check **drug interactions**, " +
			"write **prescriptions** and **notes**, code services and file **claims**, for one patient at a time. " +
			"Try: *Show records, check billing, and prescribe Lisinopril*."
	}
	var b strings.Builder
	for _, call := range c.calls {
		if call.done && !call.failed() {
			c.writePart(&b, call)
		}
	}
	c.writeStopped(&b, tasks)
	c.writeRefusals(&b)
	return strings.TrimSpace(b.String())
}

func (c conversation) writePart(b *strings.Builder, call pastCall) {
	title := titles[call.tool]
	if title == "" {
		title = humanise(call.tool)
	}
	fmt.Fprintf(b, "## %s\n\n", title)
	switch call.tool {
	case "write_prescription":
		fmt.Fprintf(b, "**%v** %v %v, for %v, was prescribed for %v with authority delegated by the clinical agent.\n\n",
			cell(call.answer["drug"]), cell(call.answer["dose"]), cell(call.answer["frequency"]), cell(call.answer["indication"]), cell(call.answer["patient_id"]))
	case "write_clinical_notes":
		fmt.Fprintf(b, "Saved: *%v*\n\n", cell(call.answer["note"]))
	default:
		writeObject(b, json.RawMessage(call.result), call.answer)
	}
}

// writeObject writes an object: its plain values in a line, its lists as tables.
func writeObject(b *strings.Builder, raw json.RawMessage, object map[string]any) {
	var line []string
	keys := orderedKeys(raw)
	for _, k := range keys {
		if _, isList := object[k].([]any); !isList && cell(object[k]) != "" {
			line = append(line, fmt.Sprintf("**%s** %s", humanise(k), value(k, object)))
		}
	}
	if len(line) > 0 {
		b.WriteString(strings.Join(line, " · ") + "\n\n")
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(raw, &fields) != nil {
		return
	}
	for _, k := range keys {
		if list, ok := object[k].([]any); ok {
			var rows []json.RawMessage
			if json.Unmarshal(fields[k], &rows) == nil {
				writeTable(b, k, rows, list)
			}
		}
	}
}

func writeTable(b *strings.Builder, name string, raw []json.RawMessage, rows []any) {
	fmt.Fprintf(b, "**%s**", humanise(name))
	if len(rows) == 0 {
		b.WriteString(": none\n\n")
		return
	}
	columns := orderedKeys(raw[0])
	b.WriteString("\n\n|")
	for _, col := range columns {
		fmt.Fprintf(b, " %s |", humanise(col))
	}
	b.WriteString("\n|" + strings.Repeat(" --- |", len(columns)) + "\n")
	for i, row := range rows {
		if i == maxRows {
			fmt.Fprintf(b, "\n… and %d more.\n", len(rows)-maxRows)
			break
		}
		object, _ := row.(map[string]any)
		b.WriteString("|")
		for _, col := range columns {
			fmt.Fprintf(b, " %s |", value(col, object))
		}
		b.WriteString("\n")
	}
	b.WriteString("\n")
}

// value is a cell's text: money with its sign, flagged results and severe
// interactions so that they stand out.
func value(key string, object map[string]any) string {
	text := cell(object[key])
	switch {
	case strings.HasSuffix(key, "_usd"):
		if f, ok := object[key].(float64); ok {
			return fmt.Sprintf("$%.2f", f)
		}
	case key == "value" && object["flag"] == "H":
		return "**" + text + "** ↑"
	case key == "value" && object["flag"] == "L":
		return "**" + text + "** ↓"
	case strings.Contains(key, "severity") && (text == "major" || text == "severe"):
		return "**" + text + "**"
	}
	return text
}

// writeStopped says which prescriptions were not tried, and why.
func (c conversation) writeStopped(b *strings.Builder, tasks []task) {
	for _, t := range tasks {
		if t.tool != "write_prescription" {
			continue
		}
		if _, tried := c.find(t.tool, t.patient, t.drug); tried {
			continue
		}
		check, made := c.find("check_drug_interactions", t.patient, t.drug)
		switch {
		case made && !check.failed() && check.answer["highest_severity"] == "major":
			fmt.Fprintf(b, "## Not prescribed\n\n**%s was not prescribed**: the check found a major interaction.\n\n", t.drug)
		case made && check.failed():
			fmt.Fprintf(b, "## Not prescribed\n\n**%s was not prescribed**: it could not be checked.\n\n", t.drug)
		}
	}
}

// writeRefusals says what was refused, by whom, and what was missing.
func (c conversation) writeRefusals(b *strings.Builder) {
	first := true
	missing := map[string]bool{}
	for _, call := range c.calls {
		if !call.done || !call.failed() {
			continue
		}
		if notFound(call) {
			if !missing[call.patient] {
				fmt.Fprintf(b, "There is no patient **%s** in the records.\n\n", cell(call.patient))
			}
			missing[call.patient] = true
			continue
		}
		if first {
			b.WriteString("## Refused\n\n")
			first = false
		}
		fmt.Fprintf(b, "- **%s** for **%s**: %s\n", strings.ToLower(titles[call.tool]), cell(call.patient), reason(call))
	}
}

func reason(call pastCall) string {
	if call.answer == nil {
		return cell(call.result)
	}
	why := cell(call.answer["message"])
	if why == "" {
		why = cell(call.answer["error"])
	}
	if list, ok := call.answer["missing_scope"].([]any); ok && len(list) > 0 {
		scopes := make([]string, len(list))
		for i, s := range list {
			scopes[i] = "`" + cell(s) + "`"
		}
		why += " (missing " + strings.Join(scopes, ", ") + ")"
	}
	return why
}

// cell is a value on one line of a table.
func cell(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return strings.NewReplacer("|", "\\|", "\n", " ", "\r", " ").Replace(v)
	case bool:
		if v {
			return "yes"
		}
		return "no"
	case float64:
		return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.2f", v), "0"), ".")
	default:
		return fmt.Sprint(v)
	}
}

var abbreviations = map[string]string{"Icd10": "ICD-10", "Cpt": "CPT", "Loinc": "LOINC", "Usd": "", "Id": "ID"}

// humanise makes a heading of a field's name.
func humanise(key string) string {
	parts := strings.Split(key, "_")
	var out []string
	for i, p := range parts {
		if p == "" {
			continue
		}
		title := strings.ToUpper(p[:1]) + p[1:]
		if short, ok := abbreviations[title]; ok {
			p = short
		} else if i == 0 {
			p = title
		}
		if p != "" {
			out = append(out, p)
		}
	}
	return strings.Join(out, " ")
}
