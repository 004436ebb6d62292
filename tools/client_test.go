package tools_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/devonartis/medassist-go/tools"
)

const bearer = "secret-token"

// do calls a records API that answers as handler does.
func do(t *testing.T, handler http.HandlerFunc) (tools.Result, error) {
	t.Helper()
	srv := httptest.NewServer(handler)
	defer srv.Close()
	call, err := tools.Parse("check_drug_interactions", `{"patient_id":"P-1042","proposed_drug":"secret drug"}`)
	if err != nil {
		t.Fatal(err)
	}
	return tools.NewClient(srv.URL, nil).Do(t.Context(), call, bearer)
}

// answer is a handler that returns one answer.
func answer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// A redirect would take the token to another server.
func TestRedirectsAreNotFollowed(t *testing.T) {
	followed := false
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed = true }))
	defer other.Close()
	_, err := do(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
	})
	if err == nil || followed {
		t.Errorf("followed: %t, %v", followed, err)
	}
}

func TestAnswersOfOtherServers(t *testing.T) {
	for _, tc := range []struct {
		name    string
		handler http.HandlerFunc
		want    string
		is      error
	}{
		{"too much", answer(200, `"`+strings.Repeat("x", 257<<10)+`"`), "too large", nil},
		{"no JSON", answer(200, "<html>"), "not JSON", nil},
		{"nothing", answer(200, ""), "not JSON", nil},
		{"a failure without a reason", answer(502, "<html>"), "status 502", nil},
		{"a failure", answer(500, `{"detail":"the records are unavailable"}`), "status 500: the records are unavailable", nil},
		{"bad arguments", answer(400, `{"detail":"dose is required"}`), "dose is required", tools.ErrInvalidCall},
		{"no scope", answer(403, `{"detail":"no","missing_scope":["read:labs:P-1042"]}`), "no", tools.ErrScopeDenied},
		{"no token", answer(401, `{"detail":"no"}`), "no", tools.ErrTokenRejected},
		{"cut off", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `{"a":1}`)
		}, "cut off", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := do(t, tc.handler)
			if err == nil || !strings.Contains(err.Error(), tc.want) || tc.is != nil && !errors.Is(err, tc.is) {
				t.Fatalf("error %v, want one with %q that is %v", err, tc.want, tc.is)
			}
			for _, secret := range []string{bearer, "secret", "P-1042?", "/records/"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error contains %q: %v", secret, err)
				}
			}
		})
	}
}

// An error about the connection names neither the path nor the arguments.
func TestAnUnreachableAPI(t *testing.T) {
	srv := httptest.NewServer(nil)
	srv.Close()
	call, err := tools.Parse("check_drug_interactions", `{"patient_id":"P-1042","proposed_drug":"secret drug"}`)
	if err != nil {
		t.Fatal(err)
	}
	_, err = tools.NewClient(srv.URL, nil).Do(t.Context(), call, bearer)
	if err == nil || !strings.Contains(err.Error(), "unreachable") || strings.Contains(err.Error(), "/records/") || strings.Contains(err.Error(), "secret") {
		t.Errorf("error = %v", err)
	}
}
