package respond

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/agents"
	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/web/static"
)

func newResponder(log io.Writer) *Responder {
	return New(Config{Files: static.New(), Presenter: func(*http.Request) bool { return true }, Clock: time.Now,
		Logger: slog.New(slog.NewTextHandler(log, nil))})
}

// Each error has one status, however it is wrapped.
func TestErrorTable(t *testing.T) {
	for _, tc := range []struct {
		err    error
		status int
		detail string
	}{
		{BadInput("pace", "Not a pace."), 400, "Not a pace."},
		{&agents.InputError{Field: "patient_id", Message: "Not an ID."}, 400, "Not an ID."},
		{trace.ErrNotFound, 404, "No such run."},
		{agents.ErrNotLive, 409, "has ended"},
		{agents.ErrNotWaiting, 409, "is not waiting"},
		{agents.ErrNoToken, 409, "no stolen token"},
		{agents.ErrNoOperator, 403, "AGENTWRIT_ADMIN_SECRET"},
		{agentwrit.ErrNotServed, 404, "neither keys nor signed checkpoints"},
		{fmt.Errorf("%w: run-1", agents.ErrNoAnswer), 503, "does not answer"},
		{agents.ErrBusy, 503, "Too many live runs"},
		{agents.ErrStopping, 503, "shutting down"},
		{&agentwrit.Error{Detail: "scope_exceeded"}, 502, "The broker: scope_exceeded"},
		{fmt.Errorf("trace: %w", context.DeadlineExceeded), 503, "The answer took too long"},
		{errors.New("open /var/lib/secret: permission denied"), 500, "Server error; see the log."},
	} {
		var log strings.Builder
		w := httptest.NewRecorder()
		newResponder(&log).Error(w, httptest.NewRequest("GET", "/api/x", nil), fmt.Errorf("wrapped: %w", tc.err))
		if w.Code != tc.status || !strings.Contains(w.Body.String(), tc.detail) {
			t.Errorf("%v: %d %s", tc.err, w.Code, w.Body)
		}
		if strings.Contains(w.Body.String(), "/var/lib") {
			t.Errorf("%v: an internal reaches the client", tc.err)
		}
		if logged := log.Len() > 0; logged != (tc.status == 500) {
			t.Errorf("%v: logged: %v", tc.err, logged)
		}
	}
}

// A person gets a page, a page's script a notice, a program a document.
func TestErrorForm(t *testing.T) {
	rs := newResponder(io.Discard)
	for name, tc := range map[string]struct {
		path        string
		header      http.Header
		contentType string
		body        string
	}{
		"a person":               {"/runs/x", http.Header{"Accept": {"text/html"}}, "text/html; charset=utf-8", "<!doctype html>"},
		"a page's script":        {"/runs/x", http.Header{"Accept": {"text/html"}, "Hx-Request": {"true"}}, "text/html; charset=utf-8", `<hx-partial hx-target="#notice"`},
		"a program":              {"/runs/x", nil, "application/problem+json", `"status":404`},
		"a browser on the API":   {"/api/runs/x", http.Header{"Accept": {"text/html"}}, "application/problem+json", `"status":404`},
		"markup in what it says": {"/runs/x", http.Header{"Accept": {"text/html"}}, "text/html; charset=utf-8", "&lt;b&gt;"},
	} {
		r := httptest.NewRequest("GET", tc.path, nil)
		for k, v := range tc.header {
			r.Header[k] = v
		}
		w := httptest.NewRecorder()
		rs.Error(w, r, &Error{Status: 404, Detail: "No <b>run</b>."})
		if w.Code != 404 || w.Header().Get("Content-Type") != tc.contentType || !strings.Contains(w.Body.String(), tc.body) {
			t.Errorf("%s: %d %s %s", name, w.Code, w.Header().Get("Content-Type"), w.Body)
		}
	}
}

func TestRecover(t *testing.T) {
	var log strings.Builder
	h := newResponder(&log).Recover(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("out of cheese") }))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if w.Code != 500 || strings.Contains(w.Body.String(), "cheese") || !strings.Contains(log.String(), "cheese") {
		t.Errorf("%d %s; log: %s", w.Code, w.Body, &log)
	}
}

// A client that has left, or was too slow, is not told that it succeeded, and
// nothing is logged.
func TestErrorOfAClientThatLeft(t *testing.T) {
	var log strings.Builder
	left, leave := context.WithCancel(t.Context())
	leave()
	w := httptest.NewRecorder()
	newResponder(&log).Error(w, httptest.NewRequestWithContext(left, "POST", "/", nil), errors.New("context canceled"))
	if w.Code != http.StatusRequestTimeout || log.Len() > 0 {
		t.Errorf("%d; log: %s", w.Code, &log)
	}
}
