package llm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/sashabaranov/go-openai"
)

// Kind says what went wrong with a model.
type Kind string

// The kinds of failure.
const (
	KindUnreachable Kind = "unreachable"  // no connection, or it broke before an answer
	KindTimeout     Kind = "timeout"      // silence, or the caller's time is up
	KindAuth        Kind = "auth"         // 401, 403
	KindRateLimited Kind = "rate_limited" // 429, after the retries
	KindServer      Kind = "server"       // any other status, or an error inside a stream
	KindProtocol    Kind = "protocol"     // the answer is not the protocol's, or not whole
	KindLimit       Kind = "limit"        // the answer is larger than allowed
	KindCancelled   Kind = "cancelled"    // by the caller
)

// Error is a model's failure. Its text is fit for a browser: it names the
// server, says what to do, and never holds the key.
type Error struct {
	Kind    Kind
	Status  int    // HTTP status, 0 if there was none
	Message string // "the model server at localhost:11434 answered 401"
	Hint    string // what to do: "check LLM_API_KEY"; may be empty

	cause error
}

func (e *Error) Error() string {
	if e.Hint == "" {
		return e.Message
	}
	return e.Message + ": " + e.Hint
}

// Unwrap gives context.Canceled or context.DeadlineExceeded, if it was that.
func (e *Error) Unwrap() error { return e.cause }

// explain makes an *Error of whatever the client library returned. Who says
// which model it was: "the model server at localhost:11434".
func explain(ctx context.Context, who string, err error) *Error {
	var own *Error
	if errors.As(err, &own) {
		return own
	}
	if ctx.Err() != nil {
		return explainEnd(ctx, who)
	}
	var request *url.Error // everything before the answer is wrapped in one
	var syntax *json.SyntaxError
	var types *json.UnmarshalTypeError
	switch {
	case errors.Is(err, openai.ErrReasoningToolsRequireResponses), errors.Is(err, openai.ErrChatCompletionInvalidModel):
		return &Error{Kind: KindProtocol, Message: "the model of LLM_MODEL does not call tools over chat completions", Hint: "choose another"}
	case errors.As(err, &request):
		return &Error{Kind: KindUnreachable, Message: who + " can't be reached",
			Hint: "is it running? Check LLM_BASE_URL; leave it and LLM_API_KEY out to run offline"}
	case errors.As(err, &syntax), errors.As(err, &types):
		return unreadable(who, "what it sent is not JSON of the OpenAI protocol")
	default:
		return brokenOff(who)
	}
}

// explainEnd says why a call's context has ended.
func explainEnd(ctx context.Context, who string) *Error {
	cause := context.Cause(ctx)
	var own *Error
	switch {
	case errors.As(cause, &own):
		return own
	case errors.Is(cause, context.DeadlineExceeded):
		return &Error{Kind: KindTimeout, Message: who + " did not finish in time", Hint: slowHint, cause: context.DeadlineExceeded}
	default:
		return &Error{Kind: KindCancelled, Message: "the model call was cancelled", cause: context.Canceled}
	}
}

const slowHint = "is it overloaded, or still loading the model?"

// silent is the error of a server that keeps the connection and says nothing.
func silent(who string, d time.Duration) *Error {
	return &Error{Kind: KindTimeout, Message: fmt.Sprintf("%s said nothing for %s", who, d), Hint: slowHint, cause: context.DeadlineExceeded}
}

func brokenOff(who string) *Error {
	return &Error{Kind: KindProtocol, Message: who + " broke off in the middle of its reply", Hint: "try again"}
}

func unreadable(who, why string) *Error {
	return &Error{Kind: KindProtocol, Message: who + " gave an answer that can't be read", Hint: why}
}

func tooMuch(who, what string) *Error {
	return &Error{Kind: KindLimit, Message: who + " sent more than is taken", Hint: what}
}

// answered is the error of an HTTP status. Only about a request that the
// server calls wrong is its reason repeated: it helps with the configuration,
// where others may show a server's insides.
func answered(who string, status int, reason string) *Error {
	e := &Error{Kind: KindServer, Status: status, Message: fmt.Sprintf("%s answered %d", who, status)}
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		e.Kind, e.Hint = KindAuth, "check LLM_API_KEY"
	case http.StatusTooManyRequests:
		e.Kind, e.Hint = KindRateLimited, "wait, or use another model"
	case http.StatusNotFound:
		e.Hint = "check LLM_BASE_URL, which usually ends in /v1, and LLM_MODEL"
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		e.Hint = "check that LLM_MODEL can call tools"
	default:
		if status < http.StatusBadRequest {
			e.Hint = "LLM_BASE_URL must be the address itself, not one that leads elsewhere"
		}
		return e
	}
	if reason != "" && e.Kind == KindServer {
		e.Hint += fmt.Sprintf("; it says %q", reason)
	}
	return e
}
