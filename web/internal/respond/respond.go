// Package respond turns what a handler returns into an answer: pages, parts of
// pages and JSON, and for an error a page, a notice or a problem document. It
// also reads request bodies, JSON and forms alike ([Decode]).
//
// A handler is a [HandlerFunc]: it writes an answer or returns an error, and
// never both. The one table from errors to statuses is [classify]. An error
// that is not in the table is logged and reported as a server error: internals
// never reach a browser.
package respond

import (
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/devonartis/medassist-go/web/static"
	"github.com/devonartis/medassist-go/web/ui"
)

// HandlerFunc answers a request. If it returns an error it must not have
// written anything; [Responder.Handle] then answers.
type HandlerFunc func(w http.ResponseWriter, r *http.Request) error

// Config is what a [Responder] needs. All fields are required.
type Config struct {
	Files      *static.Files
	Navigation []ui.Link
	Broker     string // address
	Embedded   bool   // the broker runs in this process
	Model      string
	ModelMode  string // see llm.Mode
	Presenter  func(*http.Request) bool
	Clock      func() time.Time
	Logger     *slog.Logger
}

// Responder answers requests. Safe for concurrent use.
type Responder struct{ cfg Config }

// New returns a Responder.
func New(cfg Config) *Responder { return &Responder{cfg} }

// Page returns what the layout shows around a page. Name selects its styles;
// current is the path of its entry in the navigation.
func (rs *Responder) Page(r *http.Request, title, name, current string) ui.Page {
	return ui.Page{Title: title, Name: name, Current: current, Navigation: rs.cfg.Navigation, Files: rs.cfg.Files,
		Broker: rs.cfg.Broker, Embedded: rs.cfg.Embedded, Model: rs.cfg.Model, ModelMode: rs.cfg.ModelMode,
		Presenter: rs.IsPresenter(r), Now: rs.cfg.Clock()}
}

// IsPresenter reports whether a request may change something.
func (rs *Responder) IsPresenter(r *http.Request) bool { return rs.cfg.Presenter(r) }

// Handle returns a handler that answers the errors of h.
func (rs *Responder) Handle(h HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			rs.Error(w, r, err)
		}
	})
}

// Recover answers a handler that panics with a server error, and logs why.
func (rs *Responder) Recover(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			cause := recover()
			if cause == nil {
				return
			}
			if cause == http.ErrAbortHandler {
				panic(cause)
			}
			rs.cfg.Logger.Error("panic", "path", r.URL.Path, "cause", cause, "stack", string(debug.Stack()))
			rs.answer(w, r, problemOf(serverError))
		}()
		next.ServeHTTP(w, r)
	})
}
