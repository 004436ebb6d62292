package stage

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/a-h/templ"

	"github.com/devonartis/medassist-go/internal/random"
	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/web/hero"
	"github.com/devonartis/medassist-go/web/internal/respond"
	"github.com/devonartis/medassist-go/web/internal/sse"
)

// A layout is the shape in which a page shows the stage.
type layout int

const (
	wall layout = iota
	phone
	layouts // how many there are
)

func (l layout) shape() hero.Shape {
	if l == phone {
		return hero.Phone
	}
	return hero.Wall
}

func (l layout) String() string {
	if l == phone {
		return "phone"
	}
	return "wall"
}

// A broadcast sends what is on the stage to all who watch: for each layout a feed
// of changes to the current scene. Another scene begins new feeds, so nothing of
// an earlier one is kept. The holder of the show's lock may use it.
type broadcast struct {
	epoch   string // tells the IDs of this process from those of an earlier one
	version int    // of what is shown
	ended   bool
	fresh   bool // the scene began before the first step of its run
	feeds   [layouts]*trace.Feed[sse.Block]
	sent    [layouts]map[string]string // HTML by target
	drawn   [layouts]hero.Drawing
	looked  string           // the look as JSON, as it was last sent
	whole   [layouts]wholeAt // the scene as one message
}

type wholeAt struct {
	version       int
	html          string
	block, moving sse.Block // moving also animates what has happened
}

// parts are the pieces of a scene that change while it is on the stage, beside the
// picture.
var parts = []struct {
	target string
	view   func(*Scene) templ.Component // nil if the scene has no such part
}{
	{"#act", func(s *Scene) templ.Component { return inRun(s, actLine) }},
	{"#verdict", func(s *Scene) templ.Component { return inRun(s, verdictLine) }},
	{"#foot", func(s *Scene) templ.Component { return inRun(s, foot) }},
	{"#shown-page", func(s *Scene) templ.Component {
		if s.Page == nil {
			return nil
		}
		return templ.Raw(s.Page.html)
	}},
}

// inRun returns the part of a scene that shows a run, and nil for any other.
func inRun(s *Scene, view func(*Scene) templ.Component) templ.Component {
	if s.Run == nil || s.Page != nil {
		return nil
	}
	return view(s)
}

func render(c templ.Component) string {
	var b bytes.Buffer
	respond.Write(&b, c)
	return b.String()
}

// id names what is shown now.
func (b *broadcast) id() string { return fmt.Sprintf("%s-%d", b.epoch, b.version) }

// open begins a scene.
func (b *broadcast) open(s *Scene, look Look) {
	if b.epoch == "" {
		b.epoch = random.Hex(4)
	}
	b.version++
	b.fresh = s.Run != nil && s.Run.Steps == 0
	for l := range layouts {
		old := b.feeds[l]
		b.feeds[l] = trace.NewFeed[sse.Block]()
		b.sent[l] = make(map[string]string)
		for _, p := range parts {
			if c := p.view(s); c != nil {
				b.sent[l][p.target] = render(c)
			}
		}
		if s.Run != nil {
			b.drawn[l] = s.Run.draw(l)
		}
		if old != nil {
			old.Close() // its watchers join again
		}
	}
	b.setLook(look)
}

// setLook reports whether the look is another than the one that was sent last.
func (b *broadcast) setLook(look Look) bool {
	data, _ := json.Marshal(look) // strings and booleans
	changed := b.looked != string(data)
	b.looked = string(data)
	return changed
}

// publish sends what has changed since the last time.
func (b *broadcast) publish(s *Scene, look Look) {
	b.version++
	restyled := b.setLook(look)
	for l := range layouts {
		var message []byte
		if html := b.changes(s, l); len(html) > 0 {
			message = sse.AppendEvent(message, "", b.id(), html)
		}
		if restyled {
			message = sse.AppendEvent(message, "look", b.id(), []byte(b.looked))
		}
		if len(message) == 0 { // for the presenter's controls
			message = sse.AppendEvent(message, "state", b.id(), nil)
		}
		b.feeds[l].Append(sse.NewBlock(message))
	}
}

func (b *broadcast) changes(s *Scene, l layout) []byte {
	var out bytes.Buffer
	if s.Run != nil && s.Page == nil {
		now := s.Run.draw(l)
		switch changed, same := now.Changes(b.drawn[l]); {
		case !same:
			respond.Partial(&out, "#"+now.ID, "outerHTML", hero.SVG(now))
		case len(changed) > 0:
			respond.Write(&out, hero.Parts(now, changed))
		}
		b.drawn[l] = now
	}
	for _, p := range parts {
		c := p.view(s)
		if c == nil {
			continue
		}
		if now := render(c); now != b.sent[l][p.target] {
			respond.Partial(&out, p.target, "innerMorph", templ.Raw(now))
			b.sent[l][p.target] = now
		}
	}
	return out.Bytes()
}

// html returns the scene as it is now, and its ID.
func (b *broadcast) html(s *Scene, l layout) (html, id string) {
	w := &b.whole[l]
	if w.version != b.version {
		*w = wholeAt{version: b.version, html: render(SceneView(s, l))}
	}
	return w.html, b.id()
}

// join returns what a viewer that shows known has missed, as one message that may
// be empty, and a cursor for all that follows. It reports false after the end.
func (b *broadcast) join(s *Scene, l layout, known string) (missed sse.Block, rest *trace.Cursor[sse.Block], ok bool) {
	if b.ended {
		return missed, nil, false
	}
	if html, id := b.html(s, l); id != known {
		w := &b.whole[l]
		block := &w.block
		// A viewer without an ID was following when the scene began. The run may have
		// gone on before it has joined again.
		moves := known == "" && b.fresh && s.Run != nil && s.Page == nil
		if moves {
			block = &w.moving
		}
		if block.Empty() {
			var part, moved bytes.Buffer
			respond.Partial(&part, "#stage", "outerHTML", templ.Raw(html))
			message := sse.AppendEvent(sse.AppendEvent(nil, "", id, part.Bytes()), "look", id, []byte(b.looked))
			if moves {
				d := s.Run.draw(l)
				respond.Write(&moved, hero.Parts(d, d.Moving(hero.Drawing{})))
				message = sse.AppendEvent(message, "", "", moved.Bytes())
			}
			*block = sse.NewBlock(message)
		}
		missed = *block
	}
	return missed, b.feeds[l].From(b.feeds[l].Len()), true
}

// end closes the feeds. Nobody joins any more.
func (b *broadcast) end() {
	b.ended = true
	for _, f := range b.feeds {
		f.Close()
	}
}
