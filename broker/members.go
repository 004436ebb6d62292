package broker

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"unicode"
)

// maxNesting is the maximum depth of a JSON body. No request needs more than two.
const maxNesting = 32

// memberNames returns the JSON names of a body type's fields by their folded form.
func memberNames(body reflect.Type) map[string]string {
	names := make(map[string]string)
	for i := range body.NumField() {
		name, _, _ := strings.Cut(body.Field(i).Tag.Get("json"), ",")
		names[fold(name)] = name
	}
	return names
}

// checkMembers checks that no object in a JSON value has two members with names
// that are equal or differ in case only, and that the outermost object spells the
// known names exactly. encoding/json takes the last of such members and ignores
// case, so a proxy or a log that reads the same body could see another value.
func checkMembers(body []byte, known map[string]string) error {
	d := json.NewDecoder(bytes.NewReader(body))
	type object struct {
		seen map[string]struct{} // nil for an array
		name bool                // a member's name comes next
	}
	var open []object
	for {
		token, err := d.Token()
		if err != nil {
			return errMalformed
		}
		top := len(open) - 1
		switch delim, isDelim := token.(json.Delim); {
		case isDelim && (delim == '}' || delim == ']'):
			open = open[:top]
			top--
		case top >= 0 && open[top].name:
			name := token.(string)
			folded := fold(name)
			if _, twice := open[top].seen[folded]; twice {
				return errMembers
			}
			if want, isKnown := known[folded]; isKnown && top == 0 && name != want {
				return errMembers
			}
			open[top].seen[folded] = struct{}{}
			open[top].name = false
			continue
		case isDelim && len(open) == maxNesting:
			return errMalformed
		case isDelim && delim == '{':
			open = append(open, object{make(map[string]struct{}), true})
			continue
		case isDelim:
			open = append(open, object{})
			continue
		}
		// A value is complete.
		if top < 0 {
			return nil
		}
		open[top].name = open[top].seen != nil
	}
}

// fold returns the form that names have in common if encoding/json considers them
// equal: every letter is replaced by the smallest one that differs in case only.
func fold(name string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
			least = min(least, next)
		}
		return least
	}, name)
}
