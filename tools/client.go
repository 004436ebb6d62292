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

// Bounds of a call.
const (
	callTimeout = 10 * time.Second
	maxOutput   = 256 << 10 // bytes
)

// The two ways in which the records API refuses authority.
var (
	ErrScopeDenied   = errors.New("the records API refused: the token lacks the scope")
	ErrTokenRejected = errors.New("the records API refused: the token is dead")
)

// Refused is the records API's refusal. It is [ErrScopeDenied] or
// [ErrTokenRejected].
type Refused struct {
	Required, Held, Missing []string
	Detail                  string
	kind                    error
}

func (e *Refused) Error() string { return e.kind.Error() + ": " + e.Detail }
func (e *Refused) Unwrap() error { return e.kind }

// Result is what a tool answered.
type Result struct {
	Output   json.RawMessage
	NotFound bool // there is no such patient: an answer, not a failure
}

// Client makes calls at the records API of one address.
type Client struct {
	base string
	http *http.Client
}

// NewClient makes a Client; baseURL is the address that serves /records. A nil
// transport is the default one.
func NewClient(baseURL string, transport http.RoundTripper) *Client {
	return &Client{base: baseURL, http: &http.Client{
		Timeout:       callTimeout,
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Do makes a call under a bearer token. A refusal is a [*Refused]; other errors
// say that the API failed or could not be reached, and never hold the token.
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
		return Result{}, fmt.Errorf("the records API can't be reached: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxOutput+1))
	if err != nil {
		return Result{}, fmt.Errorf("the records API broke off: %w", err)
	}
	if len(body) > maxOutput {
		return Result{}, errors.New("the records API answered too much")
	}
	return read(resp.StatusCode, body)
}

// request turns a call into HTTP: reads carry their arguments in the query,
// writes in the body, and the patient stands in the path.
func (c *Client) request(ctx context.Context, call Call) (*http.Request, error) {
	var args map[string]any
	if err := json.Unmarshal(call.Args, &args); err != nil {
		return nil, err
	}
	delete(args, "patient_id")
	target := c.base + "/records/" + url.PathEscape(call.Patient.String()) + call.Tool.path
	if call.Tool.method == http.MethodGet {
		q := url.Values{}
		for k, v := range args {
			q.Set(k, fmt.Sprint(v))
		}
		if len(q) > 0 {
			target += "?" + q.Encode()
		}
		return http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	}
	body, err := json.Marshal(args)
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
			return Result{}, errors.New("the records API answered something that is not JSON")
		}
		return Result{Output: bytes.TrimSpace(body)}, nil
	}
	var d agentwrit.Denial
	if err := json.Unmarshal(body, &d); err != nil || d.Detail == "" {
		return Result{}, fmt.Errorf("the records API answered %d without a reason", status)
	}
	switch status {
	case http.StatusNotFound:
		out, err := json.Marshal(map[string]string{"error": d.Detail})
		return Result{Output: out, NotFound: true}, err
	case http.StatusForbidden:
		return Result{}, &Refused{d.RequiredScope, d.HeldScope, d.MissingScope, d.Detail, ErrScopeDenied}
	case http.StatusUnauthorized:
		return Result{}, &Refused{Detail: d.Detail, kind: ErrTokenRejected}
	default:
		return Result{}, fmt.Errorf("the records API answered %d: %s", status, d.Detail)
	}
}
