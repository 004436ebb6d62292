package agentwrit

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/internal/text"
)

// Limits on a broker's response, in bytes.
const (
	maxResponse = 8 << 20 // several times an audit page of 1,000 events
	maxProblem  = 64 << 10
	maxDetail   = 500 // of a problem document's texts, as kept in an Error
)

// A client sends requests to one broker. It holds no credential.
type client struct {
	base      *url.URL
	http      *http.Client
	timeout   time.Duration
	userAgent string
	now       func() time.Time
	trusted   Keys          // keys to trust instead of those the broker serves, nil for none
	leeway    time.Duration // clock difference that an offline verifier tolerates
	issuer    string        // required issuer of tokens, "" for any
	audience  string        // required audience of tokens, "" for any
	cache     TokenCache    // of an app's session, nil for none
}

// A call describes one request.
type call struct {
	op      string
	method  string
	path    string
	bearer  string
	in      any    // JSON request body, nil for none
	out     any    // decoded response, nil to ignore the body; a *[]byte receives it as it is
	media   string // required media type of the response, JSON if empty
	safe    bool   // repeating the request is harmless, so failures are retried
	issuing bool   // the response carries a new credential
	status  int    // required status of the response, any of 2xx if 0

	optional  bool              // not every broker has this endpoint
	temporary func(*Error) bool // refusals to repeat until the time limit, nil for none
}

// do sends a call and retries it where that is harmless.
func (c *client) do(ctx context.Context, k call) error {
	if k.temporary == nil {
		return retry(ctx, k.safe, func() error { return c.once(ctx, k) })
	}
	return c.doPatiently(ctx, k)
}

// once sends a call and decodes the response into k.out.
func (c *client) once(ctx context.Context, k call) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	req, err := c.request(ctx, k)
	if err != nil {
		return &Error{Op: k.op, Kind: ErrInvalidRequest, Detail: "the request can't be encoded", cause: stripURL(err)}
	}
	if ctx.Err() != nil {
		return c.noResponse(ctx, k.op, ctx.Err())
	}
	resp, err := c.http.Do(req)
	if err != nil {
		e := c.noResponse(ctx, k.op, err)
		e.issuing = k.issuing && !failedToConnect(err)
		return e
	}
	defer resp.Body.Close()
	e := c.read(ctx, k, resp)
	if e == nil {
		return nil
	}
	if e.Kind == ErrAuthentication && k.bearer != "" {
		e.cause = c.outsideValidity(k.bearer)
	}
	e.issuing = k.issuing && !refused(e)
	return e
}

// read decodes a response into k.out.
func (c *client) read(ctx context.Context, k call, resp *http.Response) *Error {
	if resp.StatusCode >= 300 {
		e := c.problem(k.op, resp)
		if k.optional && e.Status == http.StatusNotFound {
			e.Detail, e.cause = "this broker does not serve "+k.path, ErrNotServed
		}
		return e
	}
	if k.status != 0 && resp.StatusCode != k.status {
		return &Error{Op: k.op, Kind: ErrProtocol, Status: resp.StatusCode,
			Detail: fmt.Sprintf("the response has not the expected status %d", k.status), Hint: hintAddress}
	}
	if k.out == nil {
		return nil
	}
	media := "application/json"
	if k.media != "" {
		media = k.media
	}
	if !hasMediaType(resp, media) {
		return &Error{Op: k.op, Kind: ErrProtocol, Status: resp.StatusCode,
			Detail: "the response is not " + media, Hint: hintAddress}
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxResponse+1))
	if err != nil {
		return c.noResponse(ctx, k.op, err)
	}
	if len(body) > maxResponse {
		return &Error{Op: k.op, Kind: ErrProtocol, Status: resp.StatusCode, Detail: "the response is too large"}
	}
	if raw, ok := k.out.(*[]byte); ok {
		*raw = body
		return nil
	}
	if err := json.Unmarshal(body, k.out); err != nil {
		return &Error{Op: k.op, Kind: ErrProtocol, Status: resp.StatusCode, Detail: "the response is not valid JSON of the expected form"}
	}
	if h, ok := k.out.(*Health); ok {
		h.Date, _ = http.ParseTime(resp.Header.Get("Date")) // zero without one
	}
	return nil
}

const hintAddress = "check that the address is that of an AgentWrit broker"

func (c *client) request(ctx context.Context, k call) (*http.Request, error) {
	var body io.Reader
	if k.in != nil {
		b, err := json.Marshal(k.in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, k.method, c.base.String()+k.path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json, application/problem+json")
	req.Header.Set("User-Agent", c.userAgent)
	if k.in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if k.bearer != "" {
		req.Header.Set("Authorization", "Bearer "+k.bearer)
	}
	return req, nil
}

// noResponse describes a request that got no complete response. If ctx ended,
// the error wraps ctx's error.
func (c *client) noResponse(ctx context.Context, op string, err error) *Error {
	e := &Error{Op: op, Kind: ErrTransport, cause: stripURL(err),
		Detail: fmt.Sprintf("can't reach the broker at %s", c.base.Host)}
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		e.Detail, e.cause = "canceled", context.Canceled
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		e.Detail, e.cause = fmt.Sprintf("the broker at %s did not respond in time", c.base.Host), context.DeadlineExceeded
	default:
		if fault := tlsFault(err); fault != "" {
			e.Detail = fmt.Sprintf("no TLS connection to the broker at %s: %s", c.base.Host, fault)
		}
	}
	return e
}

// tlsFault returns why a TLS connection was refused, by this side or by the other,
// and "" for other errors.
func tlsFault(err error) string {
	var invalid *tls.CertificateVerificationError
	var op *net.OpError
	switch {
	case errors.As(err, &invalid):
		return invalid.Err.Error()
	case errors.As(err, &op) && op.Op == "remote error": // an alert, such as "certificate required"
		return op.Err.Error()
	}
	return ""
}

// failedToConnect reports whether no connection was made, so that the request
// was never sent.
func failedToConnect(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// refused reports whether the response shows that the request had no effect.
// Other failures leave that open: a gateway may time out, and a broker may
// fail after it has stored what it was asked for.
func refused(e *Error) bool {
	return e.Status >= 400 && e.Status < 500 || e.Status == 503 && e.Code == CodeUnavailable
}

// problem reads a refusal's problem document (RFC 7807), if there is one.
func (c *client) problem(op string, resp *http.Response) *Error {
	now := c.now()
	e := &Error{Op: op, Kind: kindOf(resp.StatusCode), Status: resp.StatusCode,
		RequestID: text.Clip(resp.Header.Get("X-Request-ID"), 128), RetryAfter: retryAfter(resp.Header, now)}
	if e.RetryAfter > 0 {
		e.RetryAt = now.Add(e.RetryAfter)
	}
	if e.Kind == ErrProtocol {
		e.Detail = "the broker answered with a redirect, which is not followed"
		return e
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxProblem))
	var p wire.Problem
	if err != nil || !hasMediaType(resp, wire.ProblemContentType) || json.Unmarshal(body, &p) != nil {
		e.Detail = "refused without a reason"
		return e
	}
	e.Code, e.Type, e.Title = Code(text.Clip(string(p.ErrorCode), 64)), text.Clip(p.Type, 128), text.Clip(p.Title, 128)
	e.Detail, e.Instance, e.Hint = text.Clip(p.Detail, maxDetail), text.Clip(p.Instance, maxDetail), text.Clip(p.Hint, maxDetail)
	return e
}

// maxRetryAfter limits the wait that a response can ask for.
const maxRetryAfter = time.Hour

// retryAfter parses the Retry-After header, which holds seconds or a date (RFC
// 9110, section 10.2.3). A date is compared with the response's own Date, if it
// has one, because the clocks of the two hosts may differ.
func retryAfter(h http.Header, now time.Time) time.Duration {
	value := h.Get("Retry-After")
	if s, err := strconv.ParseInt(value, 10, 64); err == nil {
		return time.Duration(min(max(s, 0), int64(maxRetryAfter/time.Second))) * time.Second
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	return min(max(at.Sub(now), 0), maxRetryAfter)
}

func hasMediaType(resp *http.Response, want string) bool {
	got, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	return err == nil && got == want
}
