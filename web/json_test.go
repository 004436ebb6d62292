package web

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestDecodeIsStrict(t *testing.T) {
	const good = `{"patient_id":"P-1042","request":"Show labs","pace":"step"}`
	tests := []struct {
		name, kind, body string
		status           int    // 0 means accepted
		says             string // to whoever sent it
	}{
		{"JSON", "application/json", good, 0, ""},
		{"JSON in UTF-8", "application/json; charset=utf-8", good, 0, ""},
		{"what curl -d says", "application/x-www-form-urlencoded", good, 0, ""},
		{"no type", "", good, 0, ""},
		{"space around it", "", "\n " + good + " \n", 0, ""},

		{"text", "text/plain", good, 415, "application/json"},
		{"a form of parts", "multipart/form-data; boundary=x", good, 415, "application/json"},
		{"a type that is none", "application/json; =", good, 415, "application/json"},
		{"nothing", "", "", 400, "one JSON object"},
		{"null", "", "null", 400, "one JSON object"},
		{"an array", "", "[" + good + "]", 400, ""},
		{"half of it", "", good[:20], 400, "one JSON object"},
		{"two objects", "", good + good, 400, "nothing after it"},
		{"something after it", "", good + "x", 400, "nothing after it"},
		{"an unknown field", "", `{"patient_id":"P-1042","admin":true}`, 400, `"admin"`},
		{"a list of patients", "", `{"patient_id":["P-1042","P-2187"]}`, 400, "patient_id must be a string"},
		{"a number", "", `{"patient_id":1042}`, 400, "patient_id must be a string"},
		{"a large one", "", `{"request":"` + strings.Repeat("x", maxBody) + `"}`, 413, "larger than 65536 bytes"},
		{"a large rest", "", good + strings.Repeat(" ", maxBody) + good, 400, "nothing after it"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, "/api/runs", strings.NewReader(tt.body))
			r.Header.Set("Content-Type", tt.kind)
			got, err := decode[requestBody](httptest.NewRecorder(), r)
			var input *inputError
			switch {
			case tt.status == 0:
				if want := (requestBody{PatientID: "P-1042", Request: "Show labs", Pace: "step"}); err != nil || got != want {
					t.Errorf("%+v, %v", got, err)
				}
			case !errors.As(err, &input):
				t.Errorf("accepted as %+v (%v)", got, err)
			case input.status != tt.status || !strings.Contains(input.detail, tt.says):
				t.Errorf("%d %s", input.status, input.detail)
			}
		})
	}
}

func TestOnlyThisMachineIsLocal(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "localhost:5000": true, "LOCALHOST:5000": true, "127.0.0.1:5000": true, "127.8.8.8": true, "[::1]:5000": true, "[::1]": true,
		"": false, "evil.example": false, "evil.example:5000": false, "127.0.0.1.evil.example": false, "localhost.evil.example:5000": false,
		"192.168.1.7:5000": false, "0.0.0.0:5000": false, "[::]:5000": false, "127.0.0.1@evil.example": false, "127.1": false, "2130706433": false,
	} {
		if got := localName(host); got != want {
			t.Errorf("%q is local: %v", host, got)
		}
	}
}
