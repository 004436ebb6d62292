package stage

import (
	"errors"
	"io"
	"net/http"

	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/web/internal/respond"
	"github.com/devonartis/medassist-go/web/internal/sse"
	"github.com/devonartis/medassist-go/web/ui"
)

// Watch is a page that shows what is on the stage.
type Watch struct {
	ui.Page
	Scene  string // HTML
	Look   Look
	Stream string // address
	Join   string // what phones open; empty on a phone, and if none can reach this server
}

// watch returns a page that shows the stage: GET /stage for the projector, and
// GET /follow for phones.
func (p *Pages) watch(title string, l layout) respond.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		v := Watch{Page: p.cfg.Respond.Page(r, title, l.String(), "")}
		v.Bare = true
		v.Scene, v.Stream, v.Look = p.scene(l)
		if l == wall {
			v.Join = p.joinAddress(r)
		}
		return respond.Render(w, http.StatusOK, WatchPage(v, l))
	}
}

// scene returns what is on the stage, and the address of the stream that
// continues from there.
func (p *Pages) scene(l layout) (html, stream string, look Look) {
	p.show.mu.Lock()
	defer p.show.mu.Unlock()
	html, id := p.show.html(&p.show.scene, l)
	return html, "/stage/frames?layout=" + l.String() + "&after=" + id, p.show.shown.Look
}

// frames is GET /stage/frames: what changes on the stage, in the layout that
// ?layout= names. ?after= names what the page shows already.
func (p *Pages) frames(w http.ResponseWriter, r *http.Request) error {
	l, known := wall, r.Header.Get("Last-Event-ID")
	if r.URL.Query().Get("layout") == phone.String() {
		l = phone
	}
	if known == "" {
		known = r.URL.Query().Get("after")
	}
	p.followers.open[l].Add(1)
	defer p.followers.open[l].Add(-1)
	return p.cfg.Streams.ServePage(w, r, func(stream *sse.Stream) {
		for stream.Context().Err() == nil {
			missed, rest, ok := p.show.join(l, known)
			if !ok || !missed.Empty() && stream.WriteBlocks(missed) != nil {
				return
			}
			known = ""
			if !errors.Is(stream.Send(rest.Next), io.EOF) {
				return
			}
		}
	})
}

// join is that of the broadcast, under the show's lock.
func (s *show) join(l layout, known string) (sse.Block, *trace.Cursor[sse.Block], bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.broadcast.join(&s.scene, l, known)
}
