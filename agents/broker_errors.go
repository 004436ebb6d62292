package agents

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/devonartis/medassist-go/agentwrit"
)

// brokerError is what the trace shows of an error of the broker's client.
type brokerError struct {
	reason    string // for people
	code      string // the broker's error code; empty if it gave none
	requestID string // finds the request in the broker's log
}

// describeBrokerError returns what the trace shows of err.
func describeBrokerError(err error) brokerError {
	var be *agentwrit.Error
	if !errors.As(err, &be) || errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, agentwrit.ErrUnavailable) {
		return brokerError{reason: "the broker did not answer in time"}
	}
	d := brokerError{cmp.Or(be.Detail, "no reason was given"), string(be.Code), be.RequestID}
	switch {
	case errors.Is(err, agentwrit.ErrExpired):
		d.reason += " (it has expired)"
	case errors.Is(err, agentwrit.ErrNotYetValid):
		d.reason += " (it is not valid yet: the clocks of the broker and of this machine differ)"
	case errors.Is(err, agentwrit.ErrRateLimited) && !be.RetryAt.IsZero():
		d.reason += " (rate limited until " + clockTime(be.RetryAt) + ")"
	}
	return d
}

// isBrokerError reports whether err comes from a request to the broker.
func isBrokerError(err error) bool {
	var be *agentwrit.Error
	return errors.As(err, &be)
}

// refusedByBroker reports whether the broker answered and refused.
func refusedByBroker(err error) bool {
	for _, kind := range []error{agentwrit.ErrAuthentication, agentwrit.ErrAuthorization, agentwrit.ErrNotFound, agentwrit.ErrInvalidRequest} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

// brokerFailure returns the error that ends a run when its broker can't be
// asked: without the broker no call can be checked.
func (e *encounter) brokerFailure(err error) error {
	f := &failure{stage: "broker",
		message: fmt.Sprintf("The run ended because calls can't be checked without the broker: %s.", describeBrokerError(err).reason),
		hint:    fmt.Sprintf("Check that the broker at %s is running and can be reached from here.", e.BrokerURL)}
	var be *agentwrit.Error
	switch {
	case errors.Is(err, agentwrit.ErrAuthentication):
		f.hint = "Check the app's client ID and client secret, and that the app is still registered."
	case errors.Is(err, agentwrit.ErrRateLimited) && errors.As(err, &be) && !be.RetryAt.IsZero():
		f.hint = "Start it again after " + clockTime(be.RetryAt) + ": until then the broker refuses the app's logins."
	case errors.Is(err, agentwrit.ErrRateLimited):
		f.hint = "Wait a minute: the broker limits how often an app may log in."
	case errors.Is(err, agentwrit.ErrUnavailable) && errors.As(err, &be) && be.Hint != "":
		f.hint = "Try again: " + be.Hint + "."
	}
	return f
}
