package records

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/patient"
)

const maxBody = 32 << 10 // bytes of a request

// route is one line of the API: what a request is, what it requires, and what
// answers it.
type route struct {
	method, path string
	scopes       []string // {patient_id} stands for the patient in the path
	answer       func(*Store, context.Context, Patient, *http.Request) (any, error)
}

// routes is the API's own table of what it requires. It is written out here,
// and not taken from the caller's catalogue, because it is this API's decision.
var routes = []route{
	{"GET", "/chart", []string{"read:records:{patient_id}"}, getChart},
	{"POST", "/notes", []string{"write:records:{patient_id}"}, postNote},
	{"GET", "/labs", []string{"read:labs:{patient_id}"}, getLabs},
	{"GET", "/interactions", []string{"read:formulary:*", "read:prescriptions:{patient_id}"}, getInteractions},
	{"POST", "/prescriptions", []string{"write:prescriptions:{patient_id}"}, postPrescription},
	{"GET", "/billing", []string{"read:billing:{patient_id}"}, getBilling},
	{"GET", "/insurance", []string{"read:insurance:{patient_id}"}, getInsurance},
	{"POST", "/codes", []string{"write:billing:{patient_id}"}, postCodes},
	{"POST", "/claims", []string{"write:billing:{patient_id}"}, postClaim},
}

// NewHandler serves the API under /records. It asks v about each token.
func NewHandler(s *Store, v agentwrit.TokenValidator, log *slog.Logger) http.Handler {
	r := chi.NewRouter()
	r.NotFound(func(w http.ResponseWriter, r *http.Request) {
		writeProblem(w, r, wire.CodeNotFound, "no such route")
	})
	r.MethodNotAllowed(func(w http.ResponseWriter, r *http.Request) {
		writeProblem(w, r, wire.CodeMethodNotAllowed, "this route takes another method")
	})
	for _, route := range routes {
		guard := agentwrit.RequireScopeFunc(v, route.required)
		r.With(guard).Method(route.method, "/records/{patient_id}"+route.path, s.handle(route, log))
	}
	return r
}

// required fills a route's scopes with the patient in the path.
func (rt route) required(r *http.Request) ([]string, error) {
	id, err := patient.ParseID(chi.URLParam(r, "patient_id"))
	if err != nil {
		return nil, err
	}
	scopes := make([]string, len(rt.scopes))
	for i, s := range rt.scopes {
		scopes[i] = strings.Replace(s, "{patient_id}", id.String(), 1)
	}
	return scopes, nil
}

// handle answers a request that was let through.
func (s *Store) handle(rt route, log *slog.Logger) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		id, err := patient.ParseID(chi.URLParam(r, "patient_id"))
		if err != nil {
			writeProblem(w, r, wire.CodeInvalidRequest, err.Error())
			return
		}
		p, found, err := s.Find(r.Context(), id)
		if err == nil && !found {
			writeProblem(w, r, wire.CodeNotFound, "no such patient: "+id.String())
			return
		}
		var out any
		if err == nil {
			out, err = rt.answer(s, r.Context(), p, r)
		}
		var invalid *invalidError
		switch {
		case errors.As(err, &invalid):
			writeProblem(w, r, wire.CodeInvalidRequest, invalid.reason)
		case err != nil:
			log.ErrorContext(r.Context(), "records", "path", r.URL.Path, "error", err)
			writeProblem(w, r, wire.CodeInternal, "the records can't be read or written now")
		default:
			writeJSON(w, out)
		}
	}
}

func writeJSON(w http.ResponseWriter, out any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_ = json.NewEncoder(w).Encode(out) // a client that is gone needs no answer
}

func writeProblem(w http.ResponseWriter, r *http.Request, code wire.Code, detail string) {
	w.Header().Set("Content-Type", wire.ProblemContentType)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code.Status())
	_ = json.NewEncoder(w).Encode(wire.NewProblem(code, detail, r.URL.Path, "")) // likewise
}

// decode reads a request's body strictly.
func decode[T any](r *http.Request) (T, error) {
	var in T
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil {
		return in, &invalidError{"the body must be one JSON object with this route's fields"}
	}
	if dec.More() {
		return in, &invalidError{"the body must be one JSON object"}
	}
	return in, nil
}

func getChart(s *Store, ctx context.Context, p Patient, _ *http.Request) (any, error) {
	return s.chart(ctx, p)
}

func getLabs(s *Store, ctx context.Context, p Patient, _ *http.Request) (any, error) {
	return s.labs(ctx, p.ID)
}

func getBilling(s *Store, ctx context.Context, p Patient, _ *http.Request) (any, error) {
	return s.billing(ctx, p.ID)
}

func getInsurance(s *Store, ctx context.Context, p Patient, _ *http.Request) (any, error) {
	return s.insurance(ctx, p.ID)
}

func getInteractions(s *Store, ctx context.Context, p Patient, r *http.Request) (any, error) {
	drug := strings.TrimSpace(r.URL.Query().Get("drug"))
	if drug == "" {
		return nil, &invalidError{"drug is required"}
	}
	return s.checkInteractions(ctx, p.ID, drug)
}

func postNote(s *Store, ctx context.Context, p Patient, r *http.Request) (any, error) {
	in, err := decode[struct {
		Note string `json:"note"`
	}](r)
	if err == nil && strings.TrimSpace(in.Note) == "" {
		err = &invalidError{"note is required"}
	}
	if err != nil {
		return nil, err
	}
	return s.addNote(ctx, p.ID, in.Note)
}

func postPrescription(s *Store, ctx context.Context, p Patient, r *http.Request) (any, error) {
	in, err := decode[struct {
		Drug       string `json:"drug"`
		Dose       string `json:"dose"`
		Frequency  string `json:"frequency"`
		Indication string `json:"indication"`
	}](r)
	if err != nil {
		return nil, err
	}
	return s.prescribe(ctx, p.ID, medication{Drug: strings.TrimSpace(in.Drug), Dose: in.Dose, Frequency: in.Frequency, Indication: in.Indication})
}

func postCodes(s *Store, ctx context.Context, p Patient, r *http.Request) (any, error) {
	in, err := decode[struct {
		Service string `json:"service"`
	}](r)
	if err != nil {
		return nil, err
	}
	return s.code(ctx, p.ID, in.Service)
}

func postClaim(s *Store, ctx context.Context, p Patient, r *http.Request) (any, error) {
	in, err := decode[struct {
		Codes []string `json:"codes"`
	}](r)
	if err != nil {
		return nil, err
	}
	return s.fileClaim(ctx, p.ID, in.Codes)
}
