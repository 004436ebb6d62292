package guard

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/web/internal/respond"
	"github.com/devonartis/medassist-go/web/static"
)

const key = "a-key-for-the-presenter"

// newRouter returns a router with one route that reads, one that changes
// something and one that is opened with the key.
func newRouter(key string) *Router { return newRouterFor(newGuard(key)) }

// newGuard returns a Guard whose cookies are those of another with the same key.
func newGuard(key string) *Guard { return New(Config{Key: key, Secret: "the tests' secret"}) }

func newRouterFor(g *Guard) *Router {
	rs := respond.New(respond.Config{Files: static.New(), Presenter: IsPresenter, Clock: time.Now, Logger: slog.New(slog.DiscardHandler)})
	r := g.Router(rs, func(next http.Handler) http.Handler { return next })
	ok := func(w http.ResponseWriter, _ *http.Request) error { w.WriteHeader(http.StatusNoContent); return nil }
	r.Get("/read", ok)
	r.Post("/change", ok)
	r.Get("/", r.TakeKey(ok))
	return r
}

// cookieOf returns the cookie of a presenter with a key.
func cookieOf(key string) string { return newGuard(key).cookieName() + "=" + newGuard(key).cookie() }

func request(r http.Handler, method, path, host string, header http.Header, body string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(method, path, strings.NewReader(body))
	req.Host = host
	for k, v := range header {
		req.Header[k] = v
	}
	w := httptest.NewRecorder()
	r.ServeHTTP(w, req)
	return w
}

// Without a key, which means on loopback, only this machine's own names are
// answered: a rebound host name can neither read nor change anything.
func TestReboundHost(t *testing.T) {
	// internal/hostname has the whole table.
	for host, local := range map[string]bool{
		"localhost:5000": true, "127.0.0.1:5000": true, "[::1]:5000": true,
		"": false, "evil.example:5000": false, "192.168.1.7:5000": false, "[localhost]": false, "localhost]": false, "user@localhost": false,
	} {
		for method, path := range map[string]string{"GET": "/read", "POST": "/change"} {
			want := map[bool]int{true: http.StatusNoContent, false: http.StatusMisdirectedRequest}[local]
			if got := request(newRouter(""), method, path, host, nil, ""); got.Code != want {
				t.Errorf("%s with host %q: %d, want %d", method, host, got.Code, want)
			}
		}
	}
	if got := request(newRouter(key), "GET", "/read", "stage.example", nil, ""); got.Code != http.StatusNoContent {
		t.Errorf("with a key any host is answered, but: %d", got.Code)
	}
}

// A request that another site made a browser send changes nothing, with the
// key or without.
func TestCrossOrigin(t *testing.T) {
	presenter := http.Header{"Cookie": {cookieOf(key)}}
	for _, tc := range []struct {
		name   string
		header http.Header
		want   int
	}{
		{"curl", nil, 204},
		{"the page itself", http.Header{"Sec-Fetch-Site": {"same-origin"}}, 204},
		{"an address typed by hand", http.Header{"Sec-Fetch-Site": {"none"}}, 204},
		{"the page in an old browser", http.Header{"Origin": {"http://localhost:5000"}}, 204},
		{"another site", http.Header{"Sec-Fetch-Site": {"cross-site"}}, 403},
		{"another site of the domain", http.Header{"Sec-Fetch-Site": {"same-site"}}, 403},
		{"another site in an old browser", http.Header{"Origin": {"http://evil.example"}}, 403},
		{"another port in an old browser", http.Header{"Origin": {"http://localhost:5001"}}, 403},
		{"a sandboxed frame", http.Header{"Origin": {"null"}}, 403},
	} {
		for _, configured := range []string{"", key} {
			header := tc.header.Clone()
			if configured != "" {
				if header == nil {
					header = http.Header{}
				}
				header["Cookie"] = presenter["Cookie"]
			}
			if got := request(newRouter(configured), "POST", "/change", "localhost:5000", header, ""); got.Code != tc.want {
				t.Errorf("%s, key %q: %d, want %d", tc.name, configured, got.Code, tc.want)
			}
		}
		if got := request(newRouter(""), "GET", "/read", "localhost:5000", tc.header, ""); got.Code != http.StatusNoContent {
			t.Errorf("%s may not read: %d", tc.name, got.Code)
		}
	}
}

// With a key, only the presenter may change anything; everyone may watch.
func TestPresenterOnly(t *testing.T) {
	for _, tc := range []struct {
		name   string
		header http.Header
		want   int
	}{
		{"nobody", nil, 403},
		{"a wrong key", http.Header{keyHeader: {"a-key-for-the-presenteR"}}, 403},
		{"half the key", http.Header{keyHeader: {key[:10]}}, 403},
		{"an empty key", http.Header{keyHeader: {""}}, 403},
		{"a wrong cookie", http.Header{"Cookie": {newGuard(key).cookieName() + "=x"}}, 403},
		{"the key itself as the cookie", http.Header{"Cookie": {newGuard(key).cookieName() + "=" + key}}, 403},
		{"another key's cookie under this one's name", http.Header{"Cookie": {newGuard(key).cookieName() + "=" + newGuard("another key").cookie()}}, 403},
		{"the cookie of a server with the same key and another secret", http.Header{"Cookie": {newGuard(key).cookieName() + "=" + New(Config{Key: key}).cookie()}}, 403},
		{"a neighbouring domain's cookie of the same name before it", http.Header{"Cookie": {newGuard(key).cookieName() + "=x; " + cookieOf(key)}}, 204},
		{"cookies of two servers", http.Header{"Cookie": {cookieOf("another key") + "; " + cookieOf(key)}}, 204},
		{"the cookie of another key", http.Header{"Cookie": {cookieOf("another key")}}, 403},
		{"the key in another cookie", http.Header{"Cookie": {"key=" + key}}, 403},
		{"the key in another header", http.Header{"Authorization": {"Bearer " + key}}, 403},
		{"the key", http.Header{keyHeader: {key}}, 204},
		{"the cookie", http.Header{"Cookie": {cookieOf(key)}}, 204},
		{"a wrong header and the cookie", http.Header{keyHeader: {"x"}, "Cookie": {cookieOf(key)}}, 204},
	} {
		if got := request(newRouter(key), "POST", "/change", "stage.example", tc.header, ""); got.Code != tc.want {
			t.Errorf("%s: %d, want %d", tc.name, got.Code, tc.want)
		}
		if got := request(newRouter(key), "GET", "/read", "stage.example", tc.header, ""); got.Code != 204 {
			t.Errorf("%s may not watch: %d", tc.name, got.Code)
		}
	}
	if got := request(newRouter(key), "POST", "/change?key="+key, "stage.example", nil, ""); got.Code != 403 {
		t.Errorf("the key in the address: %d", got.Code)
	}
}

// A browser exchanges the key for a cookie that no script can read, and that no
// other site can have sent.
func TestKeyCookie(t *testing.T) {
	form := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	for _, tc := range []struct {
		name, configured, method, path, body string
		status                               int
		location                             string
		set                                  bool
	}{
		{"the printed address", key, "GET", "/?key=" + key, "", 303, "/", true},
		{"a wrong key in the address", key, "GET", "/?key=wrong", "", 303, "/key", false},
		{"no key in the address", key, "GET", "/", "", 204, "", false},
		{"the form", key, "POST", "/key", url.Values{"key": {key}}.Encode(), 303, "/", true},
		{"a wrong key in the form", key, "POST", "/key", url.Values{"key": {"wrong"}}.Encode(), 403, "", false},
		{"an empty form", key, "POST", "/key", "", 403, "", false},
		{"an address where no key is configured", "", "GET", "/?key=x", "", 204, "", false},
		{"an empty form where no key is configured", "", "POST", "/key", "key=", 403, "", false},
	} {
		got := request(newRouter(tc.configured), tc.method, tc.path, "localhost", form, tc.body)
		if got.Code != tc.status || got.Header().Get("Location") != tc.location {
			t.Errorf("%s: %d to %q", tc.name, got.Code, got.Header().Get("Location"))
		}
		cookies := got.Result().Cookies()
		if len(cookies) > 0 != tc.set {
			t.Fatalf("%s: cookies %v", tc.name, cookies)
		}
		for _, c := range cookies {
			if c.Name != newGuard(key).cookieName() || c.Value != newGuard(key).cookie() || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.MaxAge <= 0 {
				t.Errorf("%s: %v", tc.name, c)
			}
		}
	}
	if got := request(newRouter(key), "POST", "/key", "localhost", http.Header{"Sec-Fetch-Site": {"cross-site"}}, "key="+key); got.Code != 403 {
		t.Errorf("another site presents the key: %d", got.Code)
	}
}

// Every answer has the security headers, refusals too.
func TestHeaders(t *testing.T) {
	for _, path := range []string{"/read", "/key", "/none"} {
		h := request(newRouter(""), "GET", path, "localhost", nil, "").Header()
		policy := h.Get("Content-Security-Policy")
		if !strings.HasPrefix(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") || h.Get("X-Frame-Options") != "DENY" ||
			h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "no-referrer" || h.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v", path, h)
		}
	}
}

// HEAD is answered wherever GET is, by the same header; other methods are refused
// with a list of those that a path has.
func TestMethods(t *testing.T) {
	server := httptest.NewServer(newRouter(""))
	defer server.Close()
	for _, tc := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{"GET", "/read", 204, ""},
		{"HEAD", "/read", 204, ""},
		{"HEAD", "/key", 200, ""},
		{"HEAD", "/none", 404, ""},
		{"POST", "/change", 204, ""},
		{"POST", "/read", 405, "GET, HEAD, OPTIONS"},
		{"GET", "/change", 405, "POST, OPTIONS"},
		{"HEAD", "/change", 405, "POST, OPTIONS"},
		{"PUT", "/change", 405, "POST, OPTIONS"},
		{"DELETE", "/change", 405, "POST, OPTIONS"},
		{"TRACE", "/key", 405, "GET, HEAD, POST, OPTIONS"},
		{"OPTIONS", "/key", 204, "GET, HEAD, POST, OPTIONS"},
		{"OPTIONS", "/change", 204, "POST, OPTIONS"},
		{"OPTIONS", "/none", 404, ""},
		{"BREW", "/read", 405, "GET, HEAD, OPTIONS"},
	} {
		req, err := http.NewRequest(tc.method, server.URL+tc.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != tc.status || resp.Header.Get("Allow") != tc.allow || tc.method == "HEAD" && len(body) > 0 {
			t.Errorf("%s %s: %d, Allow %q, %d bytes, %v", tc.method, tc.path, resp.StatusCode, resp.Header.Get("Allow"), len(body), err)
		}
		if tc.method != "HEAD" {
			continue
		}
		get, err := http.Get(server.URL + tc.path)
		if err != nil {
			t.Fatal(err)
		}
		get.Body.Close()
		if a, b := resp.Header.Get("Content-Length"), get.Header.Get("Content-Length"); a != b {
			t.Errorf("HEAD %s: Content-Length %q, GET has %q", tc.path, a, b)
		}
	}
}

// Keys with characters that mean something in a link, a form or a cookie work in
// each of them.
func TestKeyWithAnyCharacters(t *testing.T) {
	for _, key := range []string{"Zwölf-Zähler;#+", `a&b=c%20?/"',\\`, "correct horse battery"} {
		link := request(newRouter(key), "GET", "/?"+url.Values{"key": {key}}.Encode(), "stage.example", nil, "")
		form := request(newRouter(key), "POST", "/key", "stage.example", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, url.Values{"key": {key}}.Encode())
		for name, got := range map[string]*httptest.ResponseRecorder{"link": link, "form": form} {
			cookies := got.Result().Cookies()
			if len(cookies) != 1 {
				t.Fatalf("%q by %s: %d, %v", key, name, got.Code, cookies)
			}
			header := http.Header{"Cookie": {cookies[0].Name + "=" + cookies[0].Value}}
			if got := request(newRouter(key), "POST", "/change", "stage.example", header, ""); got.Code != http.StatusNoContent {
				t.Errorf("%q by %s: the cookie is refused: %d", key, name, got.Code)
			}
		}
		if got := request(newRouter(key), "POST", "/change", "stage.example", http.Header{keyHeader: {key}}, ""); got.Code != http.StatusNoContent {
			t.Errorf("%q in the header: %d", key, got.Code)
		}
	}
}
