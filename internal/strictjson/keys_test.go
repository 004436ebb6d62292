package strictjson_test

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/devonartis/medassist-go/internal/strictjson"
)

// FuzzCheck compares the keys that are found with those that encoding/json reports.
func FuzzCheck(f *testing.F) {
	for _, seed := range []string{`{}`, `{"a":1,"b":[{"c":"}"},[]],"d":{"e":{}}}`, " {\n\"a\\u0041\\\"\" : -1.5e3 , \"b\":null}\t",
		`{"a":1,"A":2}`, "{\"k\":1,\"\u212a\":2}", `{"a":"\\","b":"\\\""}`, `[{"a":1}]`, `"{"`, `{"a":{"b":1,"b":2}}`, `{"a"`,
		`{"x":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		keys, err := strictjson.Check(data)
		want, ok := reference(data)
		if ok != (err == nil) || !slices.Equal(keys, want) {
			t.Errorf("%q: %q, %v; want %q, %v", data, keys, err, want, ok)
		}
	})
}

// reference is Check, written with a [json.Decoder].
func reference(data []byte) (keys []string, ok bool) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	if t, err := dec.Token(); err != nil || t != json.Delim('{') || !utf8.Valid(data) {
		return nil, false
	}
	if keys, ok = referenceObject(dec, 1); !ok {
		return nil, false
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, false
	}
	return keys, true
}

func referenceObject(dec *json.Decoder, depth int) (keys []string, ok bool) {
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return nil, false
		}
		name := t.(string)
		if slices.ContainsFunc(keys, func(k string) bool { return strings.EqualFold(k, name) }) {
			return nil, false
		}
		keys = append(keys, name)
		if !referenceValue(dec, depth) {
			return nil, false
		}
	}
	_, err := dec.Token()
	return keys, err == nil
}

func referenceValue(dec *json.Decoder, depth int) bool {
	t, err := dec.Token()
	if err != nil {
		return false
	}
	delim, nested := t.(json.Delim)
	switch {
	case !nested:
		return true
	case depth >= 32:
		return false
	case delim == '{':
		_, ok := referenceObject(dec, depth+1)
		return ok
	}
	for dec.More() {
		if !referenceValue(dec, depth+1) {
			return false
		}
	}
	_, err = dec.Token()
	return err == nil
}
