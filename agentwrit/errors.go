package agentwrit

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// The kinds of failure. Match them with [errors.Is].
var (
	// ErrInvalidRequest reports a request that the broker rejects as malformed
	// (400, 413 and other client errors), or arguments that can't be sent.
	ErrInvalidRequest = errors.New("invalid request")
	// ErrAuthentication reports a credential that the broker does not accept (401).
	ErrAuthentication = errors.New("credential not accepted")
	// ErrAuthorization reports a request beyond what the credential allows
	// (403), or a token that would be sent to a foreign origin.
	ErrAuthorization = errors.New("not allowed")
	// ErrNotFound reports an unknown app, agent or path (404).
	ErrNotFound = errors.New("not found")
	// ErrNotServed reports an optional endpoint that this broker does not have.
	// Errors that wrap it also wrap ErrNotFound. The reference broker serves
	// neither keys nor checkpoints.
	ErrNotServed = errors.New("not served by this broker")
	// ErrConflict reports a name that is already taken (409).
	ErrConflict = errors.New("name already taken")
	// ErrRateLimited reports too many requests (429); see [Error.RetryAfter].
	ErrRateLimited = errors.New("too many requests")
	// ErrUnavailable reports a broker that can't serve at the moment (503).
	ErrUnavailable = errors.New("broker unavailable")
	// ErrServer reports an internal failure of the broker (other 5xx).
	ErrServer = errors.New("broker failed")
	// ErrTransport reports that no complete response arrived: the broker is
	// unreachable, the request timed out, or its context ended.
	ErrTransport = errors.New("no response from the broker")
	// ErrProtocol reports a response that no AgentWrit broker would send.
	ErrProtocol = errors.New("unexpected response")
	// ErrCrypto reports a key that can't be used.
	ErrCrypto = errors.New("unusable key")
	// ErrReleased reports the use of an agent after [Agent.Release].
	ErrReleased = errors.New("agent was released")
	// ErrClosed reports the use of a client after its Close method.
	ErrClosed = errors.New("client is closed")
	// ErrTokenInvalid reports a token that is malformed, expired or revoked. A
	// broker does not tell which; see ErrExpired and ErrNotYetValid.
	ErrTokenInvalid = errors.New("token is invalid, expired or revoked")
	// ErrExpired is wrapped by an error about a refused token, of kind
	// ErrTokenInvalid or ErrAuthentication, if by the local clock the token has
	// expired or expires within a second. Such a refusal does not show that the
	// token was revoked.
	ErrExpired = errors.New("token has expired")
	// ErrNotYetValid is the same for a token whose validity starts later than
	// the local time, so that it may be accepted later.
	ErrNotYetValid = errors.New("token is not valid yet")
)

// An Error describes a failed operation. Every error that this package's
// network operations return is an *Error; it never holds a token or a secret.
//
// Title, Type, Instance, Code, Detail and Hint come from the broker's problem
// document (RFC 7807). They are empty if the response carried none, except
// Detail, which then describes the failure.
type Error struct {
	Op         string        // the operation, such as "register agent"
	Kind       error         // ErrAuthentication, ErrTransport and so on
	Status     int           // HTTP status, 0 if no response arrived
	Code       Code          // the broker's error code
	Type       string        // problem type, such as "urn:agentwrit:error:not_found"
	Title      string        // problem title, the status in words
	Detail     string        // what went wrong
	Instance   string        // path of the request that failed
	Hint       string        // suggested remedy
	RequestID  string        // X-Request-ID of the response, to find it in the broker's log
	RetryAfter time.Duration // wait requested by the broker, 0 if none, at most an hour
	RetryAt    time.Time     // when that wait ends by the local clock, zero if none

	issuing bool  // the request asked for a credential and may have been carried out
	cause   error // may be nil
}

// Error describes the operation, its failure and, if known, a remedy.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("agentwrit: " + e.Op + ": ")
	switch {
	case e.Detail != "":
		b.WriteString(e.Detail)
	case e.Kind != nil:
		b.WriteString(e.Kind.Error())
	default:
		b.WriteString("failed")
	}
	if e.Status != 0 {
		fmt.Fprintf(&b, " (%d", e.Status)
		if e.Code != "" {
			b.WriteString(" " + string(e.Code))
		}
		if e.RequestID != "" {
			b.WriteString(", request " + e.RequestID)
		}
		b.WriteString(")")
	}
	if e.RetryAfter > 0 {
		fmt.Fprintf(&b, "; retry after %v", e.RetryAfter)
	}
	if e.Hint != "" {
		b.WriteString("; " + e.Hint)
	}
	return b.String()
}

// Unwrap returns the kind and, if there is one, the cause, such as
// [context.DeadlineExceeded].
func (e *Error) Unwrap() []error {
	var errs []error
	for _, err := range []error{e.Kind, e.cause} {
		if err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

// MayHaveIssued reports whether the broker may have issued a credential that
// the caller did not receive: a registration, delegation or renewal was sent,
// and no usable response arrived. Such a token stays valid until it expires,
// unless its task is revoked. After a failed renewal the previous token may
// be revoked as well.
func (e *Error) MayHaveIssued() bool { return e.issuing }

// MayHaveIssued reports whether err is or wraps an [*Error] whose
// [Error.MayHaveIssued] is true.
func MayHaveIssued(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.MayHaveIssued()
}

// kindOf maps an HTTP status to the kind of its error.
func kindOf(status int) error {
	switch {
	case status == 401:
		return ErrAuthentication
	case status == 403:
		return ErrAuthorization
	case status == 404:
		return ErrNotFound
	case status == 409:
		return ErrConflict
	case status == 429:
		return ErrRateLimited
	case status == 503:
		return ErrUnavailable
	case status >= 500:
		return ErrServer
	case status >= 400:
		return ErrInvalidRequest
	default:
		return ErrProtocol
	}
}
