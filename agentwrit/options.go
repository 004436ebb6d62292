package agentwrit

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// DefaultTimeout limits one request to the broker.
const DefaultTimeout = 10 * time.Second

// An Option changes how a client talks to its broker.
type Option func(*client)

// WithHTTPClient sends requests through the transport of c and, if c has a
// timeout, limits each request to it. Redirects are never followed, because they
// would carry credentials to another address.
func WithHTTPClient(c *http.Client) Option {
	return func(cl *client) {
		if c.Transport != nil {
			cl.http.Transport = c.Transport
		}
		if c.Timeout > 0 {
			cl.timeout = c.Timeout
		}
	}
}

// WithTimeout limits each request to d. The default is [DefaultTimeout].
func WithTimeout(d time.Duration) Option { return func(cl *client) { cl.timeout = d } }

// WithUserAgent sets the User-Agent header.
func WithUserAgent(s string) Option { return func(cl *client) { cl.userAgent = s } }

// WithClock sets the source of the current time. The default is [time.Now].
func WithClock(now func() time.Time) Option { return func(cl *client) { cl.now = now } }

// WithKeys trusts these broker keys and no others. Without it, the keys that the
// broker serves are trusted, which is as safe as the connection to it.
func WithKeys(k Keys) Option { return func(cl *client) { cl.trusted = k } }

// WithLeeway sets how much later than the local time a token's validity may
// start for an [OfflineVerifier] to accept it. The default is [DefaultLeeway];
// a negative d counts as 0. Expiry is not affected.
func WithLeeway(d time.Duration) Option { return func(cl *client) { cl.leeway = max(d, 0) } }

// WithIssuer refuses tokens that another issuer issued. It affects every Validate
// method and function, and thus [RequireScope]: they fail with [ErrTokenInvalid].
func WithIssuer(issuer string) Option { return func(cl *client) { cl.issuer = issuer } }

// WithAudience refuses tokens that are not issued for this audience, including
// tokens without an audience. Like [WithIssuer] it affects all validation.
func WithAudience(audience string) Option { return func(cl *client) { cl.audience = audience } }

// WithTokenCache shares an [App]'s session with the other processes that use the
// same cache, so that they log in once. It has no effect on other clients.
func WithTokenCache(cache TokenCache) Option { return func(cl *client) { cl.cache = cache } }

// transport is shared by all clients. It keeps more idle connections per broker
// than net/http's default of two, since many agents use one broker.
var transport = func() http.RoundTripper {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = 64
	return t
}()

// newClient validates the broker's address and applies options.
func newClient(brokerURL string, opts []Option) (*client, error) {
	base, err := url.Parse(strings.TrimRight(brokerURL, "/"))
	if err == nil && (base.Scheme != "http" && base.Scheme != "https" || base.Host == "") {
		err = errors.New("it must have the form https://broker.example")
	}
	if err == nil && base.User != nil {
		err = errors.New("it must not contain a user name or password")
	}
	if err != nil {
		return nil, &Error{Op: "parse broker URL", Kind: ErrInvalidRequest,
			Detail: fmt.Sprintf("invalid broker URL: %v", stripURL(err))}
	}
	c := &client{base: base, timeout: DefaultTimeout, leeway: DefaultLeeway, userAgent: "agentwrit-go/1", now: time.Now}
	c.http = &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	for _, o := range opts {
		o(c)
	}
	return c, nil
}

// stripURL removes the URL from an error of net/url or net/http, because it may
// contain a secret.
func stripURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
