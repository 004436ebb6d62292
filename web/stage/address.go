package stage

import (
	"net"
	"net/netip"
	"slices"
	"strings"
)

// virtual lists the name prefixes of interfaces that lead to containers, virtual
// machines and VPNs, where no phone is.
var virtual = []string{"docker", "br-", "bridge", "veth", "virbr", "vmnet", "vboxnet", "vEthernet", "utun", "tun", "tap", "wg", "tailscale",
	"zt", "cni", "flannel", "cali", "podman", "lxc", "lxd", "kube", "awdl", "llw"}

// address is an IPv4 address of a network interface.
type address struct {
	name string // of the interface
	ip   netip.Addr
}

// guessAddress returns the address at which a phone in the room most likely
// reaches this machine, or "". routed is the address from which this machine
// reaches the internet.
func guessAddress(routed netip.Addr, all []address) string {
	candidates := slices.DeleteFunc(slices.Clone(all), func(a address) bool {
		return !a.ip.Is4() || a.ip.IsLoopback() || a.ip.IsLinkLocalUnicast() ||
			slices.ContainsFunc(virtual, func(prefix string) bool { return strings.HasPrefix(a.name, prefix) })
	})
	isRouted := func(a address) bool { return a.ip == routed }
	isPrivate := func(a address) bool { return a.ip.IsPrivate() }
	for _, prefer := range []func(address) bool{isRouted, isPrivate, func(address) bool { return true }} {
		if i := slices.IndexFunc(candidates, prefer); i >= 0 {
			return candidates[i].ip.String()
		}
	}
	return ""
}

// routedAddress returns the local address of the default route, if there is one.
// Connecting a UDP socket sends nothing.
func routedAddress() netip.Addr {
	conn, err := net.Dial("udp4", "192.0.2.1:9") // an address for documentation
	if err != nil {
		return netip.Addr{}
	}
	defer func() { _ = conn.Close() }() // nothing was sent
	local, err := netip.ParseAddrPort(conn.LocalAddr().String())
	if err != nil {
		return netip.Addr{}
	}
	return local.Addr()
}

// interfaces returns the addresses of all interfaces that are up.
func interfaces() []address {
	all, err := net.Interfaces()
	if err != nil {
		return nil
	}
	var out []address
	for _, i := range all {
		addrs, err := i.Addrs()
		if err != nil || i.Flags&net.FlagUp == 0 || i.Flags&net.FlagLoopback != 0 {
			continue
		}
		for _, a := range addrs {
			if prefix, err := netip.ParsePrefix(a.String()); err == nil {
				out = append(out, address{i.Name, prefix.Addr()})
			}
		}
	}
	return out
}
