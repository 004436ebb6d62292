package llm

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"time"
)

// Bounds of the transport.
const (
	maxTries      = 3
	retryDelay    = 250 * time.Millisecond
	maxRetryAfter = 5 * time.Second
	maxStream     = 4 << 20 // bytes of one response
	maxLine       = 1 << 20 // bytes of one line of it
)

// transport makes what servers send fit for the client library. It repeats a
// request that was turned away before anything was said, bounds the answer,
// takes out of a stream what the library can't read, and makes a stream of an
// answer that is none.
type transport struct{ next http.RoundTripper }

// RoundTrip implements [http.RoundTripper].
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	for try := 1; ; try++ {
		if try > 1 && req.GetBody != nil {
			body, err := req.GetBody()
			if err != nil {
				return nil, err
			}
			req = req.Clone(req.Context())
			req.Body = body
		}
		resp, err := t.next.RoundTrip(req)
		if err != nil {
			return nil, err
		}
		wait, again := retryable(resp, try)
		if !again && resp.StatusCode >= 300 && resp.StatusCode < 400 {
			resp.Body.Close()
			return nil, &Error{Kind: KindServer, Status: resp.StatusCode, Hint: "set LLM_BASE_URL to where it leads",
				Message: fmt.Sprintf("the model at %s redirects, which is not followed", req.URL.Host)}
		}
		if !again {
			return readable(resp), nil
		}
		io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // so that the connection serves again
		resp.Body.Close()
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-req.Context().Done():
			timer.Stop()
			return nil, req.Context().Err()
		}
	}
}

// retryable says whether a server turned a request away for now, and how long
// to wait. A Retry-After that is too long for an audience is not waited for.
func retryable(resp *http.Response, try int) (time.Duration, bool) {
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
	default:
		return 0, false
	}
	wait := retryDelay << (try - 1)
	if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && s > 0 {
		wait = time.Duration(s) * time.Second
	}
	return wait, try < maxTries && wait <= maxRetryAfter
}

// readable bounds an answer and, if it is a success, makes it a clean stream.
func readable(resp *http.Response) *http.Response {
	body := resp.Body
	limited := &limit{body, maxStream}
	resp.Body = limited
	if resp.StatusCode != http.StatusOK {
		return resp
	}
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if kind == "application/json" {
		resp.Body = readCloser{streamOf(limited), body}
		resp.Header.Set("Content-Type", "text/event-stream")
	} else {
		resp.Body = readCloser{newEventFilter(limited), body}
	}
	return resp
}

type readCloser struct {
	io.Reader
	io.Closer
}

// limit fails, rather than ends, when an answer is too long.
type limit struct {
	io.ReadCloser
	left int64
}

func (l *limit) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, &Error{Kind: KindLimit, Message: fmt.Sprintf("the model sent more than %d bytes", maxStream)}
	}
	n, err := l.ReadCloser.Read(p)
	l.left -= int64(n)
	return n, err
}

// eventFilter passes on the data lines of an event stream and nothing else:
// comments, heartbeats, event names and empty data trip the client library.
type eventFilter struct {
	lines *bufio.Scanner
	rest  []byte
}

func newEventFilter(r io.Reader) *eventFilter {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 0, 4<<10), maxLine)
	return &eventFilter{lines: s}
}

// Read implements [io.Reader].
func (f *eventFilter) Read(p []byte) (int, error) {
	for len(f.rest) == 0 {
		if !f.lines.Scan() {
			if err := f.lines.Err(); err != nil {
				return 0, err
			}
			return 0, io.EOF
		}
		data, ok := bytes.CutPrefix(f.lines.Bytes(), []byte("data:"))
		data = bytes.TrimSpace(data)
		if ok && len(data) > 0 {
			f.rest = append(append([]byte("data: "), data...), '\n', '\n')
		}
	}
	n := copy(p, f.rest)
	f.rest = f.rest[n:]
	return n, nil
}

// streamOf makes a stream of one chunk from a whole completion, which some
// servers send although they were asked to stream.
func streamOf(r io.Reader) io.Reader {
	var whole struct {
		Choices []struct {
			Message      json.RawMessage `json:"message"`
			FinishReason string          `json:"finish_reason"`
		} `json:"choices"`
		Usage json.RawMessage `json:"usage,omitempty"`
	}
	body, err := io.ReadAll(r)
	if err != nil {
		return failing{err}
	}
	if json.Unmarshal(body, &whole) != nil || len(whole.Choices) == 0 || len(whole.Choices[0].Message) == 0 {
		return bytes.NewReader(nil) // an empty reply
	}
	chunk, err := json.Marshal(map[string]any{
		"choices": []any{map[string]any{"index": 0, "delta": whole.Choices[0].Message, "finish_reason": whole.Choices[0].FinishReason}},
		"usage":   whole.Usage,
	})
	if err != nil {
		return failing{err}
	}
	return bytes.NewReader(fmt.Appendf(nil, "data: %s\n\ndata: [DONE]\n\n", chunk))
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
