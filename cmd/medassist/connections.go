package main

import (
	"net"
	"net/netip"
	"slices"
	"sync"

	"github.com/devonartis/medassist-go/internal/clientaddr"
	"github.com/devonartis/medassist-go/web"
)

// Connections of a viewer: one for its stream, and one more now and then.
const (
	connectionsPerViewer = 2
	moreConnections      = 128
	sendBuffer           = 256 << 10 // bytes that the kernel holds for one slow reader
)

// A boundedListener closes new connections while too many are open, or too many
// of one address. This machine is exempt, because runs call the records API, and
// so are trusted proxies from the limit of one address.
type boundedListener struct {
	net.Listener
	total, perAddress int
	proxies           []netip.Prefix

	mu        sync.Mutex
	open      int
	addresses map[netip.Addr]int
}

func newBoundedListener(ln net.Listener, cfg Config) *boundedListener {
	viewers, perAddress := web.ViewerLimits(cfg.Viewers, cfg.ViewersPerAddress)
	return &boundedListener{Listener: ln, total: connectionsPerViewer*viewers + 2*moreConnections,
		perAddress: connectionsPerViewer*perAddress + moreConnections, proxies: cfg.TrustedProxy, addresses: make(map[netip.Addr]int)}
}

// Accept returns the next connection that is within the limits.
func (l *boundedListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetWriteBuffer(sendBuffer) // without it the kernel decides
		}
		addr := peer(conn)
		if addr.IsLoopback() {
			return conn, nil
		}
		if l.admit(addr) {
			return &boundedConn{Conn: conn, leave: sync.OnceFunc(func() { l.leave(addr) })}, nil
		}
		_ = conn.Close() // it is not served
	}
}

// peer returns the address of a connection's other end.
func peer(conn net.Conn) netip.Addr {
	addr, err := netip.ParseAddrPort(conn.RemoteAddr().String())
	if err != nil {
		return netip.Addr{}
	}
	return addr.Addr().Unmap()
}

func (l *boundedListener) admit(addr netip.Addr) bool {
	trusted := slices.ContainsFunc(l.proxies, func(p netip.Prefix) bool { return p.Contains(addr) })
	addr = clientaddr.Network(addr)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open >= l.total || !trusted && l.addresses[addr] >= l.perAddress {
		return false
	}
	l.open++
	l.addresses[addr]++
	return true
}

func (l *boundedListener) leave(addr netip.Addr) {
	addr = clientaddr.Network(addr)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open--
	if l.addresses[addr]--; l.addresses[addr] == 0 {
		delete(l.addresses, addr)
	}
}

// A boundedConn is a connection that counts until it is closed.
type boundedConn struct {
	net.Conn
	leave func()
}

func (c *boundedConn) Close() error {
	c.leave()
	return c.Conn.Close()
}
