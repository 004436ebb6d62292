package main

import (
	"fmt"
	"net"
	"net/http"
)

// portsToTry is the number of ports tried, from the default port upwards.
const portsToTry = 20

// maxIdlePerHost is the number of idle connections kept to one of our own parts,
// enough for the runs of a busy demo.
const maxIdlePerHost = 64

// directTransport returns a transport for calls between the product's own parts.
// It ignores the environment's HTTP_PROXY: such a call must not leave the machine.
func directTransport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.Proxy = nil
	t.MaxIdleConnsPerHost = maxIdlePerHost
	return t
}

// listen listens on the requested address, which must be free. If none is
// requested it listens on the default address or the next free port, and note
// says that the default port is taken. Errors name flag.
func listen(requested, usual, flag string) (ln net.Listener, note string, err error) {
	if requested != "" {
		ln, err = net.Listen("tcp", requested)
		if err != nil {
			return nil, "", fmt.Errorf("can't listen on %s: %w; choose another address with %s", requested, err, flag)
		}
		return ln, "", nil
	}
	host, port, err := net.SplitHostPort(usual)
	if err != nil {
		return nil, "", err
	}
	first, err := net.LookupPort("tcp", port)
	if err != nil {
		return nil, "", err
	}
	for p := first; p < first+portsToTry; p++ {
		ln, err = net.Listen("tcp", fmt.Sprintf("%s:%d", host, p))
		if err == nil {
			if p != first {
				note = fmt.Sprintf(" (port %d is taken)", first)
			}
			return ln, note, nil
		}
	}
	return nil, "", fmt.Errorf("no free port from %d to %d: %w; choose an address with %s", first, first+portsToTry-1, err, flag)
}

// localURL returns the URL at which this machine reaches a listener.
func localURL(addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return "http://" + addr.String()
	}
	return localHostURL(host, port)
}

// localHostURL returns the URL at which this machine reaches a server that
// listens on host and port. A server on all interfaces is reached on loopback.
func localHostURL(host, port string) string {
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// isLoopback reports whether a listener accepts connections from this machine only.
func isLoopback(addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}
