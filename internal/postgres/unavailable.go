package postgres

import (
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// Unavailable reports whether an error means that the database can't be reached at
// the moment, so that the same request can succeed later.
func Unavailable(err error) bool {
	var connect *pgconn.ConnectError
	var server *pgconn.PgError
	switch {
	case errors.As(err, &connect), pgconn.Timeout(err), pgconn.SafeToRetry(err):
		return true
	case errors.As(err, &server):
		// Connection failures, shutdown or recovery of the server, and a standby that
		// has not been promoted yet.
		return strings.HasPrefix(server.Code, "08") || strings.HasPrefix(server.Code, "57P") || server.Code == "25006"
	}
	return false
}
