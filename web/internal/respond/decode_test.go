package respond

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

type visit struct {
	Patient string `json:"patient_id"`
	Request string `json:"request"`
	Pace    string `json:"pace"`
}

func TestDecodeIsStrict(t *testing.T) {
	const good = `{"patient_id":"P-1042","request":"Show labs","pace":"step"}`
	tests := []struct {
		name, contentType, body string
		status                  int // 0 means accepted
		detail                  string
	}{
		{"JSON", "application/json", good, 0, ""},
		{"JSON in UTF-8", "application/json; charset=utf-8", good, 0, ""},
		{"the type that curl -d sends", "application/x-www-form-urlencoded", good, 0, ""},
		{"no type", "", good, 0, ""},
		{"space around it", "", "\n " + good + " \n", 0, ""},

		{"text", "text/plain", good, 415, "application/json"},
		{"multipart", "multipart/form-data; boundary=x", good, 415, "application/json"},
		{"a malformed type", "application/json; =", good, 415, "application/json"},
		{"an empty body", "", "", 400, "one JSON object"},
		{"null", "", "null", 400, "one JSON object"},
		{"an array", "", "[" + good + "]", 400, ""},
		{"half an object", "", good[:20], 400, "one JSON object"},
		{"two objects", "", good + good, 400, "one JSON object"},
		{"trailing text", "", good + "x", 400, "one JSON object"},
		{"an unknown field", "", strings.Replace(good, "{", `{"admin":true,"nested":{"a":[1]},`, 1), 0, ""},
		{"an unknown field in two cases", "", strings.Replace(good, "{", `{"a":1,"A":2,`, 1), 400, "repeated"},
		{"an array as patient", "", `{"patient_id":["P-1042","P-2187"]}`, 400, "atient_id must not be a JSON "},
		{"a number as patient", "", `{"patient_id":1042}`, 400, "atient_id must not be a JSON "},
		{"a field twice", "", `{"patient_id":"P-1042","request":"Show labs","pace":"step","patient_id":"P-2187"}`, 400, "repeated"},
		{"a field twice, in another case", "", `{"patient_id":"P-1042","Patient_ID":"P-2187"}`, 400, "repeated"},
		{"a field twice, escaped", "", `{"patient_id":"P-1042","patient\u005fid":"P-2187"}`, 400, "repeated"},
		{"a field in another case", "", `{"Patient_id":"P-1042"}`, 400, "\"patient_id\" must be written in this letter case"},
		{"a field in capitals", "", `{"REQUEST":"Show labs"}`, 400, "letter case"},
		{"a field with a long s", "", "{\"reque\u017ft\":\"x\"}", 400, "letter case"},
		{"an object as patient", "", `{"patient_id":{"patient_id":"P-1042"}}`, 400, "atient_id must not be a JSON object"},
		{"invalid UTF-8", "", "{\"request\":\"\xff\"}", 400, "UTF-8"},
		{"deep nesting", "", `{"request":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + "}", 400, "too deeply"},
		{"a large body", "", `{"request":"` + strings.Repeat("x", MaxBody) + `"}`, 413, "larger than 65536 bytes"},
		{"a large rest", "", good + strings.Repeat(" ", MaxBody) + good, 413, "larger than 65536 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(tt.body))
			r.Header.Set("Content-Type", tt.contentType)
			got, err := Decode[visit](httptest.NewRecorder(), r)
			check(t, got, err, tt.status, tt.detail)
		})
	}
}

func TestDecodeFormIsStrict(t *testing.T) {
	good := url.Values{"patient_id": {"P-1042"}, "request": {"Show labs"}, "pace": {"step"}}.Encode()
	tests := []struct {
		name, body string
		status     int
		detail     string
	}{
		{"a form", good, 0, ""},
		{"a field twice", good + "&patient_id=P-2187", 0, ""},
		{"an unknown field", good + "&admin=true", 400, `"admin"`},
		{"a field in another case", strings.Replace(good, "request", "Request", 1), 400, "letter case"},
		{"a field twice, in another case", good + "&Request=x", 400, "repeated"},
		{"a malformed form", good + "&%zz", 400, "can't be read"},
		{"a large form", good + "&request=" + strings.Repeat("x", MaxBody), 413, "larger than 65536 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, "/?pace=instant", strings.NewReader(tt.body))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			got, err := DecodeForm[visit](httptest.NewRecorder(), r)
			check(t, got, err, tt.status, tt.detail)
		})
	}
}

func check(t *testing.T, got visit, err error, status int, detail string) {
	t.Helper()
	var e *Error
	switch {
	case status == 0:
		if want := (visit{"P-1042", "Show labs", "step"}); err != nil || got != want {
			t.Errorf("%+v, %v", got, err)
		}
	case !errors.As(err, &e):
		t.Errorf("accepted as %+v (%v)", got, err)
	case e.Status != status || !strings.Contains(e.Detail, detail):
		t.Errorf("%d %s", e.Status, e.Detail)
	}
}
