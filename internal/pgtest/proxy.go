package pgtest

import (
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
)

// A Proxy stands between a client and a database, so that a test can cut the
// client off.
type Proxy struct {
	URL string // of the database, through the proxy

	target string
	ln     net.Listener

	mu     sync.Mutex
	cut    bool
	frozen chan struct{} // closed when bytes pass; nil while they do
	conns  map[net.Conn]struct{}
}

// NewProxy returns a proxy to the database at a URL.
func NewProxy(t testing.TB, database string) *Proxy {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{target: u.Host, ln: ln, conns: make(map[net.Conn]struct{})}
	u.Host = ln.Addr().String()
	p.URL = u.String()
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			client, err := ln.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { p.serve(client) })
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		p.Mend()
		p.Cut()
		serving.Wait()
	})
	return p
}

// Cut closes all connections, and further ones as soon as they are made.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = true
	for c := range p.conns {
		_ = c.Close()
	}
}

// Freeze lets no more bytes through, as if the client's process were stopped. The
// connections stay open.
func (p *Proxy) Freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.frozen == nil {
		p.frozen = make(chan struct{})
	}
}

// Mend ends what Cut or Freeze began.
func (p *Proxy) Mend() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = false
	if p.frozen != nil {
		close(p.frozen)
		p.frozen = nil
	}
}

func (p *Proxy) serve(client net.Conn) {
	defer func() { _ = client.Close() }()
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	if !p.enter(client, server) {
		return
	}
	defer p.leave(client, server)
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{client, server}, {server, client}} {
		both.Go(func() {
			_, _ = io.Copy(gated{way[1], p}, way[0]) // it ends when either side does
			_, _ = client.Close(), server.Close()
		})
	}
	both.Wait()
}

func (p *Proxy) enter(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cut {
		return false
	}
	for _, c := range conns {
		p.conns[c] = struct{}{}
	}
	return true
}

func (p *Proxy) leave(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		delete(p.conns, c)
	}
}

// gated is a connection that is written to while the proxy is not frozen.
type gated struct {
	net.Conn
	proxy *Proxy
}

func (g gated) Write(b []byte) (int, error) {
	g.proxy.mu.Lock()
	frozen := g.proxy.frozen
	g.proxy.mu.Unlock()
	if frozen != nil {
		<-frozen
	}
	return g.Conn.Write(b)
}
