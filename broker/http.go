package broker

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/devonartis/medassist-go/agentwrit/wire"
)

// request is one request, as far as the protocol is concerned.
type request struct {
	ctx    context.Context
	id     string
	path   string // cut to maxText
	pathID string // the {id} in it
	query  map[string][]string
	addr   netip.Addr
	claims *wire.Claims // of the bearer; shared, not to be changed
}

// none is the body of a request or an answer that has none.
type none struct{}

// maxText bounds what an answer or a log line repeats of a request, in bytes.
const maxText = 256

func cut(s string) string {
	if len(s) > maxText {
		return s[:maxText]
	}
	return s
}

// routes is the whole protocol, one line for each endpoint.
func (b *Broker) routes() http.Handler {
	m := chi.NewRouter()
	m.Use(b.forwarded, b.observe, b.recover)
	m.NotFound(func(w http.ResponseWriter, r *http.Request) {
		b.problem(w, r, refuse(wire.CodeNotFound, "no such endpoint"))
	})
	m.MethodNotAllowed(func(w http.ResponseWriter, r *http.Request) {
		b.problem(w, r, refuse(wire.CodeMethodNotAllowed, "method not allowed"))
	})

	m.Get("/v1/health", b.health)
	m.Get("/v1/metrics", b.metrics.handler.ServeHTTP)
	m.Get("/v1/keys", endpoint(b, open, http.StatusOK, b.keys))
	m.Get("/v1/challenge", endpoint(b, open, http.StatusOK, b.challenge))
	m.Post("/v1/register", endpoint(b, open, http.StatusOK, b.register))
	m.Post("/v1/token/validate", endpoint(b, open, http.StatusOK, b.validate))
	m.Post("/v1/token/renew", endpoint(b, anyToken, http.StatusOK, b.renew))
	m.Post("/v1/token/release", endpoint(b, anyToken, http.StatusNoContent, b.release))
	m.Post("/v1/delegate", endpoint(b, anyToken, http.StatusOK, b.delegate))

	m.Post("/v1/admin/auth", endpoint(b, open, http.StatusOK, b.adminAuth))
	m.Post("/v1/admin/launch-tokens", endpoint(b, needLaunchTokens, http.StatusCreated, b.adminLaunchToken))
	m.Post("/v1/admin/apps", endpoint(b, needLaunchTokens, http.StatusCreated, b.createApp))
	m.Get("/v1/admin/apps", endpoint(b, needLaunchTokens, http.StatusOK, b.listApps))
	m.Get("/v1/admin/apps/{id}", endpoint(b, needLaunchTokens, http.StatusOK, b.getApp))
	m.Put("/v1/admin/apps/{id}", endpoint(b, needLaunchTokens, http.StatusOK, b.updateApp))
	m.Delete("/v1/admin/apps/{id}", endpoint(b, needLaunchTokens, http.StatusOK, b.deleteApp))
	m.Post("/v1/app/auth", endpoint(b, open, http.StatusOK, b.appAuth))
	m.Post("/v1/app/launch-tokens", endpoint(b, needAppTokens, http.StatusCreated, b.appLaunchToken))
	m.Post("/v1/revoke", endpoint(b, needRevoke, http.StatusOK, b.revoke))

	m.Get("/v1/audit/events", endpoint(b, needAudit, http.StatusOK, b.auditEvents))
	m.Get("/v1/audit/checkpoint", b.checkpoint)
	return m
}

// endpoint makes a handler of an operation: who may call it, what it reads, what
// it answers. A nil answer has no body.
func endpoint[In, Out any](b *Broker, need access, status int, do func(*request, *In) (*Out, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, hr *http.Request) {
		r := &request{
			ctx:    hr.Context(),
			id:     requestID(hr),
			path:   cut(hr.URL.Path),
			pathID: chi.URLParam(hr, "id"),
			addr:   clientAddr(hr),
		}
		if hr.URL.RawQuery != "" {
			r.query = hr.URL.Query()
		}
		if err := b.authorize(r, hr.Header, need); err != nil {
			b.problem(w, hr, err)
			return
		}
		var in In
		if _, empty := any(in).(none); !empty {
			if err := decode(w, hr, &in); err != nil {
				b.problem(w, hr, err)
				return
			}
		}
		out, err := do(r, &in)
		if err != nil {
			b.problem(w, hr, err)
			return
		}
		if out == nil {
			w.WriteHeader(status)
			return
		}
		writeJSON(w, "application/json", status, out)
	}
}

// decode reads one JSON value of at most 1 MiB, and nothing after it. Fields
// that are not known are passed over: a newer client may send some.
func decode(w http.ResponseWriter, r *http.Request, into any) error {
	body := json.NewDecoder(http.MaxBytesReader(w, r.Body, wire.MaxBodyBytes))
	err := body.Decode(into)
	if err == nil {
		_, err = body.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
	}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return errTooLarge
	}
	return errMalformed
}

func writeJSON(w http.ResponseWriter, contentType string, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		panic("broker: an answer that is not JSON: " + err.Error())
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	w.Write(append(text, '\n'))
}

// problem answers with what went wrong. What was wrong inside stays inside.
func (b *Broker) problem(w http.ResponseWriter, hr *http.Request, err error) {
	r, ok := asRefusal(err)
	if !ok {
		b.log.Error("request failed", "request_id", requestID(hr), slog.Any("error", err))
		r = errInternal
	}
	if r.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(r.retryAfter/time.Second)))
	}
	p := wire.NewProblem(r.code, r.detail, cut(hr.URL.Path), requestID(hr))
	writeJSON(w, wire.ProblemContentType, p.Status, p)
}

// readFault reports that the database could not be read.
func (b *Broker) readFault(err error) error {
	b.log.Error("storage can't be read", slog.Any("error", err))
	return errUnavailable
}
