package hero

import (
	"fmt"
	"slices"
)

// A placed row is a row with its place.
type placed struct {
	row
	lane *lane
	mid  float64 // its vertical center
	h    float64
}

// A box is a lane with its place.
type box struct {
	*lane
	y, h   float64
	head   float64 // height of its header
	open   bool
	rows   []placed
	footer float64 // baseline of the line under the rows, or 0 without one
}

// A plan is a whole picture with its places.
type plan struct {
	Shape
	h         *Hero
	id        string
	boxes     []box
	attacker  []float64 // vertical centers of the attacker's rows
	attackerY float64
	attackerH float64
	foot      float64 // baseline of the line about absent agents
	top       float64 // of the lanes
	bottom    float64
}

// maxRows bounds the rows of one lane. Rows beyond it are counted instead.
const maxRows = 6

// Draw lays the picture out. The IDs of its elements begin with id and the name
// of the shape.
func Draw(h *Hero, id string, s Shape) Drawing {
	id += "-" + s.name
	if len(h.thefts) > 0 {
		s = s.stolen()
	}
	p := &plan{Shape: s, h: h, id: id}
	if s.phone {
		return p.drawPhone()
	}
	if p.place(loose); p.bottom > p.height && s.tightens {
		p.place(tight)
	}
	d := Drawing{ID: id, Class: "hero hero-" + s.name, Width: s.width, Height: round(p.bottom), Title: h.Title(), Still: h.ended != nil}
	d.Parts = append(d.Parts, p.part("captions", p.captions), p.part("flow", p.flow), p.part("gate", p.gate))
	for _, b := range p.boxes {
		d.Parts = append(d.Parts, p.part(b.category, func(n *pen) { p.box(n, b) }))
		for i, r := range b.rows {
			d.Parts = append(d.Parts, p.part(fmt.Sprintf("%s-%d", b.category, i+1), func(n *pen) { p.row(n, r) }))
		}
	}
	d.Parts = append(d.Parts, p.part("delegation", p.delegation), p.part("attacker", p.theft), p.part("records", p.records), p.part("absent", p.notCreated))
	return d
}

func (p *plan) part(name string, draw func(*pen)) Part {
	var n pen
	draw(&n)
	return p.finished(name, n)
}

// finished returns the part that a pen has drawn.
func (p *plan) finished(name string, n pen) Part {
	return Part{ID: p.id + "-" + name, Nodes: n.nodes, shows: n.shows, of: n.of}
}

// visible returns the lanes that have something to show.
func (h *Hero) visible() []*lane {
	return slices.DeleteFunc(slices.Clone(h.lanes), func(l *lane) bool { return l.agent.state == absent && len(l.rows) == 0 })
}

// shown returns the rows of a lane in the order in which they are drawn: the call
// that uses a delegated scope first, next to the lane that it comes from.
func (l *lane) shown() (rows []row, more int) {
	rows = slices.Clone(l.rows)
	slices.SortStableFunc(rows, func(a, b row) int {
		switch {
		case a.delegated == b.delegated:
			return 0
		case a.delegated:
			return -1
		default:
			return 1
		}
	})
	if more = len(rows) - maxRows; more <= 0 {
		return rows, 0
	}
	// A denial is never counted away.
	for i := 0; len(rows) > maxRows && i < len(rows); {
		if rows[i].kind == allowed && !rows[i].delegated {
			rows = slices.Delete(rows, i, i+1)
			continue
		}
		i++
	}
	return rows, len(l.rows) - len(rows)
}

// matters reports whether a lane must stay open: something was denied in it, or a
// delegation starts or ends in it.
func (l *lane) matters() bool {
	return slices.ContainsFunc(l.rows, func(r row) bool { return r.kind != allowed && r.kind != unfinished || r.delegated })
}

// lines is how many lines of text a row's scopes take.
func (r row) lines() float64 {
	if r.kind == allowed {
		return float64(max(1, len(r.scopes)))
	}
	return 1
}

// Spacing, as multiples of the font sizes that it goes by.
type spacing struct {
	head float64 // of a lane, of the agent's name
	gap  float64 // between lanes, of a caption
	pad  float64 // inside a lane, of the small text
	row  float64 // the least height of a row, of a pill
}

// Spacing that reads well, and spacing for a picture that would be scaled down to
// sizes that nobody can read from the last row.
var (
	loose = spacing{head: 1.75, gap: 0.55, pad: 0.5}
	tight = spacing{head: 1.42, gap: 0.3, pad: 0.2, row: 1.04}
)

// place decides where everything goes. Rows share the height that is left, within
// the bounds of the shape.
func (p *plan) place(by spacing) {
	p.boxes, p.attacker = nil, nil
	lanes := p.h.visible()
	open := p.opened(lanes)
	head, line, gap, pad := p.agent*by.head, p.meta*1.35, p.caption*by.gap, p.meta*by.pad
	p.top = p.caption*1.5 + pad
	rowMin := p.rowMin
	if by.row > 0 {
		rowMin = p.pillH * by.row
	}

	fixed, rows := p.top, 0.0
	for _, l := range lanes {
		fixed += head + gap
		if !open[l] {
			continue
		}
		shown, more := l.shown()
		for _, r := range shown {
			rows += 1 + 0.55*(r.lines()-1)
		}
		if l.unused() > 0 || more > 0 {
			fixed += line
		}
		fixed += pad
	}
	if p.h.absent() != "" {
		fixed += line + 2
	}
	stolen := float64(len(p.h.thefts))
	if stolen > 0 {
		fixed += head + gap + pad + p.meta*1.4
		rows += stolen
	}
	rowH := p.rowMax
	if rows > 0 {
		rowH = min(p.rowMax, max(rowMin, (p.height-fixed)/rows))
	}

	y := p.top
	for _, l := range lanes {
		b := box{lane: l, y: y, open: open[l], head: head}
		y += head
		if b.open {
			shown, more := l.shown()
			for _, r := range shown {
				h := rowH * (1 + 0.55*(r.lines()-1))
				b.rows = append(b.rows, placed{r, l, y + h/2, h})
				y += h
			}
			if l.unused() > 0 || more > 0 {
				b.footer = y + p.meta
				y += line
			}
			y += pad
		}
		b.h = y - b.y
		p.boxes = append(p.boxes, b)
		y += gap
	}
	if stolen > 0 {
		p.attackerY = y
		y += head
		for i, t := range p.h.thefts {
			if i > 0 && t.after && !p.h.thefts[i-1].after {
				y += p.meta * 1.4 // room for the line that marks the release
			}
			p.attacker = append(p.attacker, y+rowH/2)
			y += rowH
		}
		y += pad
		p.attackerH = y - p.attackerY
		y += gap
	}
	if p.h.absent() != "" {
		p.foot = y + p.meta*0.6
		y += line + 2
	}
	p.bottom = max(y, p.height)
}

// opened decides which lanes show their rows. Lanes that matter come first.
func (p *plan) opened(lanes []*lane) map[*lane]bool {
	open := make(map[*lane]bool)
	limit := p.Shape.open
	for _, l := range lanes {
		if l.matters() {
			open[l] = true
			limit--
		}
	}
	for _, l := range lanes {
		if !open[l] && limit > 0 {
			open[l] = true
			limit--
		}
	}
	return open
}
