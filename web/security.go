package web

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"

	"github.com/devonartis/medassist-go/web/view"
)

// Where the presenter's key comes in: a cookie for a browser, a header for curl.
const (
	keyCookie = "medassist_presenter"
	keyHeader = "X-Presenter-Key"
)

// contentPolicy lets a page load what this server serves and nothing else.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// secure sets the headers of every answer.
func secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// sameHost refuses a name that is not this machine's while only this machine
// can reach the page: another site's name that resolves to it (DNS rebinding).
func (s *Server) sameHost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.cfg.PresenterKey == "" && !localName(r.Host) {
			s.fail(w, r, http.StatusMisdirectedRequest, "This page answers to localhost only.")
			return
		}
		next.ServeHTTP(w, r)
	})
}

func localName(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.Trim(hostport, "[]")
	}
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

var crossOrigin = http.NewCrossOriginProtection()

// guard is the one place that says who may change anything: no other site, and
// beyond loopback only whoever has the presenter's key.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			next.ServeHTTP(w, r)
			return
		}
		if err := crossOrigin.Check(r); err != nil {
			s.fail(w, r, http.StatusForbidden, "Another site sent this request; it was refused.")
			return
		}
		if r.URL.Path != "/key" && !s.mayChange(r) {
			s.fail(w, r, http.StatusForbidden, "This needs the presenter's key, which was printed at start: open /key, or send it as "+keyHeader+".")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// mayChange reports whether a request comes from the presenter.
func (s *Server) mayChange(r *http.Request) bool {
	if s.cfg.PresenterKey == "" {
		return true
	}
	if c, err := r.Cookie(keyCookie); err == nil && s.isKey(c.Value) {
		return true
	}
	return s.isKey(r.Header.Get(keyHeader))
}

func (s *Server) isKey(given string) bool {
	a, b := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(s.cfg.PresenterKey))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

func (s *Server) keyPage(w http.ResponseWriter, r *http.Request) {
	render(w, http.StatusOK, view.KeyPage(s.page(r, "Presenter's key", "key", "/key")))
}

// takeKey keeps a right key in a cookie that no script can read.
func (s *Server) takeKey(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 4<<10)
	if !s.isKey(r.PostFormValue("key")) || s.cfg.PresenterKey == "" {
		s.fail(w, r, http.StatusForbidden, "That is not the presenter's key. It was printed at start.")
		return
	}
	s.setKey(w, r)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// keyFromQuery takes a key out of the address that was printed at start, so
// that it does not stay there.
func (s *Server) keyFromQuery(w http.ResponseWriter, r *http.Request) bool {
	given := r.URL.Query().Get("key")
	if given == "" || s.cfg.PresenterKey == "" {
		return false
	}
	if s.isKey(given) {
		s.setKey(w, r)
	}
	http.Redirect(w, r, (&url.URL{Path: r.URL.Path}).String(), http.StatusSeeOther)
	return true
}

func (s *Server) setKey(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, &http.Cookie{Name: keyCookie, Value: s.cfg.PresenterKey, Path: "/", HttpOnly: true,
		Secure: r.TLS != nil, SameSite: http.SameSiteStrictMode, MaxAge: 12 * 60 * 60})
}

// recover answers 500 for a handler that panicked, and logs why.
func (s *Server) recover(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			cause := recover()
			if cause == nil {
				return
			}
			if cause == http.ErrAbortHandler {
				panic(cause)
			}
			s.cfg.Logger.Error("panic", "path", r.URL.Path, "cause", cause, "stack", string(debug.Stack()))
			s.fail(w, r, http.StatusInternalServerError, "The server failed. Its log says why.")
		}()
		next.ServeHTTP(w, r)
	})
}
