package guard

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"net/url"

	"github.com/devonartis/medassist-go/web/internal/respond"
)

// How a client presents the key: a browser by a cookie, curl by a header.
const (
	keyCookie = "medassist_presenter"
	keyHeader = "X-Presenter-Key"
	keyMaxAge = 12 * 60 * 60 // seconds
)

var (
	needsKey = &respond.Error{Status: http.StatusForbidden, Detail: "This needs the presenter's key, which was printed at startup: open /key, or send it as " + keyHeader + "."}
	wrongKey = &respond.Error{Status: http.StatusForbidden, Detail: "This is not the presenter's key. The key was printed at startup."}
)

// PresenterOnly returns a handler that refuses everyone but the presenter.
// [Router.Post] applies it to every route that changes anything; a page applies
// it to a route that only reads but is expensive.
func (r *Router) PresenterOnly(h respond.HandlerFunc) respond.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) error {
		if !r.guard.IsPresenter(req) {
			return needsKey
		}
		return h(w, req)
	}
}

// IsPresenter reports whether a request comes from the presenter. Without a
// key everyone on this machine is the presenter.
func (g *Guard) IsPresenter(r *http.Request) bool {
	if g.key == "" {
		return true
	}
	if c, err := r.Cookie(keyCookie); err == nil && g.isKey(c.Value) {
		return true
	}
	return g.isKey(r.Header.Get(keyHeader))
}

// isKey compares in a time that depends neither on the key nor on its length.
func (g *Guard) isKey(given string) bool {
	a, b := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(g.key))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// keyPage is GET /key.
func (r *Router) keyPage(w http.ResponseWriter, req *http.Request) error {
	return respond.Render(w, http.StatusOK, keyPage(r.rs.Page(req, "Presenter's key", "key", "/key")))
}

// takeKey is POST /key: a browser presents the key.
func (r *Router) takeKey(w http.ResponseWriter, req *http.Request) error {
	form, err := respond.DecodeForm[struct {
		Key string `json:"key"`
	}](w, req)
	if err != nil {
		return err
	}
	if r.guard.key == "" || !r.guard.isKey(form.Key) {
		return wrongKey
	}
	r.guard.setCookie(w, req)
	http.Redirect(w, req, "/", http.StatusSeeOther)
	return nil
}

// TakeKey returns a handler for a page that may be opened with ?key=, the
// address that is printed at startup. It exchanges the key for a cookie and
// redirects, so that the key does not stay in the address.
func (r *Router) TakeKey(page respond.HandlerFunc) respond.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) error {
		given := req.URL.Query().Get("key")
		if given == "" || r.guard.key == "" {
			return page(w, req)
		}
		if r.guard.isKey(given) {
			r.guard.setCookie(w, req)
		}
		http.Redirect(w, req, (&url.URL{Path: req.URL.Path}).String(), http.StatusSeeOther)
		return nil
	}
}

// setCookie stores the key in a cookie that no script can read and that no
// other site can have sent.
func (g *Guard) setCookie(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, &http.Cookie{Name: keyCookie, Value: g.key, Path: "/", HttpOnly: true,
		Secure: r.TLS != nil, SameSite: http.SameSiteStrictMode, MaxAge: keyMaxAge})
}
