// Package hostname reads Host headers, for servers on loopback that must not be
// reached under a name that an attacker's name server resolves to this machine
// (DNS rebinding).
package hostname

import (
	"net/netip"
	"strconv"
	"strings"
)

// Parse returns the host in a Host header, in lower case and without port and
// brackets. It reports false for a header that no browser sends for a name or an
// address: without a host, with user information or an IPv6 zone, with brackets
// around anything but an IPv6 address, or with a port that is not a number.
func Parse(header string) (host string, ok bool) {
	host = header
	if rest, bracketed := strings.CutPrefix(header, "["); bracketed {
		inside, port, closed := strings.Cut(rest, "]")
		ip, err := netip.ParseAddr(inside)
		if !closed || err != nil || !ip.Is6() || ip.Zone() != "" || port != "" && !isPort(port) {
			return "", false
		}
		return ip.String(), true
	}
	if i := strings.IndexByte(header, ':'); i >= 0 {
		if !isPort(header[i:]) {
			return "", false
		}
		host = header[:i]
	}
	if host == "" || strings.ContainsAny(host, "[]@/\\%") {
		return "", false
	}
	return strings.ToLower(host), true
}

// isPort reports whether s is a colon and a port.
func isPort(s string) bool {
	digits, ok := strings.CutPrefix(s, ":")
	if !ok || strings.TrimLeft(digits, "0123456789") != "" {
		return false
	}
	_, err := strconv.ParseUint(digits, 10, 16)
	return err == nil
}

// IsLocal reports whether a Host header names this machine: localhost, or an
// address on loopback.
func IsLocal(header string) bool {
	host, ok := Parse(header)
	if !ok {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}
