package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/a-h/templ"

	"github.com/devonartis/medassist-go/agents"
	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/web/view"
)

const maxBody = 64 << 10 // bytes of a request

// problem is an RFC 7807 problem document of this API.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Field  string `json:"field,omitempty"` // which field of the input is meant
}

// inputError is bad input; its text says what to do.
type inputError struct {
	status int
	field  string
	detail string
}

func (e *inputError) Error() string { return e.detail }

// decode reads a JSON body strictly: one object of at most maxBody bytes with
// the fields of T and no others.
func decode[T any](w http.ResponseWriter, r *http.Request) (T, error) {
	var none T
	if !jsonEnough(r.Header.Get("Content-Type")) {
		return none, &inputError{http.StatusUnsupportedMediaType, "", "the body must be application/json"}
	}
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	dec.DisallowUnknownFields()
	var in *T // null leaves it nil
	switch err := dec.Decode(&in); {
	case err != nil:
		return none, badBody(err)
	case in == nil:
		return none, badBody(nil)
	case !errors.Is(dec.Decode(new(any)), io.EOF):
		return none, &inputError{http.StatusBadRequest, "", "the body must be one JSON object and nothing after it"}
	}
	return *in, nil
}

// badBody says what is wrong with a body, in words for its author.
func badBody(err error) *inputError {
	var tooLarge *http.MaxBytesError
	var wrongType *json.UnmarshalTypeError
	status, field, detail := http.StatusBadRequest, "", "the body must be one JSON object"
	switch {
	case err == nil:
	case errors.As(err, &tooLarge):
		status, detail = http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is larger than %d bytes", maxBody)
	case errors.As(err, &wrongType) && wrongType.Field != "":
		field, detail = wrongType.Field, fmt.Sprintf("%s must be a %s", wrongType.Field, wrongType.Type)
	case strings.HasPrefix(err.Error(), unknownField):
		name := strings.Trim(strings.TrimPrefix(err.Error(), unknownField), `"`)
		detail = fmt.Sprintf("there is no field %q here", clip(name))
	}
	return &inputError{status, field, detail}
}

// unknownField is how encoding/json begins to say so; it has no type for it.
const unknownField = "json: unknown field "

// jsonEnough accepts JSON, and what curl -d says when it is told nothing: that
// no other site sends it is the guard's to see to.
func jsonEnough(contentType string) bool {
	if contentType == "" {
		return true
	}
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && (kind == "application/json" || kind == "application/x-www-form-urlencoded")
}

func clip(s string) string {
	if len(s) > 60 {
		return s[:60] + "…"
	}
	return s
}

// reply writes JSON.
func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v) // a client that is gone needs no answer
}

// refuse answers an error: the one table from errors to statuses.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	var input *inputError
	var request *agents.InputError
	var broker *agentwrit.Error
	status, field, detail := http.StatusInternalServerError, "", "The server failed. Its log says why."
	switch {
	case r.Context().Err() != nil:
		return // nobody is there to read it
	case errors.As(err, &input):
		status, field, detail = input.status, input.field, input.detail
	case errors.As(err, &request):
		status, field, detail = http.StatusBadRequest, request.Field, request.Message
	case errors.Is(err, trace.ErrNotFound):
		status, detail = http.StatusNotFound, "There is no such run."
	case errors.Is(err, agents.ErrNotLive), errors.Is(err, agents.ErrNotWaiting):
		status, detail = http.StatusConflict, "The run has ended, or does not wait."
	case errors.Is(err, agents.ErrNoOperator):
		status, detail = http.StatusForbidden, "Revoking needs the broker's admin secret: set AGENTWRIT_ADMIN_SECRET."
	case errors.Is(err, agents.ErrNoToken):
		status, detail = http.StatusConflict, "No token of this run has been stolen, or it has ended."
	case errors.Is(err, agents.ErrBusy):
		w.Header().Set("Retry-After", "2")
		status, detail = http.StatusServiceUnavailable, "Too many runs are live. Wait for one to end."
	case errors.Is(err, agents.ErrStopping):
		status, detail = http.StatusServiceUnavailable, "The program is stopping."
	case errors.As(err, &broker):
		status, detail = http.StatusBadGateway, "The broker: "+broker.Detail
		if errors.Is(err, agentwrit.ErrInvalidRequest) {
			status = http.StatusBadRequest
		}
	default:
		s.cfg.Logger.ErrorContext(r.Context(), "request failed", "path", r.URL.Path, "error", err)
	}
	s.failField(w, r, status, field, detail)
}

func (s *Server) fail(w http.ResponseWriter, r *http.Request, status int, detail string) {
	s.failField(w, r, status, "", detail)
}

// failField answers a person with a page, or with a notice on the page that
// asked, and a program with a problem document.
func (s *Server) failField(w http.ResponseWriter, r *http.Request, status int, field, detail string) {
	if fromPage(r) {
		var b bytes.Buffer
		partial(&b, "#notice", "innerHTML", view.Notice(detail))
		html(w, status, b.Bytes())
		return
	}
	if strings.Contains(r.Header.Get("Accept"), "text/html") && !strings.HasPrefix(r.URL.Path, "/api/") {
		render(w, status, view.ProblemPage(view.Problem{Page: s.page(r, "Problem", "problem", ""), Heading: http.StatusText(status), Message: detail}))
		return
	}
	w.Header().Set("Content-Type", wire.ProblemContentType)
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(problem{"about:blank", http.StatusText(status), status, detail, field}) // likewise
}

// fromPage reports whether a script of the page asks, and not a person who
// opens an address.
func fromPage(r *http.Request) bool { return r.Header.Get("HX-Request") == "true" }

// render writes a component as a page.
func render(w http.ResponseWriter, status int, c templ.Component) {
	var b bytes.Buffer
	write(&b, c)
	html(w, status, b.Bytes())
}

func html(w http.ResponseWriter, status int, page []byte) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	w.Write(page) // a client that is gone needs no answer
}

// write renders a component into memory, where it can't fail but by a fault of
// ours.
func write(b *bytes.Buffer, c templ.Component) {
	if err := c.Render(context.Background(), b); err != nil {
		panic(fmt.Sprintf("web: render: %v", err))
	}
}
