package planner

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	itext "github.com/devonartis/medassist-go/internal/text"
)

// Bounds of what an answer shows.
const (
	maxRows    = 20  // of a table
	maxColumns = 10  // likewise
	maxCell    = 400 // bytes of a text in it
	longText   = 80  // bytes above which a text gets a paragraph of its own
)

// writeValue writes the result of a call.
func writeValue(b *strings.Builder, c call) {
	switch v := c.result.(type) {
	case object:
		writeObject(b, slices.DeleteFunc(slices.Clone(v), func(f field) bool {
			return (f.key == "patient_id" || f.key == "id") && f.value == c.patient // the heading shows it
		}))
	case []any:
		writeList(b, "", v)
	default:
		fmt.Fprintf(b, "%s\n\n", inline(c.text))
	}
}

// writeObject writes an object: short values on one line, long texts as paragraphs,
// lists as tables.
func writeObject(b *strings.Builder, o object) {
	var line []string
	for _, f := range o {
		if text := cell(f.key, o); isPlain(f.value) && text != "" && len(text) <= longText {
			line = append(line, fmt.Sprintf("**%s** %s", humanise(f.key), text))
		}
	}
	if len(line) > 0 {
		fmt.Fprintf(b, "%s\n\n", strings.Join(line, " · "))
	}
	for _, f := range o {
		switch v := f.value.(type) {
		case []any:
			writeList(b, humanise(f.key), v)
		case object:
			fmt.Fprintf(b, "**%s**\n\n", humanise(f.key))
			writeObject(b, v)
		default:
			if text := cell(f.key, o); len(text) > longText {
				fmt.Fprintf(b, "**%s** %s\n\n", humanise(f.key), text)
			}
		}
	}
}

// writeList writes a list: objects as a table, anything else as items.
func writeList(b *strings.Builder, name string, list []any) {
	rows := objects(list)
	switch {
	case len(list) == 0:
		fmt.Fprintf(b, "**%s**: none\n\n", name)
		return
	case name != "":
		fmt.Fprintf(b, "**%s**%s\n\n", name, outOfRange(rows))
	}
	if len(rows) == len(list) {
		writeTable(b, rows[:min(len(rows), maxRows)])
	} else {
		for _, item := range list[:min(len(list), maxRows)] {
			fmt.Fprintf(b, "- %s\n", plain(item))
		}
		b.WriteString("\n")
	}
	if more := len(list) - maxRows; more > 0 {
		fmt.Fprintf(b, "… and %d more.\n\n", more)
	}
}

// outOfRange counts the flagged rows.
func outOfRange(rows []object) string {
	flagged := 0
	for _, row := range rows {
		if _, isText := row.get("flag").(string); !isText {
			return ""
		}
		if row.str("flag") != "" {
			flagged++
		}
	}
	return fmt.Sprintf(": %d of %d out of range", flagged, len(rows))
}

func writeTable(b *strings.Builder, rows []object) {
	columns := columnsOf(rows)
	for _, col := range columns {
		fmt.Fprintf(b, "| %s ", humanise(col))
	}
	b.WriteString("|\n" + strings.Repeat("| --- ", len(columns)) + "|\n")
	for _, row := range rows {
		for _, col := range columns {
			fmt.Fprintf(b, "| %s ", cell(col, row))
		}
		b.WriteString("|\n")
	}
	b.WriteString("\n")
}

// columnsOf returns the fields that are not empty in every row. Units and flags are
// shown with their values.
func columnsOf(rows []object) []string {
	var out []string
	for _, row := range rows {
		for _, f := range row {
			merged := row.get("value") != nil && (f.key == "unit" || f.key == "flag")
			if !merged && cell(f.key, row) != "" && !slices.Contains(out, f.key) && len(out) < maxColumns {
				out = append(out, f.key)
			}
		}
	}
	// The order is that of the first row with all fields, usually the first row.
	slices.SortStableFunc(out, func(a, b string) int { return position(rows[0], a) - position(rows[0], b) })
	return out
}

func position(o object, key string) int {
	if i := slices.IndexFunc(o, func(f field) bool { return f.key == key }); i >= 0 {
		return i
	}
	return len(o)
}

// cell returns the text of a field: money with its sign, values with their unit (in
// bold and with an arrow if flagged), severity highlighted.
func cell(key string, o object) string {
	v := o.get(key)
	text := plain(v)
	number, isNumber := v.(json.Number)
	switch {
	case text == "":
		return ""
	case strings.HasSuffix(key, "_usd") && isNumber:
		if amount, negative := strings.CutPrefix(number.String(), "-"); negative {
			return "-$" + amount
		}
		return "$" + text
	case key == "value":
		if flag := flagWord(o.str("flag")); flag != "" {
			return fmt.Sprintf("**%s** %s", inline(quantity(o)), flag)
		}
		return inline(quantity(o))
	case strings.Contains(key, "severity") && (isSevere(text) || text == "moderate"):
		return "**" + text + "**"
	}
	return text
}

// quantity returns a value with its unit.
func quantity(o object) string {
	return strings.TrimSpace(fmt.Sprint(o.get("value")) + " " + o.str("unit"))
}

// flagWord spells out the flag of a laboratory result (HL7 table 0078).
func flagWord(flag string) string {
	switch flag {
	case "H":
		return "↑ high"
	case "HH":
		return "↑↑ critically high"
	case "L":
		return "↓ low"
	case "LL":
		return "↓↓ critically low"
	}
	return inline(flag)
}

func isPlain(v any) bool {
	switch v.(type) {
	case []any, object:
		return false
	}
	return true
}

// plain returns a value on one line.
func plain(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return inline(v)
	case json.Number:
		return v.String()
	case bool:
		if v {
			return "yes"
		}
		return "no"
	case []any:
		var items []string
		for _, item := range v {
			items = append(items, plain(item))
		}
		return itext.Clip(strings.Join(items, ", "), maxCell)
	case object:
		var items []string
		for _, f := range v {
			items = append(items, humanise(f.key)+" "+plain(f.value))
		}
		return itext.Clip(strings.Join(items, ", "), maxCell)
	}
	return ""
}

var markdown = strings.NewReplacer(`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "<", `\<`, ">", `\>`, "|", `\|`, "#", `\#`, "~", `\~`)

// inline returns text on one line with Markdown escaped.
func inline(text string) string {
	return markdown.Replace(itext.Clip(strings.Join(strings.Fields(text), " "), maxCell))
}

// sentences joins texts and ends each with a full stop.
func sentences(texts ...string) string {
	var out []string
	for _, t := range texts {
		if t = strings.TrimRight(strings.TrimSpace(t), "."); t != "" {
			out = append(out, inline(t)+".")
		}
	}
	return strings.Join(out, " ")
}

var abbreviations = map[string]string{"icd10": "ICD-10", "cpt": "CPT", "loinc": "LOINC", "usd": "", "id": "ID"}

// humanise returns a heading for a field name: "balance_usd" is "Balance".
func humanise(key string) string {
	var out []string
	for word := range strings.SplitSeq(key, "_") {
		if short, ok := abbreviations[word]; ok {
			word = short
		}
		if word != "" {
			out = append(out, word)
		}
	}
	text := strings.Join(out, " ")
	if text == "" {
		return inline(key)
	}
	return inline(itext.Capitalize(text))
}
