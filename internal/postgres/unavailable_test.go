package postgres_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/devonartis/medassist-go/internal/postgres"
)

func TestUnavailable(t *testing.T) {
	_, refused := pgx.Connect(t.Context(), "postgres://u@127.0.0.1:1/x")
	for _, tc := range []struct {
		err  error
		want bool
	}{
		{nil, false},
		{refused, true},
		{fmt.Errorf("trace: %w", refused), true},
		{&pgconn.PgError{Code: "57P01"}, true},
		{&pgconn.PgError{Code: "08006"}, true},
		{&pgconn.PgError{Code: "25006"}, true},
		{&pgconn.PgError{Code: "23505"}, false},
		{errors.New("other"), false},
		{io.EOF, false}, // also the end of a log
		{pgx.ErrNoRows, false},
	} {
		if got := postgres.Unavailable(tc.err); got != tc.want {
			t.Errorf("%v: %t", tc.err, got)
		}
	}
}
