package wire

import "net/http"

// ProblemContentType is the media type of a problem document (RFC 7807).
const ProblemContentType = "application/problem+json"

// A Problem is a problem document (RFC 7807), the body of every refusal.
type Problem struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail"`
	Instance  string `json:"instance"`
	ErrorCode Code   `json:"error_code"`
	RequestID string `json:"request_id"`
	Hint      string `json:"hint,omitempty"`
}

// A Code is the machine-readable reason in a problem document.
type Code string

// The error codes (docs/protocol.md, "Common rules").
const (
	CodeInvalidRequest    Code = "invalid_request"
	CodeInvalidTTL        Code = "invalid_ttl"
	CodeUnauthorized      Code = "unauthorized"
	CodeForbidden         Code = "forbidden"
	CodeInsufficientScope Code = "insufficient_scope"
	CodeScopeViolation    Code = "scope_violation"
	CodeNotFound          Code = "not_found"
	CodeMethodNotAllowed  Code = "method_not_allowed"
	CodeConflict          Code = "conflict"
	CodePayloadTooLarge   Code = "payload_too_large"
	CodeRateLimited       Code = "rate_limited"
	CodeInternal          Code = "internal_error"
	CodeUnavailable       Code = "unavailable"
)

// statuses maps each code to its HTTP status.
var statuses = map[Code]int{
	CodeInvalidRequest:    http.StatusBadRequest,
	CodeInvalidTTL:        http.StatusBadRequest,
	CodeUnauthorized:      http.StatusUnauthorized,
	CodeForbidden:         http.StatusForbidden,
	CodeInsufficientScope: http.StatusForbidden,
	CodeScopeViolation:    http.StatusForbidden,
	CodeNotFound:          http.StatusNotFound,
	CodeMethodNotAllowed:  http.StatusMethodNotAllowed,
	CodeConflict:          http.StatusConflict,
	CodePayloadTooLarge:   http.StatusRequestEntityTooLarge,
	CodeRateLimited:       http.StatusTooManyRequests,
	CodeInternal:          http.StatusInternalServerError,
	CodeUnavailable:       http.StatusServiceUnavailable,
}

// Status returns the HTTP status of the code, or 500 for an unknown code.
func (c Code) Status() int {
	if s, ok := statuses[c]; ok {
		return s
	}
	return http.StatusInternalServerError
}

// NewProblem returns the problem document for a code. The instance is the path of
// the request, and requestID the response's X-Request-ID.
func NewProblem(code Code, detail, instance, requestID string) Problem {
	status := code.Status()
	return Problem{
		Type:      "urn:agentwrit:error:" + string(code),
		Title:     http.StatusText(status),
		Status:    status,
		Detail:    detail,
		Instance:  instance,
		ErrorCode: code,
		RequestID: requestID,
	}
}
