package stage

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/a-h/templ"
	"rsc.io/qr"

	"github.com/devonartis/medassist-go/web/internal/respond"
	"github.com/devonartis/medassist-go/web/ui"
)

// linkPath is that of the page with the link for phones.
const linkPath = "/present/link"

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
	l, err := newLink(p.publicURL(r))
	if err != nil {
		return err
	}
	l.Page = p.cfg.Respond.Page(r, "Follow", "link", "/present")
	return respond.Render(w, http.StatusOK, LinkPage(l))
}

// newLink returns the link to a server with a base URL, which may be empty.
func newLink(base string) (l Link, err error) {
	if base == "" {
		return l, nil
	}
	l.URL = base + "/follow"
	code, err := qr.Encode(l.URL, qr.M)
	if err != nil {
		return l, err
	}
	l.Size = code.Size
	for y := range code.Size {
		for x := range code.Size {
			if code.Black(x, y) {
				l.Dots = append(l.Dots, [2]int{x, y})
			}
		}
	}
	return l, nil
}

// linkOnStage returns the link to a server with a base URL as a page on the stage.
func linkOnStage(base string) Page {
	return Page{Path: linkPath, Title: "Follow on your phone", View: func(context.Context, url.Values) (templ.Component, error) {
		l, err := newLink(base)
		return LinkView(l), err
	}}
}

// joinAddress returns what people type into their phones, or "" if none can reach
// this server.
func (p *Pages) joinAddress(r *http.Request) string {
	base := p.publicURL(r)
	if base == "" {
		return ""
	}
	return strings.TrimPrefix(strings.TrimPrefix(base, "http://"), "https://") + "/follow"
}

// quiet is the width of the margin that a reader of QR codes needs, in dots.
const quiet = 4

func (l Link) box() string {
	return fmt.Sprintf("%d %d %d %d", -quiet, -quiet, l.Size+2*quiet, l.Size+2*quiet)
}

func (l Link) ground() string {
	n := l.Size + 2*quiet
	return fmt.Sprintf("M%d %dh%dv%dh%dz", -quiet, -quiet, n, n, -n)
}

func (l Link) dots() string {
	var b strings.Builder
	for _, d := range l.Dots {
		fmt.Fprintf(&b, "M%d %dh1v1h-1z", d[0], d[1])
	}
	return b.String()
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
