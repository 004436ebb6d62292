package planner

import (
	"encoding/json"
	"errors"
	"io"
	"iter"
	"strings"
)

// maxDepth bounds the nesting of JSON. Tools return flat objects and lists of them.
const maxDepth = 16

// An object is a JSON object that keeps the order of its fields.
// Values are object, []any, string, json.Number, bool or nil.
type object []field

type field struct {
	key   string
	value any
}

func (o object) get(key string) any {
	for _, f := range o {
		if f.key == key {
			return f.value
		}
	}
	return nil
}

// str returns a field's text, or "".
func (o object) str(key string) string {
	s, _ := o.get(key).(string)
	return s
}

// list returns the objects of a list field.
func (o object) list(key string) []object { return objects(o.get(key)) }

func objects(v any) []object {
	list, _ := v.([]any)
	var out []object
	for _, item := range list {
		if row, ok := item.(object); ok {
			out = append(out, row)
		}
	}
	return out
}

// parseJSON reads one JSON value.
func parseJSON(text string) (any, error) {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	v, err := parseValue(dec, 0)
	if err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one value")
	}
	return v, nil
}

func parseValue(dec *json.Decoder, depth int) (any, error) {
	if depth > maxDepth {
		return nil, errors.New("nested too deep")
	}
	t, err := dec.Token()
	if err != nil {
		return nil, err
	}
	delim, ok := t.(json.Delim)
	if !ok {
		return t, nil
	}
	o, list := object{}, []any{}
	for dec.More() {
		var f field
		if delim == '{' {
			key, err := dec.Token()
			if err != nil {
				return nil, err
			}
			f.key, _ = key.(string)
		}
		if f.value, err = parseValue(dec, depth+1); err != nil {
			return nil, err
		}
		o, list = append(o, f), append(list, f.value)
	}
	if _, err := dec.Token(); err != nil {
		return nil, err
	}
	if delim == '{' {
		return o, nil
	}
	return list, nil
}

// texts yields every string in a value.
func texts(v any) iter.Seq[string] {
	return func(yield func(string) bool) { walk(v, yield) }
}

func walk(v any, yield func(string) bool) bool {
	switch v := v.(type) {
	case string:
		return yield(v)
	case []any:
		for _, item := range v {
			if !walk(item, yield) {
				return false
			}
		}
	case object:
		for _, f := range v {
			if !walk(f.value, yield) {
				return false
			}
		}
	}
	return true
}
