package agentwrit_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/agentwrit"
)

// server serves h in place of a broker, to test how clients handle one that
// misbehaves.
func server(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv.URL
}

func answer(status int, media, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", media)
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

func problemDoc(status int, code, detail string) http.HandlerFunc {
	return answer(status, "application/problem+json", fmt.Sprintf(`{"status":%d,"error_code":%q,"detail":%q,"request_id":"r-1"}`, status, code, detail))
}

func TestMisbehavingBrokers(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		server http.HandlerFunc
		want   error
	}{
		{"garbage", answer(200, "application/json", "{nope"), agentwrit.ErrProtocol},
		{"HTML", answer(200, "text/html", "<h1>hello</h1>"), agentwrit.ErrProtocol},
		{"JSON as HTML", answer(200, "text/html", `{"valid":true,"claims":{"sub":"x"}}`), agentwrit.ErrProtocol},
		{"a verdict with status 302", answer(302, "application/json", `{"valid":true,"claims":{"sub":"x"}}`), agentwrit.ErrProtocol},
		{"JSON without a media type", answer(200, "", `{"valid":true,"claims":{"sub":"x"}}`), agentwrit.ErrProtocol},
		{"valid without claims", answer(200, "application/json", `{"valid":true}`), agentwrit.ErrProtocol},
		{"nothing", answer(200, "application/json", ""), agentwrit.ErrProtocol},
		{"100 MB", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, `{"valid":true,"claims":{"sub":"x"}}`)
			chunk := []byte(strings.Repeat(" ", 1<<20))
			for range 100 {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		}, agentwrit.ErrProtocol},
		{"an endless problem", answer(400, "application/problem+json", `{"detail":"`+strings.Repeat("x", 1<<20)+`"}`), agentwrit.ErrInvalidRequest},
		{"a refusal in plain text", answer(403, "text/plain", "no"), agentwrit.ErrAuthorization},
		{"400", problemDoc(400, "invalid_request", "what?"), agentwrit.ErrInvalidRequest},
		{"401", problemDoc(401, "unauthorized", "no"), agentwrit.ErrAuthentication},
		{"403", problemDoc(403, "scope_violation", "no"), agentwrit.ErrAuthorization},
		{"404", problemDoc(404, "not_found", "no"), agentwrit.ErrNotFound},
		{"409", problemDoc(409, "conflict", "no"), agentwrit.ErrConflict},
		{"500", problemDoc(500, "internal_error", "no"), agentwrit.ErrServer},
		{"503", problemDoc(503, "unavailable", "no"), agentwrit.ErrUnavailable},
		{"slow", func(_ http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		}, agentwrit.ErrTransport},
		{"cuts off", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Length", "1000")
			io.WriteString(w, `{"valid":`)
		}, agentwrit.ErrTransport},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := agentwrit.Validate(t.Context(), server(t, tc.server), "secret-token", agentwrit.WithTimeout(2*time.Second))
			if !errors.Is(err, tc.want) {
				t.Errorf("validate = %v, want %v", err, tc.want)
			}
			if errors.Is(err, agentwrit.ErrTokenInvalid) {
				t.Error("the response of a misbehaving broker counts as a verdict on the token")
			}
			if err != nil && (strings.Contains(err.Error(), "secret-token") || len(err.Error()) > 1500) {
				t.Errorf("the error reveals or repeats too much: %.200s", err)
			}
		})
	}
}

// A redirect is not followed, so no credential goes where it leads.
func TestNoCredentialFollowsARedirect(t *testing.T) {
	var reached atomic.Bool
	elsewhere := server(t, func(http.ResponseWriter, *http.Request) { reached.Store(true) })
	for _, status := range []int{301, 302, 303, 307, 308} {
		url := server(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere, status) })
		app, err := agentwrit.NewApp(url, "id", "the-secret")
		if err != nil {
			t.Fatal(err)
		}
		_, err = app.CreateAgent(t.Context(), agentwrit.AgentRequest{OrchID: "o", TaskID: "t", Scope: []string{"read:data:a"}})
		if !errors.Is(err, agentwrit.ErrProtocol) || strings.Contains(fmt.Sprint(err), "the-secret") {
			t.Errorf("%d: %v, want ErrProtocol", status, err)
		}
	}
	if reached.Load() {
		t.Error("a redirect was followed")
	}
}

// Calls are repeated where that is safe, and only there.
func TestRetries(t *testing.T) {
	for _, tc := range []struct {
		name  string
		first http.HandlerFunc
		call  func(ctx context.Context, url string) error
		asked int32
	}{
		{"validate after 500", problemDoc(500, "internal_error", "no"), validate, 2},
		{"validate after 503", problemDoc(503, "unavailable", "no"), validate, 2},
		{"validate after 429", problemDoc(429, "rate_limited", "slow down"), validate, 2},
		{"validate after 400", problemDoc(400, "invalid_request", "no"), validate, 1},
		{"login after 401", problemDoc(401, "unauthorized", "no"), login, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var asked atomic.Int32
			url := server(t, func(w http.ResponseWriter, r *http.Request) {
				if asked.Add(1) == 1 {
					tc.first(w, r)
					return
				}
				answer(200, "application/json", `{"valid":true,"claims":{},"access_token":"x"}`)(w, r)
			})
			err := tc.call(t.Context(), url)
			if asked.Load() != tc.asked || (err == nil) != (tc.asked > 1) {
				t.Errorf("asked %d times, want %d; error %v", asked.Load(), tc.asked, err)
			}
		})
	}
}

func validate(ctx context.Context, url string) error {
	_, err := agentwrit.Validate(ctx, url, "t")
	return err
}

func login(ctx context.Context, url string) error {
	admin, err := agentwrit.NewAdmin(url, "secret")
	if err != nil {
		return err
	}
	return admin.Login(ctx)
}

// A Retry-After that is too long to wait for is left to the caller.
func TestRetryAfterIsReported(t *testing.T) {
	url := server(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "60")
		problemDoc(429, "rate_limited", "slow down")(w, r)
	})
	err := login(t.Context(), url)
	var e *agentwrit.Error
	if !errors.As(err, &e) || e.RetryAfter != time.Minute || e.RequestID == "" && e.Code != "rate_limited" {
		t.Errorf("error %+v, want Retry-After of a minute", err)
	}
}

// A caller whose context ends returns at once; the login continues for others.
func TestCanceledWaiters(t *testing.T) {
	release := make(chan struct{})
	url := server(t, func(w http.ResponseWriter, r *http.Request) {
		<-release
		answer(200, "application/json", `{"access_token":"x","expires_in":300}`)(w, r)
	})
	admin, err := agentwrit.NewAdmin(url, "secret")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := admin.Login(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("login = %v, want context.Canceled", err)
	}
	close(release)
	if err := admin.Login(t.Context()); err != nil {
		t.Errorf("login after another caller was canceled: %v", err)
	}
}

func TestAddresses(t *testing.T) {
	for _, url := range []string{"", "broker", "ftp://broker", "http://", "https://user:password@broker", "http://user:password@bro ker", "http://user:password@%zz", "http://broker:port"} {
		if _, err := agentwrit.NewValidator(url); !errors.Is(err, agentwrit.ErrInvalidRequest) || strings.Contains(fmt.Sprint(err), "password@") {
			t.Errorf("NewValidator(%q) = %v, want ErrInvalidRequest", url, err)
		}
	}
}
