package trace

import (
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/devonartis/medassist-go/internal/text"
)

// Limits of an event. A run is kept in memory and sent to every viewer, so an
// event from an excessive model or server is shortened and not refused.
const (
	maxEventBytes = 256 << 10 // of the public form
	maxLabelBytes = 1 << 10
	maxSpans      = 100
)

// limited returns the event and its public form, shortened as far as necessary.
func limited(e Event) (Event, []byte, error) {
	e.Label = text.Clip(e.Label, maxLabelBytes)
	e.Spans = e.Spans[:min(len(e.Spans), maxSpans)]
	for limit := 64 << 10; ; limit /= 4 {
		encoded, err := e.encode()
		if err != nil || len(encoded) <= maxEventBytes {
			return e, encoded, err
		}
		if limit == 0 {
			return e, nil, fmt.Errorf("the event has %d bytes", len(encoded))
		}
		v := reflect.New(reflect.TypeOf(e.Step)).Elem()
		v.Set(reflect.ValueOf(e.Step))
		shorten(v, limit)
		e.Step = v.Interface().(Step)
	}
}

// shorten clips texts to limit bytes, lists to limit/64 elements, and replaces
// longer JSON values. It copies lists before it changes them: the original
// step belongs to the caller.
func shorten(v reflect.Value, limit int) {
	switch {
	case v.Type() == reflect.TypeFor[json.RawMessage]():
		if v.Len() > limit {
			v.SetBytes(fmt.Appendf(nil, `{"omitted_bytes":%d}`, v.Len()))
		}
	case v.Kind() == reflect.String:
		v.SetString(text.Clip(v.String(), limit))
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			shorten(v.Field(i), limit)
		}
	case v.Kind() == reflect.Slice:
		n := min(v.Len(), max(limit/64, 1))
		list := reflect.MakeSlice(v.Type(), n, n)
		reflect.Copy(list, v)
		for i := range n {
			shorten(list.Index(i), limit)
		}
		if !v.IsNil() {
			v.Set(list)
		}
	}
}
