package postgres

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
)

// flushTimeout is how long a flush may take. The database may be waiting for a
// standby that is gone; by then the lease has ended too, because no heartbeat was
// committed.
const flushTimeout = lease

// errUnconfirmed is the error for a commit that was made before the flusher's
// connection. The database may have crashed in between and lost it.
var errUnconfirmed = errors.New("the database may have lost the commit")

// A flusher makes commits durable. It commits a small transaction synchronously,
// which puts everything that was committed before it on disk, and on a synchronous
// standby, too. While one flush runs the callers of the next one gather.
//
// A crash of the database loses commits that are not on disk, and ends all
// connections. So only a connection that was open before a commit can confirm it.
type flusher struct {
	connect  func(context.Context) (*pgx.Conn, error)
	session  atomic.Int64 // number of the connection; 0 before the first one
	requests chan flush
	checks   chan check
	ended    chan struct{}
}

// A flush is a request to confirm a commit.
type flush struct {
	session int64 // that was open before the commit
	done    chan error
}

// A check is a request to make sure that there is a connection.
type check struct {
	ctx  context.Context
	done chan error
}

func newFlusher(connect func(context.Context) (*pgx.Conn, error)) *flusher {
	return &flusher{connect: connect, requests: make(chan flush), checks: make(chan check), ended: make(chan struct{})}
}

// wait returns when everything that was committed during a session is on disk.
func (f *flusher) wait(session int64) error {
	r := flush{session, make(chan error, 1)}
	select {
	case f.requests <- r:
		return <-r.done
	case <-f.ended:
		return context.Canceled
	}
}

// check tests the connection and opens another one if it is lost.
func (f *flusher) check(ctx context.Context) error {
	c := check{ctx, make(chan error, 1)}
	select {
	case f.checks <- c:
		return <-c.done
	case <-f.ended:
		return context.Canceled
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (f *flusher) run(ctx context.Context) {
	defer close(f.ended)
	var conn *pgx.Conn // nil while it is lost
	leave := func() {
		if conn != nil {
			_ = conn.Close(context.Background()) // it is of no use any more
			conn = nil
		}
	}
	defer leave()
	for {
		select {
		case c := <-f.checks:
			if conn != nil && conn.Ping(c.ctx) != nil {
				leave()
			}
			var err error
			if conn == nil {
				if conn, err = f.connect(c.ctx); err == nil {
					f.session.Add(1)
				}
			}
			c.done <- err
		case first := <-f.requests:
			waiting := f.gather(first)
			err := flushAll(conn)
			if err != nil {
				leave()
			}
			for _, r := range waiting {
				if r.session != f.session.Load() {
					r.done <- errUnconfirmed
				} else {
					r.done <- err
				}
			}
		case <-ctx.Done():
			return
		}
	}
}

// gather returns a request and all others that wait.
func (f *flusher) gather(first flush) []flush {
	waiting := []flush{first}
	for {
		select {
		case next := <-f.requests:
			waiting = append(waiting, next)
		default:
			return waiting
		}
	}
}

// flushAll commits a transaction that writes only a message to the write-ahead log.
func flushAll(conn *pgx.Conn) error {
	if conn == nil {
		return errUnconfirmed
	}
	ctx, cancel := context.WithTimeout(context.Background(), flushTimeout)
	defer cancel()
	_, err := conn.Exec(ctx, `SELECT pg_logical_emit_message(true, 'medassist', '')`)
	return err
}
