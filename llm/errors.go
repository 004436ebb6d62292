package llm

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/sashabaranov/go-openai"
)

// Kind classifies a model's failure.
type Kind string

// The kinds of failure.
const (
	KindUnreachable Kind = "unreachable"  // no connection, or it broke before an answer
	KindTimeout     Kind = "timeout"      // silence, or the caller's time is up
	KindAuth        Kind = "auth"         // 401, 403
	KindRateLimited Kind = "rate_limited" // 429, after the retries
	KindQuota       Kind = "quota"        // the account may not or cannot pay for more
	KindContext     Kind = "context"      // the conversation does not fit the model's context
	KindServer      Kind = "server"       // any other status, or an error inside a stream
	KindInterrupted Kind = "interrupted"  // the reply broke off without an error
	KindEmpty       Kind = "empty"        // the reply had neither text nor a tool call
	KindProtocol    Kind = "protocol"     // the answer does not follow the protocol
	KindLimit       Kind = "limit"        // the reply was larger than allowed, or cut off
	KindCancelled   Kind = "cancelled"    // by the caller
)

// An Error is a model's failure. Its text is fit for a browser: it names the
// server, repeats what the server said, tells what to do, and never holds the
// API key.
type Error struct {
	Kind    Kind
	Status  int    // HTTP status, 0 if there was none
	Message string // "the model server at localhost:11434 answered 401"
	Hint    string // what to do: "check LLM_API_KEY"; may be empty

	said  said // what the server said; not redacted
	dial  bool // the connection was refused: the server may be starting
	cause error
}

func (e *Error) Error() string {
	if e.Hint == "" {
		return e.Message
	}
	return e.Message + ": " + e.Hint
}

// Unwrap returns context.Canceled or context.DeadlineExceeded, if it was that.
func (e *Error) Unwrap() error { return e.cause }

// Format keeps the fields that are not redacted out of every verb.
func (e *Error) Format(s fmt.State, _ rune) { fmt.Fprint(s, e.Error()) }

// explain returns the *Error for what the client library returned. Who names
// the model: "the model server at localhost:11434".
func explain(ctx context.Context, who string, err error) *Error {
	var own *Error
	if errors.As(err, &own) {
		return own
	}
	if ctx.Err() != nil {
		return explainEnd(ctx, who)
	}
	var request *url.Error // wraps everything before the answer
	var op *net.OpError
	var dns *net.DNSError
	var syntax *json.SyntaxError
	var types *json.UnmarshalTypeError
	const offline = "check LLM_BASE_URL; without it and LLM_API_KEY the offline planner answers"
	switch {
	case errors.Is(err, openai.ErrReasoningToolsRequireResponses), errors.Is(err, openai.ErrChatCompletionInvalidModel):
		return &Error{Kind: KindProtocol, Message: "the model of LLM_MODEL does not call tools over chat completions", Hint: "set LLM_API=responses, or choose another model"}
	case errors.As(err, &dns):
		return &Error{Kind: KindUnreachable, Message: who + " can't be reached: its name is not known to DNS", Hint: "is there a network? " + offline}
	case errors.As(err, &op) && op.Op == "dial":
		return &Error{Kind: KindUnreachable, Message: who + " can't be reached: " + dialWords(op), Hint: "is it running? " + offline, dial: !op.Timeout()}
	case errors.As(err, &request):
		return &Error{Kind: KindUnreachable, Message: who + " can't be reached: the connection failed before an answer" + tlsWords(err), Hint: "is it running? " + offline, dial: true}
	case errors.As(err, &syntax), errors.As(err, &types):
		return unreadable(who, "what it sent is not JSON of the OpenAI protocol")
	default:
		return brokenOff(who)
	}
}

func dialWords(op *net.OpError) string {
	if op.Timeout() {
		return "no answer to the connection"
	}
	return "connection refused"
}

// tlsWords tells a failed TLS handshake, which a wrong scheme causes, from
// other failures.
func tlsWords(err error) string {
	if s := err.Error(); strings.Contains(s, "tls:") || strings.Contains(s, "x509:") || strings.Contains(s, "HTTP response to HTTPS client") {
		return " (TLS: is LLM_BASE_URL http or https?)"
	}
	return ""
}

// explainEnd tells why a call's context has ended.
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

const slowHint = "is it overloaded, or still loading the model? LLM_TIMEOUT sets how long it may be silent"

// silent is the error of a server that keeps the connection open and sends
// nothing.
func silent(who string, d time.Duration) *Error {
	return &Error{Kind: KindTimeout, Message: fmt.Sprintf("%s said nothing for %s", who, d), Hint: slowHint, cause: context.DeadlineExceeded}
}

func brokenOff(who string) *Error {
	return &Error{Kind: KindInterrupted, Message: who + " broke off in the middle of its reply", Hint: "try again"}
}

func emptyReply(who, what string) *Error {
	return &Error{Kind: KindEmpty, Message: who + " " + what, Hint: "try again, or use another model"}
}

func unreadable(who, why string) *Error {
	return &Error{Kind: KindProtocol, Message: who + " sent an answer that can't be read", Hint: why}
}

func tooMuch(who, what string) *Error {
	return &Error{Kind: KindLimit, Message: who + " sent more than is allowed", Hint: what}
}

var (
	contextWords  = regexp.MustCompile(`(?i)context[ _](size|length|window|limit)|maximum context|exceed_context_size|prompt is too long|too many (input )?tokens|input is too long|n_ctx|longer than the model`)
	quotaWords    = regexp.MustCompile(`(?i)\bquota\b|billing|insufficient (balance|credit|fund)|credit balance|out of credits|more credits|payment required|spending limit`)
	noToolsWords  = regexp.MustCompile(`(?i)(does not|doesn't|not) support (tool|function)|tool(s| use| calling)? (is|are) not supported|no endpoints found that support tool|enable-auto-tool-choice|--jinja`)
	noSystemWords = regexp.MustCompile(`(?i)system (role|message|prompt)s? (is |are )?not supported|roles must alternate`)
	loadingWords  = regexp.MustCompile(`(?i)loading|starting|warming|not ready`)
)

// refusal returns the error for what a server said in place of a reply.
func refusal(who string, vendor Vendor, r redactor, s said) *Error {
	e := &Error{Kind: KindServer, Status: s.status, said: s}
	e.Message = who + " reported an error"
	if s.status > 0 {
		e.Message = fmt.Sprintf("%s answered %d", who, s.status)
	}
	words := r.clean(s.message)
	if words != "" {
		e.Message += ": " + strings.TrimRight(words, ". ")
	}
	told := s.message + " " + s.code
	switch {
	case isQuota(s):
		e.Kind, e.Hint = KindQuota, "the account's quota or credit is used up: see the provider's billing page, or use another model"
	case s.status == http.StatusUnauthorized, s.status == http.StatusForbidden:
		e.Kind, e.Hint = KindAuth, "check LLM_API_KEY"
	case contextWords.MatchString(told):
		e.Kind, e.Hint = KindContext, advice(vendor, problemContext)
	case s.status == http.StatusTooManyRequests:
		e.Kind, e.Hint = KindRateLimited, "wait a minute, or use another model"
	case noToolsWords.MatchString(told):
		e.Hint = advice(vendor, problemTools)
	case noSystemWords.MatchString(told):
		e.Hint = "this model takes no system prompt, without which it can't be used here: choose another model"
	case s.status == http.StatusNotFound && aboutModel.MatchString(s.message):
		e.Hint = "check LLM_MODEL: the server has no model of this name"
	case s.status == http.StatusNotFound || s.status == http.StatusMethodNotAllowed:
		e.Hint = "check LLM_BASE_URL, which usually ends in /v1, and LLM_MODEL"
	case s.status == http.StatusBadRequest, s.status == http.StatusUnprocessableEntity:
		e.Hint = "check that LLM_MODEL is right and can call tools"
	case s.status >= http.StatusInternalServerError:
		e.Hint = "try again; the server's log may say more"
	case s.status > 0 && s.status < http.StatusBadRequest:
		e.Hint = "LLM_BASE_URL must be the address of the API itself: redirects are not followed"
	default:
		e.Hint = "the server's log may say more"
	}
	return e
}

// isQuota tells an exhausted quota, which no waiting helps, from a rate limit.
// Google calls both a quota, but suggests a wait for a rate limit.
func isQuota(s said) bool {
	switch {
	case s.code == "insufficient_quota" || s.status == http.StatusPaymentRequired:
		return true
	case s.wait > 0 || s.status >= 500:
		return false
	}
	return s.status >= http.StatusBadRequest && quotaWords.MatchString(s.message+" "+s.code)
}

// waitTooLong adds to an error that the server asks for a longer wait than is
// allowed.
func (e *Error) waitTooLong(asked, limit time.Duration) {
	e.Hint = fmt.Sprintf("it asks to wait %s, and a turn waits for %s at most; %s", asked.Round(time.Second), limit, cmp.Or(e.Hint, "try again later"))
}
