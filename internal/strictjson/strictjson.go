// Package strictjson decodes JSON objects from untrusted callers without the
// leniencies of encoding/json that let two readers of one body disagree:
// repeated keys, of which the last wins, and keys in another letter case, which
// are accepted for a field.
package strictjson

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"unicode/utf8"
)

// Decode decodes data, which must be exactly one JSON object, into the struct
// that v points to. It returns the keys that the struct has no field for, which
// are otherwise ignored. It fails if an object repeats a key, also in another
// letter case, or if a key matches a field's name only in another letter case:
// then the error is a [*KeyError].
// The error's text is safe to return to the caller: it never quotes data.
func Decode(data []byte, v any) (unknown []string, err error) {
	if !utf8.Valid(data) {
		return nil, errUTF8
	}
	decoding := json.Unmarshal(data, v) // before anything else it checks the syntax
	var syntax *json.SyntaxError
	if errors.As(decoding, &syntax) {
		return nil, errNoObject
	}
	keys, err := keysOf(data)
	if err != nil {
		return nil, err
	}
	fields := namesOf(reflect.TypeOf(v).Elem())
	for _, key := range keys {
		exact, known := fields[key.folded]
		switch {
		case !known:
			unknown = append(unknown, key.name)
		case exact != key.name:
			return nil, &KeyError{exact}
		}
	}
	if decoding != nil {
		var mismatch *json.UnmarshalTypeError
		if errors.As(decoding, &mismatch) && mismatch.Field != "" {
			return nil, &FieldError{mismatch.Field, mismatch.Value}
		}
		return nil, errNoObject
	}
	return unknown, nil
}

// A FieldError reports a value of a JSON type that its field can't have.
type FieldError struct {
	Field string // its JSON name
	Type  string // of the value, such as "number"
}

func (e *FieldError) Error() string {
	return fmt.Sprintf("the field %s must not be a JSON %s", e.Field, e.Type)
}

// A KeyError reports a key that two readers of the object could read differently.
type KeyError struct {
	Field string // the field's JSON name, if the key has another letter case; else the key is repeated
}

func (e *KeyError) Error() string {
	if e.Field == "" {
		return "a key is repeated"
	}
	return fmt.Sprintf("the key %q must be written in this letter case", e.Field)
}

var (
	errNoObject = errors.New("the body must be one JSON object")
	errUTF8     = errors.New("the body must be UTF-8")
	errDepth    = errors.New("the body is nested too deeply")
)

// Check reports an error unless data is exactly one JSON object, valid UTF-8, in
// which no object has two keys that differ at most in letter case. It returns
// the keys of the outermost object.
func Check(data []byte) (keys []string, err error) {
	if !utf8.Valid(data) {
		return nil, errUTF8
	}
	if !json.Valid(data) {
		return nil, errNoObject
	}
	found, err := keysOf(data)
	for _, k := range found {
		keys = append(keys, k.name)
	}
	return keys, err
}

// names caches what fieldNames returns, by type: the types are those of the
// program's requests.
var names sync.Map

func namesOf(t reflect.Type) map[string]string {
	if cached, ok := names.Load(t); ok {
		return cached.(map[string]string)
	}
	found := fieldNames(t)
	names.Store(t, found)
	return found
}

// fieldNames maps the folded JSON names of a struct's fields to the names.
func fieldNames(t reflect.Type) map[string]string {
	names := make(map[string]string)
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" || f.Anonymous || !f.IsExported() {
			continue
		}
		if name == "" {
			name = f.Name
		}
		names[fold(name)] = name
	}
	return names
}
