package tools_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/devonartis/medassist-go/tools"
)

// What a records API can do to its client: the token goes nowhere else, the
// response is bounded, and an error names neither the token nor the patient.
func TestClientAgainstMisbehavingAPI(t *testing.T) {
	const token = "a-bearer-token"
	call, err := tools.Parse("get_lab_results", `{"patient_id":"P-1042"}`)
	if err != nil {
		t.Fatal(err)
	}
	followed := false
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		followed = true
		w.Write([]byte(`{}`))
	}))
	defer other.Close()
	for name, answer := range map[string]http.HandlerFunc{
		"a redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
		},
		"a huge response": func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(`{}` + strings.Repeat(" ", 8<<20))) },
		"no response":     func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		api := httptest.NewServer(answer)
		_, err := tools.NewClient(api.URL, nil).Do(t.Context(), call, token)
		api.Close()
		if err == nil || strings.Contains(err.Error(), token) || strings.Contains(err.Error(), "P-1042") {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if followed {
		t.Error("a redirect was followed")
	}
}
