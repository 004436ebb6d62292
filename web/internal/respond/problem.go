package respond

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/devonartis/medassist-go/agents"
	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/internal/postgres"
	"github.com/devonartis/medassist-go/trace"
)

// Error is an answer other than the one that was asked for. Its Detail says
// what to do about it.
type Error struct {
	Status int
	Field  string // of the input that is wrong; may be empty
	Detail string
	Retry  string // value of Retry-After; empty for none
}

func (e *Error) Error() string { return e.Detail }

// BadInput returns an error for input that is wrong.
func BadInput(field, detail string) *Error {
	return &Error{Status: http.StatusBadRequest, Field: field, Detail: detail}
}

// Errors that more than one page returns.
var (
	NoSuchPage  = &Error{Status: http.StatusNotFound, Detail: "No such page."}
	WrongMethod = &Error{Status: http.StatusMethodNotAllowed, Detail: "This address does not accept that method."}
	NoAuditLog  = &Error{Status: http.StatusForbidden, Detail: "The audit log needs the broker's admin secret: set AGENTWRIT_ADMIN_SECRET and restart."}

	serverError = &Error{Status: http.StatusInternalServerError, Detail: "Server error; see the log."}
)

// classify is the one table from errors to statuses. It returns nil for an
// error that is not in it.
func classify(err error) *Error {
	var answer *Error
	var input *agents.InputError
	var broker *agentwrit.Error
	switch {
	case errors.As(err, &answer):
		return answer
	case errors.As(err, &input):
		return BadInput(input.Field, input.Message)
	case postgres.Unavailable(err):
		return &Error{Status: http.StatusServiceUnavailable, Detail: "The database does not answer. Nothing is lost; try again.", Retry: "2"}
	case errors.Is(err, trace.ErrNotFound):
		return &Error{Status: http.StatusNotFound, Detail: "No such run."}
	case errors.Is(err, agents.ErrNotLive), errors.Is(err, agents.ErrNotWaiting):
		return &Error{Status: http.StatusConflict, Detail: "The run has ended, or is not waiting."}
	case errors.Is(err, agents.ErrNoOperator):
		return &Error{Status: http.StatusForbidden, Detail: "Revoking anything but the tokens of live runs needs the broker's admin secret: set AGENTWRIT_ADMIN_SECRET and restart."}
	case errors.Is(err, agents.ErrNoToken):
		return &Error{Status: http.StatusConflict, Detail: "This run has no stolen token, or the token has ended."}
	case errors.Is(err, agents.ErrNoAnswer):
		return &Error{Status: http.StatusServiceUnavailable, Detail: "The replica that runs it does not answer. If it is gone, another one ends the run within a few seconds.", Retry: "2"}
	case errors.Is(err, agents.ErrBusy):
		return &Error{Status: http.StatusServiceUnavailable, Detail: "Too many live runs. Wait for one to end.", Retry: "2"}
	case errors.Is(err, agents.ErrStopping):
		return &Error{Status: http.StatusServiceUnavailable, Detail: "The server is shutting down."}
	case errors.Is(err, agentwrit.ErrNotServed):
		return &Error{Status: http.StatusNotFound, Detail: "This broker serves neither keys nor signed checkpoints."}
	case errors.Is(err, agentwrit.ErrInvalidRequest) && errors.As(err, &broker):
		return &Error{Status: http.StatusBadRequest, Detail: "The broker: " + broker.Detail}
	case errors.As(err, &broker):
		return &Error{Status: http.StatusBadGateway, Detail: "The broker: " + broker.Detail}
	case errors.Is(err, context.DeadlineExceeded): // for example while no connection to the database is free
		return &Error{Status: http.StatusServiceUnavailable, Detail: "The answer took too long. Nothing is lost; try again.", Retry: "2"}
	}
	return nil
}

// As returns the answer to an error, for a page that shows it in a form. It
// returns nil for an error that is the server's own fault.
func As(err error) *Error { return classify(err) }

// Error answers an error.
func (rs *Responder) Error(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		// The client is gone, or took too long to send the request: then an answer
		// without a status would be one of success.
		w.WriteHeader(http.StatusRequestTimeout)
		return
	}
	e := classify(err)
	if e == nil {
		rs.cfg.Logger.ErrorContext(r.Context(), "request failed", "path", r.URL.Path, "error", err)
		e = serverError
	}
	rs.answer(w, r, problemOf(e))
}

// problem is a problem document (RFC 9457).
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Field  string `json:"field,omitempty"` // of the input that is wrong

	retry string
}

func problemOf(e *Error) problem {
	return problem{"about:blank", http.StatusText(e.Status), e.Status, e.Detail, e.Field, e.Retry}
}

// answer shows a problem to a person as a page, to a page's script as a notice
// on that page, and to a program as a problem document.
func (rs *Responder) answer(w http.ResponseWriter, r *http.Request, p problem) {
	if p.retry != "" {
		w.Header().Set("Retry-After", p.retry)
	}
	switch {
	case FromPage(r):
		var b bytes.Buffer
		Partial(&b, "#notice", "innerHTML", notice(p.Detail))
		_ = HTML(w, p.Status, b.Bytes())
	case WantsHTML(r) && !strings.HasPrefix(r.URL.Path, "/api/"):
		_ = Render(w, p.Status, problemPage(rs.Page(r, "Problem", "problem", ""), p))
	default:
		encoded, err := Marshal(p)
		if err != nil {
			panic("web: encode a problem: " + err.Error())
		}
		w.Header().Set("Content-Type", wire.ProblemContentType)
		_ = body(w, p.Status, append(encoded, '\n'))
	}
}
