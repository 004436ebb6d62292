package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

const flushTimeout = 10 * time.Second

// A flusher makes commits durable. It commits a small transaction synchronously,
// which puts everything that was committed before it on disk, and on a synchronous
// standby, too. While one flush runs the callers of the next one gather.
type flusher struct {
	connect  func(context.Context) (*pgx.Conn, error)
	requests chan chan error
	ended    chan struct{}
}

func newFlusher(connect func(context.Context) (*pgx.Conn, error)) *flusher {
	return &flusher{connect, make(chan chan error), make(chan struct{})}
}

// wait returns when everything that was committed before is on disk.
func (f *flusher) wait() error {
	done := make(chan error, 1)
	select {
	case f.requests <- done:
		return <-done
	case <-f.ended:
		return context.Canceled
	}
}

func (f *flusher) run(ctx context.Context) {
	defer close(f.ended)
	var conn *pgx.Conn
	defer func() {
		if conn != nil {
			_ = conn.Close(context.Background())
		}
	}()
	for {
		var waiting []chan error
		select {
		case first := <-f.requests:
			waiting = append(waiting, first)
		case <-ctx.Done():
			return
		}
		for more := true; more; {
			select {
			case next := <-f.requests:
				waiting = append(waiting, next)
			default:
				more = false
			}
		}
		var err error
		if conn, err = f.flush(conn); err != nil && conn != nil {
			_ = conn.Close(context.Background())
			conn = nil
		}
		for _, done := range waiting {
			done <- err
		}
	}
}

// flush commits a transaction that writes only a message to the write-ahead log. It
// connects first if there is no connection.
func (f *flusher) flush(conn *pgx.Conn) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), flushTimeout)
	defer cancel()
	if conn == nil {
		var err error
		if conn, err = f.connect(ctx); err != nil {
			return nil, err
		}
	}
	_, err := conn.Exec(ctx, `SELECT pg_logical_emit_message(true, 'medassist', '')`)
	return conn, err
}
