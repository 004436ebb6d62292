package guard

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"

	"github.com/devonartis/medassist-go/internal/clientaddr"
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

// presenterKey is the context key of requests that come from the presenter.
type presenterKey struct{}

// identify finds out whether a request comes from the presenter, once. Without a
// key everyone on this machine is the presenter, but nobody whose request a proxy
// forwarded. A cookie can't be guessed, so it is valid even at an address that
// has sent too many wrong keys.
func (r *Router) identify(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		g, is := r.guard, false
		switch given := req.Header.Get(keyHeader); {
		case g.key == "":
			is = !isForwarded(req)
		case g.hasCookie(req):
			is = true
		case given != "":
			var err error
			if is, err = g.isKey(req, given); err != nil {
				r.rs.Error(w, req, err)
				return
			}
		}
		if is {
			req = req.WithContext(context.WithValue(req.Context(), presenterKey{}, true))
		}
		next.ServeHTTP(w, req)
	})
}

// IsPresenter reports whether a request that has reached a page comes from the
// presenter.
func IsPresenter(r *http.Request) bool { return r.Context().Value(presenterKey{}) != nil }

// presenterOnly returns a handler that refuses everyone but the presenter.
func (r *Router) presenterOnly(h respond.HandlerFunc) respond.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) error {
		switch {
		case IsPresenter(req):
			return h(w, req)
		case r.guard.key == "":
			return behindProxy
		}
		return needsKey
	}
}

// isKey reports whether given is the presenter's key. It fails for a client that
// has sent too many wrong ones.
func (g *Guard) isKey(r *http.Request, given string) (bool, error) {
	right, wait := g.tries.try(clientaddr.Of(r), func() bool { return equal(given, g.key) })
	if wait > 0 {
		return false, tooManyTries(wait)
	}
	return right, nil
}

// hasCookie reports whether a request has the presenter's cookie. A browser may
// send others of the same name: a site on a neighbouring domain can set one.
func (g *Guard) hasCookie(r *http.Request) bool {
	for _, c := range r.CookiesNamed(g.cookieName()) {
		if equal(c.Value, g.cookie()) {
			return true
		}
	}
	return false
}

// cookieName returns the cookie's name. It differs between servers, because
// cookies ignore ports: two servers on one host must not log each other's
// presenter out.
func (g *Guard) cookieName() string { return keyCookie + g.derive("name")[:8] }

// cookie returns the cookie's value. It is derived from the key, so that the key
// may contain characters that a cookie can't, and does not lie in the browser; and
// from the secret, so that nobody can try keys by their cookies.
func (g *Guard) cookie() string { return g.derive("value") }

// derive returns a value for one purpose that depends on key and secret.
func (g *Guard) derive(purpose string) string {
	mac := hmac.New(sha256.New, []byte(g.secret))
	mac.Write([]byte("medassist presenter cookie\x00" + purpose + "\x00" + g.key)) // never fails
	return hex.EncodeToString(mac.Sum(nil))
}

// equal compares in a time that depends neither on the values nor on their lengths.
func equal(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// keyPage is GET /key.
func (r *Router) keyPage(w http.ResponseWriter, req *http.Request) error {
	return respond.Render(w, http.StatusOK, keyPage(r.rs.Page(req, "Presenter's key", "key", "/key"), r.guard.key != ""))
}

// takeKey is POST /key: a browser presents the key.
func (r *Router) takeKey(w http.ResponseWriter, req *http.Request) error {
	form, err := respond.DecodeForm[struct {
		Key string `json:"key"`
	}](w, req)
	if err != nil {
		return err
	}
	if r.guard.key == "" {
		return wrongKey
	}
	switch right, err := r.guard.isKey(req, form.Key); {
	case err != nil:
		return err
	case !right:
		return wrongKey
	}
	r.guard.setCookie(w, req)
	http.Redirect(w, req, "/", http.StatusSeeOther)
	return nil
}

// TakeKey returns a handler for a page that may be opened with ?key=, the
// address that is printed at startup. It exchanges the key for a cookie and
// redirects, so that the key does not stay in the address. A wrong key leads to
// the page that asks for it.
func (r *Router) TakeKey(page respond.HandlerFunc) respond.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) error {
		given := req.URL.Query().Get("key")
		if given == "" || r.guard.key == "" {
			return page(w, req)
		}
		right, err := r.guard.isKey(req, given)
		if err != nil {
			return err
		}
		target := "/key"
		if right {
			r.guard.setCookie(w, req)
			target = (&url.URL{Path: req.URL.Path}).String()
		}
		http.Redirect(w, req, target, http.StatusSeeOther)
		return nil
	}
}

// setCookie logs the presenter in with a cookie that no script can read. Other
// sites can make a browser send it only along with a GET, which changes nothing.
// With SameSite=Strict it would not survive the redirect when the printed link is
// followed from another site, such as a chat.
func (g *Guard) setCookie(w http.ResponseWriter, r *http.Request) {
	overTLS := r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https") // an untrue header affects its sender only
	http.SetCookie(w, &http.Cookie{Name: g.cookieName(), Value: g.cookie(), Path: "/", HttpOnly: true,
		Secure: overTLS, SameSite: http.SameSiteLaxMode, MaxAge: keyMaxAge})
}
