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
	if base := p.publicURL(r); base != "" {
		l.URL = base + "/follow"
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

// publicURL returns the base URL at which other machines reach the pages: the
// configured one, or the one that the presenter uses. If the presenter uses a
// loopback address, it is a guess. It is empty if no other machine can reach them.
func (p *Pages) publicURL(r *http.Request) string {
	if p.cfg.PublicURL != "" {
		return p.cfg.PublicURL
	}
	scheme := "http"
	if r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https") {
		scheme = "https"
	}
	name, port, err := net.SplitHostPort(r.Host)
	if err != nil {
		name, port = strings.Trim(r.Host, "[]"), ""
	}
	ip, err := netip.ParseAddr(name)
	if loopback := strings.EqualFold(name, "localhost") || err == nil && ip.IsLoopback(); !loopback {
		return scheme + "://" + r.Host
	}
	if !p.cfg.Reachable {
		return ""
	}
	host := guessAddress(routedAddress(), interfaces())
	if host == "" {
		return scheme + "://" + r.Host
	}
	if port != "" {
		host = net.JoinHostPort(host, port)
	}
	return scheme + "://" + host
}
