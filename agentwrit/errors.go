package agentwrit

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/devonartis/medassist-go/agentwrit/wire"
)

// The kinds of failure. Match them with [errors.Is].
var (
	ErrInvalidRequest = errors.New("the broker did not understand the request")     // 400, 404 of a path, 413
	ErrAuthentication = errors.New("the broker does not accept the credential")     // 401
	ErrAuthorization  = errors.New("the broker does not allow this")                // 403
	ErrNotFound       = errors.New("the broker does not know this")                 // 404
	ErrConflict       = errors.New("the name is taken")                             // 409
	ErrRateLimited    = errors.New("too many requests")                             // 429
	ErrUnavailable    = errors.New("the broker can't store or answer anything now") // 503
	ErrServer         = errors.New("the broker failed")                             // other 5xx
	ErrTransport      = errors.New("the broker can't be reached")
	ErrProtocol       = errors.New("the answer is not a broker's")
	ErrCrypto         = errors.New("the key can't be used")
	ErrReleased       = errors.New("the agent's token was released")
	ErrTokenInvalid   = errors.New("the token is invalid, expired or revoked")
)

// Error is any failure of this package. It holds no token and no secret.
type Error struct {
	Op         string        // what was tried, such as "register agent"
	Status     int           // HTTP status, 0 if there was no answer
	Code       wire.Code     // the broker's error code, "" if it gave none
	Detail     string        // the broker's words, or what went wrong
	Hint       string        // what to try, if known
	RequestID  string        // the broker's X-Request-ID, to find it in its log
	RetryAfter time.Duration // how long the broker asks to wait, 0 if it does not

	kind  error // one of the Err variables
	cause error // may be nil
}

// Error says what was tried, what came of it, and what to try.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("agentwrit: " + e.Op + ": ")
	if e.Detail != "" {
		b.WriteString(e.Detail)
	} else {
		b.WriteString(e.kind.Error())
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
	if e.Hint != "" {
		b.WriteString("; " + e.Hint)
	}
	return b.String()
}

// Unwrap gives the kind and, if there is one, the cause: a context's error, for
// example.
func (e *Error) Unwrap() []error {
	if e.cause == nil {
		return []error{e.kind}
	}
	return []error{e.kind, e.cause}
}

// kindOf is the one table from an HTTP status to a kind.
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
