package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	reconnectAfter = 250 * time.Millisecond // after an attempt that failed
	replaceAfter   = 10 * time.Millisecond  // after a connection that has worked
	idleTime       = 15 * time.Second       // without a notification, after which the connection is tested
	answerTime     = 3 * time.Second
)

// A Connect function opens a connection.
type Connect func(context.Context) (*pgx.Conn, error)

// Listen calls f with the payload of each notification on a channel, until ctx
// ends. It calls f with an empty payload when it has connected, because
// notifications before that are lost. A lost connection is opened again.
func Listen(ctx context.Context, connect Connect, channel string, f func(payload string)) {
	for ctx.Err() == nil {
		pause := reconnectAfter
		if conn, err := connect(ctx); err == nil {
			if listen(ctx, conn, channel, f) {
				pause = replaceAfter
			}
			closing, cancel := context.WithTimeout(context.Background(), answerTime)
			_ = conn.Close(closing) // it is of no use any more
			cancel()
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// listen listens on one connection until it fails. It reports whether it has worked.
func listen(ctx context.Context, conn *pgx.Conn, channel string, f func(payload string)) bool {
	if !exec(ctx, conn, `LISTEN `+channel) {
		return false
	}
	f("")
	for {
		waiting, cancel := context.WithTimeout(ctx, idleTime)
		n, err := conn.WaitForNotification(waiting)
		cancel()
		switch {
		case err == nil:
			f(n.Payload)
		case ctx.Err() != nil || conn.IsClosed() || !exec(ctx, conn, `SELECT 1`):
			return true
		}
	}
}

// exec reports whether the server answered a statement without parameters.
func exec(ctx context.Context, conn *pgx.Conn, sql string) bool {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	_, err := conn.Exec(ctx, sql)
	return err == nil
}
