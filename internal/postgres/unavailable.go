package postgres

import (
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// ErrAway is the error of a replica whose lease is over, because it did not reach the
// database for that long.
var ErrAway = errors.New("the database does not answer")

// Unavailable reports whether an error means that the database can't be reached at
// the moment, so that the same request can succeed later.
func Unavailable(err error) bool {
	var connect *pgconn.ConnectError
	var server *pgconn.PgError
	switch {
	case errors.Is(err, ErrAway), errors.As(err, &connect), pgconn.Timeout(err), pgconn.SafeToRetry(err):
		return true
	case errors.As(err, &server):
		// Connection failures, shutdown or recovery of the server, and a standby that
		// has not been promoted yet.
		return strings.HasPrefix(server.Code, "08") || strings.HasPrefix(server.Code, "57P") || server.Code == "25006"
	}
	return false
}
