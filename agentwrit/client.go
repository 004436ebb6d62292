package agentwrit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/devonartis/medassist-go/agentwrit/wire"
)

// Bounds on what a broker may answer, in bytes.
const (
	maxAnswer  = 8 << 20 // an audit page of 1,000 events fits several times
	maxProblem = 64 << 10
	maxDetail  = 500 // of a problem's text in an error
)

// client is a broker's address and how to talk to it. It keeps no credential.
type client struct {
	base      *url.URL
	http      *http.Client
	timeout   time.Duration
	userAgent string
	now       func() time.Time
}

// call is one request. Without out, the answer's body is not read.
type call struct {
	op     string
	method string
	path   string
	bearer string
	in     any
	out    any    // a *[]byte takes the answer as it is
	media  string // of the answer; JSON if empty
	safe   bool   // a repeat does no harm, so it is retried
}

// do sends a call, and sends it again where that is safe.
func (c *client) do(ctx context.Context, k call) error {
	return retry(ctx, k.safe, func() error { return c.once(ctx, k) })
}

// once sends a call and reads the answer into k.out.
func (c *client) once(ctx context.Context, k call) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	req, err := c.request(ctx, k)
	if err != nil {
		return &Error{Op: k.op, kind: ErrInvalidRequest, Detail: "the request can't be built", cause: stripURL(err)}
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return c.unreachable(ctx, k.op, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		return refusal(k.op, resp)
	}
	if k.out == nil {
		return nil
	}
	media := "application/json"
	if k.media != "" {
		media = k.media
	}
	if !isMedia(resp, media) {
		return &Error{Op: k.op, Status: resp.StatusCode, kind: ErrProtocol,
			Detail: "the answer is not " + media, Hint: "is this address a broker's?"}
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return c.unreachable(ctx, k.op, err)
	}
	if len(body) > maxAnswer {
		return &Error{Op: k.op, Status: resp.StatusCode, kind: ErrProtocol, Detail: "the answer is too large"}
	}
	if raw, ok := k.out.(*[]byte); ok {
		*raw = body
		return nil
	}
	if err := json.Unmarshal(body, k.out); err != nil {
		return &Error{Op: k.op, Status: resp.StatusCode, kind: ErrProtocol, Detail: "the answer can't be read"}
	}
	return nil
}

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

// unreachable is the error of a request without an answer. A caller's own
// deadline or cancellation is its cause.
func (c *client) unreachable(ctx context.Context, op string, err error) error {
	e := &Error{Op: op, kind: ErrTransport, cause: stripURL(err),
		Detail: fmt.Sprintf("the broker at %s can't be reached", c.base.Host)}
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		e.Detail, e.cause = "cancelled", context.Canceled
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		e.Detail, e.cause = fmt.Sprintf("the broker at %s did not answer in time", c.base.Host), context.DeadlineExceeded
	}
	return e
}

// refusal reads a problem document (RFC 7807), or makes do without one.
func refusal(op string, resp *http.Response) error {
	e := &Error{Op: op, Status: resp.StatusCode, kind: kindOf(resp.StatusCode),
		RequestID: cut(resp.Header.Get("X-Request-ID"), 128), RetryAfter: retryAfter(resp.Header)}
	if e.kind == ErrProtocol {
		e.Detail = "the broker redirects, which is not followed"
		return e
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxProblem))
	var p wire.Problem
	if err != nil || !isMedia(resp, wire.ProblemContentType) || json.Unmarshal(body, &p) != nil {
		e.Detail = "refused without a reason"
		return e
	}
	e.Code, e.Detail, e.Hint = p.ErrorCode, cut(p.Detail, maxDetail), cut(p.Hint, maxDetail)
	return e
}

// retryAfter reads the header in its form of seconds (RFC 9110 section 10.2.3).
func retryAfter(h http.Header) time.Duration {
	s, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil || s < 0 || s > 3600 {
		return 0
	}
	return time.Duration(s) * time.Second
}

func isMedia(resp *http.Response, want string) bool {
	got, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	return err == nil && got == want
}

func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return s[:n] + "…"
}
