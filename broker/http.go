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
	"github.com/go-chi/chi/v5/middleware"

	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/internal/clientaddr"
	"github.com/devonartis/medassist-go/internal/methods"
	"github.com/devonartis/medassist-go/internal/strictjson"
	"github.com/devonartis/medassist-go/internal/text"
)

// A request is the part of an HTTP request that the protocol uses.
type request struct {
	ctx    context.Context
	id     string
	path   string // clipped to maxText
	pathID string // the {id} in the path
	route  string // the path's pattern
	query  map[string][]string
	addr   netip.Addr
	claims *wire.Claims // of the bearer token; shared, read-only
}

// none is the type of an absent request or response body.
type none struct{}

// maxText is the maximum length in bytes of request text that is repeated in a
// response or a log line.
const maxText = 256

// clip shortens request text for a response or a log line.
func clip(s string) string { return text.Prefix(s, maxText) }

// routes returns the router: one line for each endpoint of the protocol.
func (b *Broker) routes() http.Handler {
	m := chi.NewRouter()
	m.Use(clientaddr.Forwarded(b.cfg.TrustedProxies), b.observe, b.recover, b.guard, middleware.GetHead)
	m.NotFound(func(w http.ResponseWriter, r *http.Request) {
		b.problem(w, r, refuse(wire.CodeNotFound, "no such endpoint"))
	})
	m.MethodNotAllowed(func(w http.ResponseWriter, r *http.Request) {
		methods.Allow(w, r, m)
		b.problem(w, r, refuse(wire.CodeMethodNotAllowed, "method not allowed"))
	})

	m.Get("/v1/health", b.health)
	m.Get("/v1/metrics", b.serveMetrics)
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

// endpoint returns a handler that authorizes the caller, decodes the body, calls
// do, and encodes the result. A nil result has no body.
func endpoint[In, Out any](b *Broker, need access, status int, do func(*request, *In) (*Out, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, hr *http.Request) {
		r := &request{
			ctx:    hr.Context(),
			id:     requestID(w),
			path:   clip(hr.URL.Path),
			pathID: chi.URLParam(hr, "id"),
			route:  chi.RouteContext(hr.Context()).RoutePattern(),
			addr:   clientaddr.Of(hr),
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

// decode reads a body that is one JSON object of at most 1 MiB with unambiguous
// members. Unknown ones are ignored, because a newer client may send some.
func decode(w http.ResponseWriter, r *http.Request, into any) error {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, wire.MaxBodyBytes))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return errTooLarge
	}
	if err != nil {
		return errMalformed
	}
	_, err = strictjson.Decode(body, into)
	var ambiguous *strictjson.KeyError
	switch {
	case errors.As(err, &ambiguous):
		return errMembers
	case err != nil:
		return errMalformed
	}
	return nil
}

func writeJSON(w http.ResponseWriter, contentType string, status int, body any) {
	encoded, err := json.Marshal(body)
	if err != nil {
		panic("broker: encode response: " + err.Error())
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	w.Write(append(encoded, '\n'))
}

// problem writes err as a problem document. Internal errors are logged and
// answered without details.
func (b *Broker) problem(w http.ResponseWriter, hr *http.Request, err error) {
	r, ok := asRefusal(err)
	if !ok {
		b.log.Error("request failed", "request_id", requestID(w), slog.Any("error", err))
		r = errInternal
	}
	if r.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(r.retryAfter/time.Second)))
	}
	p := wire.NewProblem(r.code, r.detail, clip(hr.URL.Path), requestID(w))
	writeJSON(w, wire.ProblemContentType, p.Status, p)
}

// readFault logs that the database can't be read and returns the caller's error. A
// read that ended because its caller has left is no fault.
func (b *Broker) readFault(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		b.metrics.dbErrors.WithLabelValues(dbRead).Inc()
		b.log.Error("cannot read storage", slog.Any("error", err))
	}
	return errUnavailable
}
