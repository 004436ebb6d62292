package llm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"

	"github.com/sashabaranov/go-openai"
)

// Kind says what went wrong with a model.
type Kind string

// The kinds of failure.
const (
	KindUnreachable Kind = "unreachable"
	KindTimeout     Kind = "timeout"
	KindAuth        Kind = "auth"
	KindRateLimited Kind = "rate_limited"
	KindServer      Kind = "server"
	KindProtocol    Kind = "protocol" // the answer is not the protocol's, or not whole
	KindLimit       Kind = "limit"    // the answer is larger than allowed
	KindCancelled   Kind = "cancelled"
)

// Error is a model's failure. Its text is fit for a browser: it names the
// server, says what to do, and never holds the key.
type Error struct {
	Kind    Kind
	Status  int // HTTP status, 0 if there was none
	Message string
	Hint    string // what to try, may be empty

	cause error
}

func (e *Error) Error() string { return e.Message }

// Unwrap gives the cause, such as a context's error.
func (e *Error) Unwrap() error { return e.cause }

// explain makes an *Error of whatever the client library returned.
func (m *client) explain(ctx context.Context, err error) error {
	var own *Error
	if errors.As(err, &own) {
		return own
	}
	if cause := context.Cause(ctx); cause != nil {
		if errors.As(cause, &own) {
			return own
		}
		if errors.Is(cause, context.DeadlineExceeded) {
			return &Error{Kind: KindTimeout, Message: fmt.Sprintf("the model at %s did not finish in time", m.host),
				Hint: "is the server busy, or loading the model?", cause: context.DeadlineExceeded}
		}
		return &Error{Kind: KindCancelled, Message: "the model call was cancelled", cause: context.Canceled}
	}
	var api *openai.APIError
	var req *openai.RequestError
	switch {
	case errors.As(err, &api):
		return m.status(api.HTTPStatusCode)
	case errors.As(err, &req):
		return m.status(req.HTTPStatusCode)
	case errors.Is(err, openai.ErrTooManyEmptyStreamMessages), errors.Is(err, io.ErrUnexpectedEOF):
		return m.brokenOff()
	}
	var u *url.Error
	var n net.Error
	if errors.As(err, &u) || errors.As(err, &n) {
		return &Error{Kind: KindUnreachable, Message: fmt.Sprintf("the model at %s can't be reached", m.host),
			Hint: "check LLM_BASE_URL and the network; without both, run offline", cause: errors.New("connection failed")}
	}
	return &Error{Kind: KindProtocol, Message: fmt.Sprintf("the answer of the model at %s can't be read", m.host),
		Hint: "does LLM_BASE_URL end in /v1 and speak the OpenAI protocol?"}
}

func (m *client) status(status int) *Error {
	e := &Error{Kind: KindServer, Status: status, Message: fmt.Sprintf("the model at %s answered %d", m.host, status)}
	switch {
	case status == 0:
		e.Message = fmt.Sprintf("the model at %s reported an error in its stream", m.host)
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		e.Kind, e.Hint = KindAuth, "check LLM_API_KEY"
	case status == http.StatusTooManyRequests:
		e.Kind, e.Hint = KindRateLimited, "wait, or use another model"
	case status == http.StatusNotFound:
		e.Hint = "check LLM_BASE_URL, which usually ends in /v1, and LLM_MODEL"
	case status == http.StatusBadRequest:
		e.Hint = "does LLM_MODEL support tool calls?"
	}
	return e
}

func (m *client) brokenOff() *Error {
	return &Error{Kind: KindProtocol, Message: fmt.Sprintf("the model at %s broke off in the middle of its reply", m.host)}
}
