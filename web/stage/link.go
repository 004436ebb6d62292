package stage

import (
	"net"
	"net/http"
	"net/netip"
	"strings"

	"rsc.io/qr"

	"github.com/devonartis/medassist-go/web/internal/respond"
	"github.com/devonartis/medassist-go/web/ui"
)

// Link is the address that phones follow.
type Link struct {
	ui.Page
	URL  string // empty when no other machine can reach the page
	Size int    // of the QR code, in dots
	Dots [][2]int
}

// link is GET /present/link: the address for the phones in the room, to be
// projected.
func (p *Pages) link(w http.ResponseWriter, r *http.Request) error {
	l := Link{Page: p.cfg.Respond.Page(r, "Follow", "link", "/present")}
	if p.cfg.Reachable {
		l.URL = "http://" + reachableHost(r.Host) + "/follow"
		code, err := qr.Encode(l.URL, qr.M)
		if err != nil {
			return err
		}
		l.Size = code.Size
		for y := range code.Size {
			for x := range code.Size {
				if code.Black(x, y) {
					l.Dots = append(l.Dots, [2]int{x, y})
				}
			}
		}
	}
	return respond.Render(w, http.StatusOK, LinkPage(l))
}

// reachableHost returns a host under which other machines find this one: the
// request's own unless that is loopback, else the address of a private network
// that this machine is on.
func reachableHost(host string) string {
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		name, port = strings.Trim(host, "[]"), ""
	}
	if ip, err := netip.ParseAddr(name); name != "localhost" && (err != nil || !ip.IsLoopback()) {
		return host
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return host
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && n.IP.IsPrivate() {
			if port == "" {
				return n.IP.String()
			}
			return net.JoinHostPort(n.IP.String(), port)
		}
	}
	return host
}
