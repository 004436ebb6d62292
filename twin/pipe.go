package twin

import (
	"context"
	"net"
	"sync"
)

// A pipe is a listener that no other process can reach: connections to it are made
// in memory, by its own dial method.
type pipe struct {
	conns  chan net.Conn
	closed chan struct{}
	close  func()
}

func newPipe() *pipe {
	p := &pipe{conns: make(chan net.Conn), closed: make(chan struct{})}
	p.close = sync.OnceFunc(func() { close(p.closed) })
	return p
}

func (p *pipe) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.conns <- server:
		return client, nil
	case <-p.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Accept implements net.Listener.
func (p *pipe) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (p *pipe) Close() error {
	p.close()
	return nil
}

// Addr implements net.Listener.
func (p *pipe) Addr() net.Addr { return memory{} }

// memory is the address of a pipe.
type memory struct{}

func (memory) Network() string { return "memory" }
func (memory) String() string  { return "memory" }
