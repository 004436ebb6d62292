package llm

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
)

// Bounds of the transport.
const (
	maxAnswer = 4 << 20  // bytes of one answer
	maxReason = 16 << 10 // bytes read of an error's body
)

// transport stands between the client library and a server. It amends the
// request, returns an [*Error] for every status but 200 (for redirects too, so
// that the key goes nowhere else), and turns whatever a 200 holds into an event
// stream that the library can read, or into an [*Error].
type transport struct {
	next   http.RoundTripper
	who    string // names the server in errors
	vendor Vendor
	redact redactor
	query  string // added to each request
	azure  bool
}

// flight carries one request's data past the client library, whose types have
// no place for it.
type flight struct {
	amend func(body []byte) ([]byte, error) // nil leaves the body as it is
	sent  []byte                            // the body as it was sent
	done  bool                              // the stream said that it is complete
}

type flightKey struct{}

func withFlight(ctx context.Context, f *flight) context.Context {
	return context.WithValue(ctx, flightKey{}, f)
}

// RoundTrip implements [http.RoundTripper].
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	f, _ := req.Context().Value(flightKey{}).(*flight)
	if f == nil {
		f = &flight{}
	}
	req, err := t.amended(req, f)
	if err != nil {
		return nil, err
	}
	resp, err := t.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		defer drain(resp.Body)
		body, _ := io.ReadAll(io.LimitReader(resp.Body, maxReason)) // what arrived is better than nothing
		return nil, refusal(t.who, t.vendor, t.redact, readSaid(resp.StatusCode, resp.Header, body))
	}
	return t.readable(resp, f)
}

// amended returns the request as it is sent.
func (t *transport) amended(req *http.Request, f *flight) (*http.Request, error) {
	body, err := io.ReadAll(req.Body)
	req.Body.Close()
	if err == nil && f.amend != nil {
		body, err = f.amend(body)
	}
	if err != nil {
		return nil, err
	}
	f.sent = body
	req = req.Clone(req.Context())
	req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	if t.query != "" {
		req.URL.RawQuery = t.query
	}
	if key, ok := strings.CutPrefix(req.Header.Get("Authorization"), "Bearer "); ok && t.azure {
		req.Header.Set("api-key", key)
	}
	return req, nil
}

// readable turns the body of a response into an event stream. What it is, its
// first character tells better than its type: servers report errors as JSON in
// a stream, and proxies forget the type.
func (t *transport) readable(resp *http.Response, f *flight) (*http.Response, error) {
	body := &bounded{ReadCloser: resp.Body, left: maxAnswer, who: t.who}
	var plain io.Reader = body
	if resp.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(body)
		if err != nil {
			body.Close()
			return nil, unreadable(t.who, "it is not the gzip that it claims to be")
		}
		plain = &bounded{ReadCloser: io.NopCloser(unzipped), left: maxAnswer, who: t.who}
		resp.Header.Del("Content-Encoding")
	}
	buffered := bufio.NewReader(plain)
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	first, err := firstByte(buffered)
	switch {
	case err != nil:
		body.Close()
		return nil, err
	case first == '{' || first == '[' || kind == "application/json":
		defer body.Close()
		stream, err := streamOf(buffered, t.who, t.failed)
		if err != nil {
			return nil, err
		}
		f.done = true
		resp.Body = io.NopCloser(strings.NewReader(stream))
	case first == '<':
		defer body.Close()
		page, _ := io.ReadAll(io.LimitReader(buffered, maxReason))
		s := readSaid(resp.StatusCode, http.Header{}, page)
		return nil, unreadable(t.who, fmt.Sprintf("it is an HTML page (%q); check LLM_BASE_URL, which usually ends in /v1", clip(t.redact.clean(s.message))))
	case kind == "text/event-stream", isEventLine(buffered):
		resp.Body = readCloser{newEvents(buffered, t.who, t.failed, func() { f.done = true }), body}
	default:
		body.Close()
		return nil, unreadable(t.who, fmt.Sprintf("it is %q and not an event stream; check LLM_BASE_URL, which usually ends in /v1", clip(kind)))
	}
	return resp, nil
}

// failed returns the error that a server reports after it has answered 200.
func (t *transport) failed(body []byte) *Error {
	return refusal(t.who, t.vendor, t.redact, readSaid(0, http.Header{}, body))
}

// firstByte returns the first character that is not white space, without
// reading it; 0 if there is none.
func firstByte(r *bufio.Reader) (byte, error) {
	for n := 1; n <= r.Size(); n++ {
		b, err := r.Peek(n)
		if errors.Is(err, io.EOF) {
			return 0, nil
		}
		if err != nil {
			return 0, err
		}
		if c := b[n-1]; !strings.ContainsRune(" \t\r\n", rune(c)) && !bytes.HasPrefix([]byte("\uFEFF"), bytes.TrimLeft(b, " \t\r\n")) {
			return c, nil
		}
	}
	return 0, nil
}

// isEventLine reports whether the text begins like an event stream.
func isEventLine(r *bufio.Reader) bool {
	b, _ := r.Peek(r.Buffered())
	b = bytes.TrimLeft(bytes.TrimPrefix(b, []byte("\uFEFF")), " \t\r\n")
	for _, field := range []string{"data:", "event:", "id:", "retry:", ":"} {
		if bytes.HasPrefix(b, []byte(field)) {
			return true
		}
	}
	return false
}

// streamOf makes a stream of one event from a complete reply, which some
// servers send although they were asked to stream.
func streamOf(r io.Reader, who string, failed func([]byte) *Error) (string, error) {
	body, err := io.ReadAll(r)
	if err != nil {
		return "", err
	}
	var f fields
	switch {
	case reportsError(body):
		return "", failed(body)
	case json.Unmarshal(body, &f) != nil:
		var list []fields
		if json.Unmarshal(body, &list) == nil && len(list) > 0 && list[0]["error"] != nil {
			return "", failed(body)
		}
		return "", unreadable(who, "it is JSON, but not a chat completion; check LLM_BASE_URL, which usually ends in /v1")
	case f["choices"] == nil && f["output"] == nil:
		if said := readSaid(0, http.Header{}, body); said.message != "" {
			return "", failed(body)
		}
		return "", unreadable(who, "it is JSON, but not a chat completion; check LLM_BASE_URL, which usually ends in /v1")
	}
	var line bytes.Buffer
	if err := json.Compact(&line, body); err != nil {
		return "", unreadable(who, "it is not JSON")
	}
	return "data: " + line.String() + "\n\ndata: [DONE]\n\n", nil
}

// drain reads what is left of a short body, so that its connection can be used
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
