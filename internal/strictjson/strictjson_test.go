package strictjson_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/devonartis/medassist-go/internal/strictjson"
)

type body struct {
	Note  string   `json:"note"`
	Task  string   `json:"task_id"`
	Codes []string `json:"codes,omitempty"`
	Count int
}

func TestDecode(t *testing.T) {
	for _, tc := range []struct {
		name, in string
		unknown  []string
		err      string
	}{
		{"fields", `{"note":"x","codes":["a"],"Count":3}`, nil, ""},
		{"white space around it", " {\"note\":\"x\"}\n", nil, ""},
		{"unknown keys", `{"note":"x","as":"admin","NB":1}`, []string{"as", "NB"}, ""},
		{"the same key in two objects", `{"note":"x","a":{"b":1},"c":[{"b":1},{"b":2}]}`, []string{"a", "c"}, ""},
		{"a repeated key", `{"note":"x","note":"y"}`, nil, "repeated"},
		{"a repeated key in another case", `{"note":"x","Note":"y"}`, nil, "repeated"},
		{"a repeated unknown key", `{"a":1,"A":2}`, nil, "repeated"},
		{"a repeated key, escaped", `{"note":"x","n\u006fte":"y"}`, nil, "repeated"},
		{"a repeated key below", `{"a":[{"b":{"c":1,"c":2}}]}`, nil, "repeated"},
		{"a field in another case", `{"Note":"x"}`, nil, "letter case"},
		{"a field with a Kelvin sign", "{\"tas\u212a_id\":\"x\"}", nil, "letter case"},
		{"a field with a long s", "{\"ta\u017fk_id\":\"x\"}", nil, "letter case"},
		{"a wrong type", `{"note":7}`, nil, "note must not be a JSON number"},
		{"nothing", ``, nil, "one JSON object"},
		{"null", `null`, nil, "one JSON object"},
		{"an array", `[]`, nil, "one JSON object"},
		{"two objects", `{}{}`, nil, "one JSON object"},
		{"trailing text", `{} x`, nil, "one JSON object"},
		{"a cut object", `{"note":"x"`, nil, "one JSON object"},
		{"a cut array", `{"codes":["x"`, nil, "one JSON object"},
		{"invalid UTF-8", "{\"note\":\"\xff\"}", nil, "UTF-8"},
		{"deep nesting", `{"a":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`, nil, "too deeply"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var v body
			unknown, err := strictjson.Decode([]byte(tc.in), &v)
			if (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
				t.Errorf("error %v, want %q", err, tc.err)
			}
			if !slices.Equal(unknown, tc.unknown) {
				t.Errorf("unknown keys %q, want %q", unknown, tc.unknown)
			}
		})
	}
}
