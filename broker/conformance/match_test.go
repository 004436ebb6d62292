package conformance

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// masks are the volatile values of a recording, and the patterns that match them.
var masks = map[string]string{
	"<jwt>":       `[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{86}`,
	"<hex16>":     `[0-9a-f]{16}`,
	"<hex32>":     `[0-9a-f]{32}`,
	"<hex64>":     `[0-9a-f]{64}`,
	"<hex128>":    `[0-9a-f]{128}`,
	"<evt>":       `evt-[0-9]{6,}`,
	"<ts>":        `[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})`,
	"<set>":       `.+`,
	"<app_id>":    `[A-Za-z0-9._-]+`,
	"<client_id>": `[A-Za-z0-9._-]+`,
	"<app_name>":  `[a-z][a-z0-9-]*`,
}

// pattern is the regular expression of a recorded text.
func pattern(recorded string) *regexp.Regexp {
	expr := regexp.QuoteMeta(recorded)
	for mask, with := range masks {
		expr = strings.ReplaceAll(expr, regexp.QuoteMeta(mask), with)
	}
	return regexp.MustCompile("^" + expr + "$")
}

// differences compares an answer with its recording, and says where they part.
// A member that the recording lacks is a difference too, but for extra ones.
func differences(at string, recorded, got any, extra ...string) []string {
	switch want := recorded.(type) {
	case map[string]any:
		object, ok := got.(map[string]any)
		if !ok {
			return []string{fmt.Sprintf("%s: got %v, want an object", at, got)}
		}
		var diffs []string
		for _, name := range slices.Sorted(maps.Keys(want)) {
			value, ok := object[name]
			if !ok {
				diffs = append(diffs, fmt.Sprintf("%s.%s is missing", at, name))
				continue
			}
			diffs = append(diffs, differences(at+"."+name, want[name], value)...)
		}
		for _, name := range slices.Sorted(maps.Keys(object)) {
			if _, ok := want[name]; !ok && !slices.Contains(extra, name) {
				diffs = append(diffs, fmt.Sprintf("%s.%s = %v was not recorded", at, name, object[name]))
			}
		}
		return diffs
	case []any:
		list, ok := got.([]any)
		if !ok || len(list) != len(want) {
			return []string{fmt.Sprintf("%s: got %v, want %d elements", at, got, len(want))}
		}
		var diffs []string
		for i := range want {
			diffs = append(diffs, differences(fmt.Sprintf("%s[%d]", at, i), want[i], list[i])...)
		}
		return diffs
	case string:
		if want == "<int>" {
			if n, ok := got.(json.Number); ok && !strings.ContainsAny(n.String(), ".eE") {
				return nil
			}
			return []string{fmt.Sprintf("%s: got %v, want an integer", at, got)}
		}
		if text, ok := got.(string); ok && pattern(want).MatchString(text) {
			return nil
		}
	default:
		if recorded == got {
			return nil
		}
	}
	return []string{fmt.Sprintf("%s: got %v, want %v", at, got, recorded)}
}
