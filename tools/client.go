package tools

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/devonartis/medassist-go/agentwrit"
)

// Limits of a call.
const (
	callTimeout = 10 * time.Second
	maxOutput   = 256 << 10 // bytes
)

// The kinds of [Refused].
var (
	ErrScopeDenied   = errors.New("denied by the records API: the token lacks a required scope")
	ErrTokenRejected = errors.New("denied by the records API: the token is not valid")
)

// ErrInvalidCall reports that the records API rejected a call's arguments, such
// as a missing dose; nothing was written.
var ErrInvalidCall = errors.New("the records API rejected the call")

// A Refused is a denial by the records API. It wraps [ErrScopeDenied] or
// [ErrTokenRejected].
type Refused struct {
	Required, Held, Missing []string
	Detail                  string
	kind                    error
}

func (e *Refused) Error() string { return e.kind.Error() + ": " + e.Detail }
func (e *Refused) Unwrap() error { return e.kind }

// A Result is the answer to a tool call.
type Result struct {
	Output   json.RawMessage
	NotFound bool // there is no such patient, which is an answer and not a failure
}

// A Client makes tool calls to one records API.
type Client struct {
	base string
	http *http.Client
}

// NewClient returns a client of the records API that baseURL serves under
// /records. If transport is nil, it uses http.DefaultTransport.
func NewClient(baseURL string, transport http.RoundTripper) *Client {
	return &Client{base: baseURL, http: &http.Client{
		Timeout:       callTimeout,
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Do makes a call with a bearer token. A denial is a [*Refused], and a call with
// invalid arguments is [ErrInvalidCall]; any other error means that the API
// failed or could not be reached. No error contains the token.
func (c *Client) Do(ctx context.Context, call Call, bearer string) (Result, error) {
	req, err := c.request(ctx, call)
	if err != nil {
		return Result{}, fmt.Errorf("build the request of %s: %w", call.Tool.Name, err)
	}
	req.Header.Set("Authorization", "Bearer "+bearer)
	resp, err := c.http.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		return Result{}, fmt.Errorf("the records API is unreachable: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxOutput+1))
	if err != nil {
		return Result{}, fmt.Errorf("the response of the records API was cut off: %w", err)
	}
	if len(body) > maxOutput {
		return Result{}, errors.New("the response of the records API is too large")
	}
	return read(resp.StatusCode, body)
}

// request returns the call as HTTP: the patient is in the path, the arguments of
// a read are in the query and those of a write in the body.
func (c *Client) request(ctx context.Context, call Call) (*http.Request, error) {
	target := c.base + "/records/" + url.PathEscape(call.Patient.String()) + call.Tool.path
	if call.Tool.method == http.MethodGet {
		q := url.Values{}
		for k, v := range call.request {
			q.Set(k, fmt.Sprint(v))
		}
		if len(q) > 0 {
			target += "?" + q.Encode()
		}
		return http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	}
	body, err := marshal(call.request)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, call.Tool.method, target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	return req, nil
}

func read(status int, body []byte) (Result, error) {
	if status == http.StatusOK || status == http.StatusCreated {
		if !json.Valid(body) {
			return Result{}, errors.New("the response of the records API is not JSON")
		}
		return Result{Output: bytes.TrimSpace(body)}, nil
	}
	var d agentwrit.Denial
	if err := json.Unmarshal(body, &d); err != nil || d.Detail == "" {
		return Result{}, fmt.Errorf("the records API returned status %d without a reason", status)
	}
	switch status {
	case http.StatusNotFound:
		out, err := json.Marshal(map[string]string{"error": d.Detail})
		return Result{Output: out, NotFound: true}, err
	case http.StatusForbidden:
		return Result{}, &Refused{d.RequiredScope, d.HeldScope, d.MissingScope, d.Detail, ErrScopeDenied}
	case http.StatusUnauthorized:
		return Result{}, &Refused{Detail: d.Detail, kind: ErrTokenRejected}
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge:
		return Result{}, fmt.Errorf("%w: %s", ErrInvalidCall, d.Detail)
	default:
		return Result{}, fmt.Errorf("the records API returned status %d: %s", status, d.Detail)
	}
}
