package records

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/internal/methods"
	"github.com/devonartis/medassist-go/patient"
)

// Limits of a request.
const (
	maxBody     = 32 << 10        // bytes
	workTimeout = 5 * time.Second // for the transaction
)

// readTimeout is the time limit for reading a body. Tests shorten it.
var readTimeout = 10 * time.Second

// A route is one line of the API.
type route struct {
	method, path string
	scopes       []string // that the request requires; {patient_id} is the patient in the path
	parse        func(*http.Request) (operation, error)
}

// An operation is a parsed request, to be carried out in a transaction.
type operation func(context.Context, txn, Patient) (any, error)

// routes is the API's own table of required scopes. It is not derived from the
// catalogue of tools, because the decision is this API's.
var routes = []route{
	{"GET", "/chart", []string{"read:records:{patient_id}"}, parseChart},
	{"POST", "/notes", []string{"write:records:{patient_id}"}, parseNote},
	{"GET", "/labs", []string{"read:labs:{patient_id}"}, parseLabs},
	{"GET", "/interactions", []string{"read:formulary:*", "read:prescriptions:{patient_id}"}, parseInteractions},
	{"POST", "/prescriptions", []string{"write:prescriptions:{patient_id}"}, parsePrescription},
	{"GET", "/billing", []string{"read:billing:{patient_id}"}, parseBilling},
	{"GET", "/insurance", []string{"read:insurance:{patient_id}"}, parseInsurance},
	{"POST", "/codes", []string{"write:billing:{patient_id}"}, parseCodes},
	{"POST", "/claims", []string{"write:billing:{patient_id}"}, parseClaim},
}

// NewHandler returns the API, which serves paths under /records. It validates
// every token with v.
func NewHandler(s *Store, v agentwrit.TokenValidator, log *slog.Logger) http.Handler {
	mux := chi.NewRouter()
	mux.Use(middleware.GetHead)
	mux.NotFound(func(w http.ResponseWriter, r *http.Request) {
		writeProblem(w, r, wire.CodeNotFound, "no such route")
	})
	mux.MethodNotAllowed(func(w http.ResponseWriter, r *http.Request) {
		methods.Allow(w, r, mux)
		writeProblem(w, r, wire.CodeMethodNotAllowed, "method not allowed on this route")
	})
	for _, route := range routes {
		guard := agentwrit.RequireScopeFunc(v, route.required)
		mux.With(guard).Method(route.method, "/records/{patient_id}"+route.path, s.handle(route, log))
	}
	return mux
}

// required returns the route's scopes for the patient in the path.
func (rt route) required(r *http.Request) ([]string, error) {
	id, err := patientID(r)
	if err != nil {
		return nil, err
	}
	scopes := make([]string, len(rt.scopes))
	for i, s := range rt.scopes {
		scopes[i] = strings.Replace(s, "{patient_id}", id.String(), 1)
	}
	return scopes, nil
}

func patientID(r *http.Request) (patient.ID, error) {
	return patient.ParseID(chi.URLParam(r, "patient_id"))
}

// handle answers authorized requests.
func (s *Store) handle(rt route, log *slog.Logger) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		out, err := s.serve(rt, w, r)
		var refused *requestError
		switch {
		case errors.As(err, &refused):
			writeProblem(w, r, refused.code, refused.reason)
		case err != nil && r.Context().Err() != nil: // the client has gone, or was too slow
			w.WriteHeader(http.StatusRequestTimeout)
		case err != nil:
			log.ErrorContext(r.Context(), "records", "path", r.URL.Path, "error", err)
			writeProblem(w, r, wire.CodeInternal, "the records are unavailable")
		default:
			writeJSON(w, http.StatusOK, "application/json", out)
		}
	}
}

// serve reads the whole request before it opens the transaction: a slow client
// must not hold the database.
func (s *Store) serve(rt route, w http.ResponseWriter, r *http.Request) (out any, err error) {
	id, err := patientID(r)
	if err != nil {
		return nil, invalid("%v", err)
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(readTimeout)) // not every ResponseWriter supports it
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, &requestError{wire.CodePayloadTooLarge, "the body is too large"}
	case err != nil:
		return nil, invalid("the body can't be read")
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if _, err := url.ParseQuery(r.URL.RawQuery); err != nil {
		return nil, invalid("the query is malformed")
	}
	run, err := rt.parse(r)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), workTimeout)
	defer cancel()
	transact := s.transact
	if rt.method == http.MethodGet {
		transact = s.read
	}
	err = transact(ctx, func(t txn) error {
		p, found, err := t.find(ctx, id)
		switch {
		case err != nil:
			return err
		case !found:
			return &requestError{wire.CodeNotFound, "no such patient: " + id.String()}
		}
		out, err = run(ctx, t, p)
		return err
	})
	return out, err
}

// A requestError is the caller's fault; its reason is the answer.
type requestError struct {
	code   wire.Code
	reason string
}

func (e *requestError) Error() string { return e.reason }

func writeProblem(w http.ResponseWriter, r *http.Request, code wire.Code, detail string) {
	writeJSON(w, code.Status(), wire.ProblemContentType, wire.NewProblem(code, detail, r.URL.Path, ""))
}

// writeJSON writes "<", ">" and "&" unescaped: a page escapes what it embeds,
// and escaped they would be six times as long.
func writeJSON(w http.ResponseWriter, status int, contentType string, v any) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // fails only if the client has gone
}
