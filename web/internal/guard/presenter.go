package guard

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"net/url"

	"github.com/devonartis/medassist-go/web/internal/respond"
)

// How a client presents the key: a browser by a cookie, curl by a header.
const (
	keyCookie = "medassist_presenter_" // followed by a hash of the key
	keyHeader = "X-Presenter-Key"
	keyMaxAge = 12 * 60 * 60 // seconds
)

var (
	needsKey    = &respond.Error{Status: http.StatusForbidden, Detail: "This needs the presenter's key, which was printed at startup: open /key, or send it as " + keyHeader + "."}
	behindProxy = &respond.Error{Status: http.StatusForbidden, Detail: "This request came through a proxy, so anyone may have sent it, and no presenter's key is configured. " +
		"Set MEDASSIST_PRESENTER_KEY and restart; see the section on reverse proxies in docs/operations.md."}
	wrongKey = &respond.Error{Status: http.StatusForbidden, Detail: "This is not the presenter's key. The key was printed at startup."}
)

// PresenterOnly returns a handler that refuses everyone but the presenter.
// [Router.Post] applies it to every route that changes anything; a page applies
// it to a route that only reads but is expensive.
func (r *Router) PresenterOnly(h respond.HandlerFunc) respond.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) error {
		switch {
		case r.guard.IsPresenter(req):
			return h(w, req)
		case r.guard.key == "":
			return behindProxy
		}
		return needsKey
	}
}

// IsPresenter reports whether a request comes from the presenter. Without a
// key everyone on this machine is the presenter, but nobody whose request a proxy
// forwarded.
func (g *Guard) IsPresenter(r *http.Request) bool {
	if g.key == "" {
		return !isForwarded(r)
	}
	if c, err := r.Cookie(g.cookieName()); err == nil && equal(c.Value, g.cookie()) {
		return true
	}
	return g.isKey(r.Header.Get(keyHeader))
}

// isKey reports whether given is the presenter's key.
func (g *Guard) isKey(given string) bool { return equal(given, g.key) }

// cookieName returns the cookie's name. It differs between keys, because cookies
// ignore ports: two servers on one host must not log each other's presenter out.
func (g *Guard) cookieName() string { return keyCookie + g.derive("name")[:8] }

// cookie returns the cookie's value. It is derived from the key, so that the key
// may contain characters that a cookie can't, and does not lie in the browser.
func (g *Guard) cookie() string { return g.derive("value") }

// derive returns a hash of the key for one purpose.
func (g *Guard) derive(purpose string) string {
	sum := sha256.Sum256([]byte("medassist presenter cookie\x00" + purpose + "\x00" + g.key))
	return hex.EncodeToString(sum[:])
}

// equal compares in a time that depends neither on the values nor on their lengths.
func equal(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
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

// setCookie logs the presenter in with a cookie that no script can read. Other
// sites can make a browser send it only along with a GET, which changes nothing.
// With SameSite=Strict it would not survive the redirect when the printed link is
// followed from another site, such as a chat.
func (g *Guard) setCookie(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, &http.Cookie{Name: g.cookieName(), Value: g.cookie(), Path: "/", HttpOnly: true,
		Secure: r.TLS != nil, SameSite: http.SameSiteLaxMode, MaxAge: keyMaxAge})
}
