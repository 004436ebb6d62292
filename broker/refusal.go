package broker

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/devonartis/medassist-go/agentwrit/wire"
)

// A refusal is an error that is reported to the caller as a problem document. Any
// other error in this package is a fault of the broker.
type refusal struct {
	code       wire.Code
	detail     string
	retryAfter time.Duration // 0: no Retry-After header
	format     string        // detail before its arguments are filled in; "" if it has none
}

// Error returns the code and the detail. It contains no secret, because the
// detail is sent to the caller.
func (r *refusal) Error() string { return string(r.code) + ": " + r.detail }

func refuse(code wire.Code, format string, args ...any) *refusal {
	return &refusal{code: code, detail: fmt.Sprintf(format, args...), format: format}
}

// reason returns the detail without text of the request.
func (r *refusal) reason() string {
	if r.format != "" {
		return r.format
	}
	return r.detail
}

// Refusals that several endpoints share.
var (
	errMalformed   = refuse(wire.CodeInvalidRequest, "malformed JSON body")
	errMembers     = refuse(wire.CodeInvalidRequest, "JSON members must be unique and spelled as documented")
	errTooLarge    = refuse(wire.CodePayloadTooLarge, "request body exceeds 1 MiB")
	errToken       = refuse(wire.CodeUnauthorized, "token verification failed")
	errNoApp       = refuse(wire.CodeNotFound, "app not found")
	errNotAnAgent  = refuse(wire.CodeForbidden, "only an agent's token can be renewed or delegated")
	errUnavailable = &refusal{code: wire.CodeUnavailable, detail: "storage is unavailable; nothing was changed", retryAfter: time.Second}
	errOutdated    = &refusal{code: wire.CodeUnavailable, detail: "the database can't be reached, so revocations by other brokers may be unknown here", retryAfter: time.Second}
	errInternal    = refuse(wire.CodeInternal, "internal error")
)

// asRefusal returns err as a refusal, or false if it is a fault.
func asRefusal(err error) (*refusal, bool) {
	var r *refusal
	ok := errors.As(err, &r)
	return r, ok
}

// list formats scopes for a detail: [a b].
func list(scopes []string) string { return "[" + strings.Join(scopes, " ") + "]" }
