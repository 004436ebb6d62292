package main

import (
	"net"
	"net/netip"
	"testing"
)

// fakeConn is a connection from an address.
type fakeConn struct {
	net.Conn
	from   net.TCPAddr
	closed bool
}

func (c *fakeConn) RemoteAddr() net.Addr { return &c.from }
func (c *fakeConn) Close() error         { c.closed = true; return nil }

// fakeListener accepts what it is given, then fails.
type fakeListener struct {
	net.Listener
	next []*fakeConn
}

func (l *fakeListener) Accept() (net.Conn, error) {
	if len(l.next) == 0 {
		return nil, net.ErrClosed
	}
	c := l.next[0]
	l.next = l.next[1:]
	return c, nil
}

func TestConnectionsAreBounded(t *testing.T) {
	under := &fakeListener{}
	proxy := netip.MustParsePrefix("10.0.0.1/32")
	l := newBoundedListener(under, Config{Viewers: 100, TrustedProxy: []netip.Prefix{proxy}})
	var open []net.Conn
	// connect makes n connections from an address and returns how many are served.
	connect := func(addr string, n int) (served int) {
		for range n {
			c := &fakeConn{from: net.TCPAddr{IP: net.ParseIP(addr), Port: 4711}}
			under.next = append(under.next, c)
			conn, err := l.Accept()
			if (err == nil) == c.closed {
				t.Fatalf("%s: %v, closed %v", addr, err, c.closed)
			}
			if err == nil {
				open = append(open, conn)
				served++
			}
		}
		return served
	}
	const perAddress, total = 2*50 + moreConnections, 2*100 + 2*moreConnections
	for _, tc := range []struct {
		name, addr string
		n, want    int
	}{
		{"one address", "203.0.113.9", 1000, perAddress},
		{"the same network", "2001:db8::1", perAddress - 10, perAddress - 10},
		{"the same network, another address", "2001:db8::2", 1000, 10},
		{"with all connections open", "198.51.100.1", 10, 0},
		{"this machine", "127.0.0.1", 10, 10},
	} {
		if got := connect(tc.addr, tc.n); got != tc.want {
			t.Errorf("%s: %d connections are served, want %d", tc.name, got, tc.want)
		}
	}
	for _, c := range open {
		c.Close()
		c.Close() // counts once
	}
	if l.open != 0 || len(l.addresses) != 0 {
		t.Errorf("%d connections of %d addresses after all are closed", l.open, len(l.addresses))
	}
	if got := connect("10.0.0.1", 1000); got != total {
		t.Errorf("a trusted proxy: %d connections, want %d", got, total)
	}
}
