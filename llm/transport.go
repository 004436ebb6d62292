package llm

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Bounds of the transport.
const (
	maxTries      = 3
	retryDelay    = 250 * time.Millisecond // doubled for each further try
	maxRetryAfter = 5 * time.Second
	maxAnswer     = 4 << 20  // bytes of one answer
	maxReason     = 16 << 10 // bytes read of an error's body
)

// transport stands between the client library and a server, and is stricter
// than either. It repeats a request that was turned away before anything was
// said, makes an [*Error] of every answer but 200 (of redirects too: the key
// goes nowhere else), and makes of any 200 an event stream that the library
// can read, or an [*Error].
type transport struct {
	next http.RoundTripper
	who  string // in errors
}

// RoundTrip implements [http.RoundTripper].
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	for try := 1; ; try++ {
		resp, err := t.next.RoundTrip(req)
		wait, again := retry(resp, err)
		if !again || try == maxTries || wait > maxRetryAfter || req.GetBody == nil {
			if err != nil {
				return nil, err
			}
			return t.readable(req, resp)
		}
		if resp != nil {
			drain(resp.Body)
		}
		wait = max(wait, retryDelay<<(try-1))
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-req.Context().Done():
			timer.Stop()
			return nil, req.Context().Err()
		}
		body, err := req.GetBody()
		if err != nil {
			return nil, err
		}
		req = req.Clone(req.Context())
		req.Body = body
	}
}

// retry says whether a request may be repeated because the server did nothing
// with it, and how long the server asks to wait.
func retry(resp *http.Response, err error) (time.Duration, bool) {
	if err != nil {
		var op *net.OpError
		var dns *net.DNSError
		return 0, errors.As(err, &op) && op.Op == "dial" && !op.Timeout() && !errors.As(err, &dns)
	}
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return retryAfter(resp.Header.Get("Retry-After"), time.Now()), true
	}
	return 0, false
}

// retryAfter reads a Retry-After header: seconds or a date (RFC 9110, 10.2.3).
func retryAfter(header string, now time.Time) time.Duration {
	if s, err := strconv.ParseInt(header, 10, 32); err == nil {
		return time.Duration(s) * time.Second
	}
	if at, err := http.ParseTime(header); err == nil {
		return at.Sub(now)
	}
	return 0
}

// readable makes of a response an event stream, or an error.
func (t *transport) readable(req *http.Request, resp *http.Response) (*http.Response, error) {
	if resp.StatusCode != http.StatusOK {
		defer drain(resp.Body)
		return nil, t.refused(req, resp)
	}
	body := &bounded{ReadCloser: resp.Body, left: maxAnswer, who: t.who}
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	switch kind {
	case "text/event-stream":
		resp.Body = readCloser{newEvents(body, t.who), body}
	case "application/json":
		stream, err := streamOf(body, t.who)
		body.Close()
		if err != nil {
			return nil, err
		}
		resp.Body = io.NopCloser(strings.NewReader(stream))
	default:
		body.Close()
		return nil, unreadable(t.who, fmt.Sprintf("it is %.60q and not an event stream; check LLM_BASE_URL, which usually ends in /v1", kind))
	}
	return resp, nil
}

// refused is the error of a response that is not 200.
func (t *transport) refused(req *http.Request, resp *http.Response) *Error {
	e := answered(t.who, resp.StatusCode, reason(resp.Body, req.Header.Get("Authorization")))
	if wait := retryAfter(resp.Header.Get("Retry-After"), time.Now()); wait > 0 && e.Kind == KindRateLimited {
		e.Hint = fmt.Sprintf("it asks to wait %s; or use another model", wait.Round(time.Second))
	}
	return e
}

// reason is what an error's body says, in one short line without the key.
func reason(body io.Reader, authorization string) string {
	raw, err := io.ReadAll(io.LimitReader(body, maxReason))
	if err != nil {
		return ""
	}
	var said struct {
		Error  json.RawMessage `json:"error"`
		Detail string          `json:"detail"`
	}
	if json.Unmarshal(raw, &said) != nil {
		return ""
	}
	var inner struct {
		Message string `json:"message"`
	}
	text := said.Detail
	if json.Unmarshal(said.Error, &inner) == nil {
		text = inner.Message
	} else if json.Unmarshal(said.Error, &text) != nil {
		text = said.Detail
	}
	if key := strings.TrimPrefix(authorization, "Bearer "); key != "" {
		text = strings.ReplaceAll(text, key, "…")
	}
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > 200 {
		text = strings.ToValidUTF8(text[:200], "") + "…"
	}
	return text
}

// drain reads what is left of a short body, so that its connection can serve
// again, and closes it.
func drain(body io.ReadCloser) {
	_, _ = io.CopyN(io.Discard, body, maxReason) // what fails here only costs the connection
	body.Close()
}

type readCloser struct {
	io.Reader
	io.Closer
}

// bounded fails, rather than ends, when an answer is too long.
type bounded struct {
	io.ReadCloser
	left int64
	who  string
}

// Read implements [io.Reader].
func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, tooMuch(b.who, fmt.Sprintf("an answer may have %d bytes", maxAnswer))
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}
