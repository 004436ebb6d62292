package agentwrit

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// DefaultTimeout bounds one request to the broker.
const DefaultTimeout = 10 * time.Second

// Option changes how a client talks to its broker.
type Option func(*client)

// WithHTTPClient has requests sent through c's transport. Redirects are not
// followed whatever c says, since they would carry credentials elsewhere.
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

// WithTimeout bounds each request; the default is [DefaultTimeout].
func WithTimeout(d time.Duration) Option { return func(cl *client) { cl.timeout = d } }

// WithUserAgent sets the User-Agent header.
func WithUserAgent(s string) Option { return func(cl *client) { cl.userAgent = s } }

// WithClock sets where the time comes from; the default is [time.Now].
func WithClock(now func() time.Time) Option { return func(cl *client) { cl.now = now } }

// transport keeps as many connections to one broker as concurrent callers use;
// net/http's own default keeps two.
var transport = func() http.RoundTripper {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = 64
	return t
}()

// newClient checks the broker's address and applies options.
func newClient(brokerURL string, opts []Option) (*client, error) {
	base, err := url.Parse(strings.TrimRight(brokerURL, "/"))
	if err == nil && (base.Scheme != "http" && base.Scheme != "https" || base.Host == "") {
		err = errors.New("it must look like https://broker.example")
	}
	if err == nil && base.User != nil {
		err = errors.New("it must not hold a user name or password")
	}
	if err != nil {
		return nil, &Error{Op: "broker address", Kind: ErrInvalidRequest,
			Detail: fmt.Sprintf("the broker's URL can't be used: %v", stripURL(err))}
	}
	c := &client{base: base, timeout: DefaultTimeout, userAgent: "agentwrit-go/1", now: time.Now}
	c.http = &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	for _, o := range opts {
		o(c)
	}
	return c, nil
}

// stripURL takes the URL out of an error of net/url or net/http: it may hold
// what nobody should read.
func stripURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
