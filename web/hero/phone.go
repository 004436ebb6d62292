package hero

import (
	"fmt"
	"slices"

	"github.com/devonartis/medassist-go/internal/text"
	"github.com/devonartis/medassist-go/trace"
)

// drawPhone stacks the lanes. In each, a denied call stays above the gate, inside
// the lane, and an allowed one is below it.
func (p *plan) drawPhone() Drawing {
	d := Drawing{ID: p.id, Class: "hero hero-" + p.name, Width: p.width, Title: p.h.Title(), Still: p.h.ended != nil}
	y := 2.0
	lanes := p.h.visible()
	open := p.opened(lanes)
	for _, l := range lanes {
		var n pen
		if open[l] {
			y = p.phoneLane(&n, l, y)
		} else {
			y = p.phoneSummary(&n, l, y)
		}
		d.Parts = append(d.Parts, p.finished(l.category, n))
	}
	if len(p.h.thefts) > 0 {
		var n pen
		y = p.phoneTheft(&n, y)
		d.Parts = append(d.Parts, p.finished("attacker", n))
	}
	var n pen
	switch {
	case len(lanes) == 0:
		n.text("muted", 4, y+p.meta*1.4, p.meta, "No agent has been created yet.")
		y += p.meta * 2.2
	case p.h.absent() != "" && sansWidth(p.h.absent(), p.meta)*0.85 < p.width:
		n.text("muted", 4, y+p.meta*0.9, p.meta, p.h.absent())
		y += p.meta * 1.6
	}
	d.Parts = append(d.Parts, p.finished("absent", n))
	d.Height = round(y + 2)
	return d
}

func (p *plan) phoneLane(n *pen, l *lane, y float64) float64 {
	const pad = 10
	rows, more := l.shown()
	var above, below []row
	for _, r := range rows {
		if r.kind == allowed || r.by == trace.RefusedByRecords {
			below = append(below, r)
		} else {
			above = append(above, r)
		}
	}
	top := y
	header := y + p.agent*1.25
	y += p.agent * 1.9
	background := len(n.nodes)
	n.path("lane", "") // its height is known at the end
	scopes := make(map[string]bool)
	line := func(r row) {
		for _, s := range r.scopes {
			if scopes[s] {
				continue
			}
			scopes[s] = true
			if r.delegated {
				n.path("given-row", rect(pad-5, y, p.width-2*pad+10, p.scope*1.7, 6))
			}
			n.mono("", pad, y+p.scope*1.15, p.scope, scopeSpans(s)...)
			y += p.scope * 1.55
			if r.delegated {
				y += 5
			}
		}
	}
	for _, r := range rows {
		switch r.kind {
		case allowed:
			line(r)
		case source:
			line(r)
			n.text("strong t-delegated", pad, y+p.meta*0.8, p.meta, "▾ delegated for 1 call")
			y += p.meta * 1.5
		case pending, denied, overreach, unfinished:
		}
	}
	if len(above) > 0 {
		y += 5
	}
	newest := l.newest()
	if newest.kind == allowed {
		n.happened(passes, newest.callID)
	} else if newest.kind != pending {
		n.happened(stops, newest.callID)
	}
	pill := func(r row, class, textClass, tagClass, tool string) {
		from := len(n.nodes)
		p.phonePill(n, class, textClass, tagClass, tool, r.patient, pad, y+p.pillH/2)
		if r.callID != newest.callID {
			n.stay(from)
		}
		y += p.pillH
	}
	for _, r := range above {
		switch r.kind {
		case denied, overreach:
			tool := r.tool
			if r.kind == overreach {
				tool = "delegate"
			}
			pill(r, " no", " on-denied", " t-denied", tool)
			y += 4
			size := p.scope
			if r.kind == overreach {
				n.text("strong t-denied", pad, y+size*0.9, size, "Broker refused the delegation")
			} else {
				n.spans("strong t-denied", pad, y+size*0.9, size, r.reason(size, p.width-2*pad)...)
			}
			y += size * 1.6
		case pending, unfinished:
			pill(r, " wait", " muted", " muted", r.tool)
			n.text("muted", pad, y+4+p.scope*0.9, p.scope, notMade(r.kind))
			y += 4 + p.scope*1.6
		case allowed, source:
		}
	}
	y += 6
	class := "lane"
	switch {
	case l.agent.over():
		class = "lane ended"
	case l.agent.state != alive:
		class = "lane none"
	}
	n.nodes[background] = Node{Class: class, Path: rect(1, top, p.width-2, y-top, 8)}
	p.phoneHeader(n, l, header)

	y += 2
	gate := y + p.gateW/2
	stopped := slices.ContainsFunc(above, func(r row) bool { return r.kind == denied })
	passed := slices.ContainsFunc(below, func(r row) bool { return r.kind == allowed })
	if len(below) == 0 && !stopped {
		return y + 6 // nothing has come to the gate
	}
	n.path("gate", rect(0, y, p.width, p.gateW, 2))
	n.text("strong on-gate", pad, gate+p.meta*0.36, p.meta, "Gate")
	if passed {
		n.path("hole", rect(p.width*0.25-16, y-1, 32, p.gateW+2, 0))
		p.through(n, p.width*0.25, gate, 24)
	}
	if stopped {
		n.path("gate-shut", rect(p.width*0.75-28, y-3, 56, p.gateW+6, 3))
		n.use("denied", p.width*0.75, gate, 28)
	}
	y += p.gateW + 12
	for _, r := range below {
		class, text, tag := "", "", " on-allowed"
		if p.h.unknown {
			class, text, tag = " wait", " muted", " muted"
		}
		if r.by == trace.RefusedByRecords {
			class, text, tag = " no", " on-denied", " t-denied"
		}
		pill(r, class, text, tag, r.tool)
		y += 6
	}
	if more > 0 {
		n.text("muted", pad, y+p.meta*0.9, p.meta, fmt.Sprintf("%d more calls allowed", more))
		y += p.meta * 1.5
	}
	return y + 4
}

// newest returns the lane's last row that stands for a decision, or else one of the
// kind pending.
func (l *lane) newest() row {
	for _, r := range slices.Backward(l.rows) {
		if r.kind == allowed || r.kind == denied || r.kind == overreach {
			return r
		}
	}
	return row{}
}

// phoneSummary draws a lane without its rows: its header, and how many calls were
// allowed.
func (p *plan) phoneSummary(n *pen, l *lane, y float64) float64 {
	class := "lane"
	if l.agent.over() {
		class = "lane ended"
	}
	h := p.agent * 1.9
	n.path(class, rect(1, y, p.width-2, h, 8))
	p.phoneHeader(n, l, y+p.agent*1.25)
	calls := 0
	for _, r := range l.rows {
		if r.kind == allowed {
			calls++
		}
	}
	if calls > 0 && l.agent.over() {
		x := p.width*0.5 + 2
		n.use("allowed", x, y+h/2, 15)
		n.text("strong t-allowed", x+11, y+h/2+p.meta*0.35, p.meta, text.Count(calls, "call"))
	}
	return y + h + 8
}

func (p *plan) phoneHeader(n *pen, l *lane, base float64) {
	const left = 10
	r := p.agent * 0.45
	cy := base - p.agent*0.35
	nameX := left + 2*r + 8
	switch {
	case l.agent.state == alive:
		n.nodes = append(n.nodes, p.ring(l.agent, left+r, cy, r))
		n.spans("strong", nameX, base, p.agent, Span{Text: l.name()}, p.life(l.agent))
	case l.agent.over():
		n.stay(0)
		n.happened(appears, l.name()+" "+l.stamp())
		n.use("ended", left+r, cy, 2*r)
		n.text("strong", nameX, base, p.agent, l.name())
		p.stamp(n, l.stamp(), p.width-10-p.stampWidth(l.stamp()), cy)
	default:
		n.spans("strong", nameX, base, p.agent, Span{Text: l.name()}, Span{Text: l.lacking(), Class: "muted regular", Dx: 8, Size: p.meta})
	}
}

func (p *plan) phonePill(n *pen, class, textClass, tagClass, tool, patient string, x, y float64) {
	id := short(patient, longest)
	tag := monoWidth(len([]rune(id)), p.scope) + 12
	room := p.width - 2*x - tag - 26
	if most := int(room / (0.603 * p.scope)); len(tool) > most {
		tool = short(tool, most)
	}
	w := 12 + monoWidth(len(tool), p.scope) + 8 + tag + 4
	base := y + p.scope*0.35
	n.path("moving pill"+class, rect(x, y-p.pillH/2, w, p.pillH, p.pillH/2))
	n.mono("moving semi"+textClass, x+12, base, p.scope, Span{Text: tool})
	n.path("moving pill-tag"+class, rect(x+w-4-tag, y-p.pillH/2+4, tag, p.pillH-8, p.pillH/2-4))
	n.mono("moving strong mid"+tagClass, x+w-4-tag/2, base, p.scope, Span{Text: id})
}

func (p *plan) phoneTheft(n *pen, y float64) float64 {
	top := y
	background := len(n.nodes)
	n.path("lane attacker", "")
	n.spans("strong", 10, y+p.agent*1.25, p.agent, Span{Text: "Attacker"}, Span{Text: "has a copy of the token", Class: "muted regular", Dx: 8, Size: p.meta})
	y += p.agent * 1.9
	for i, t := range p.h.thefts {
		n.stay(0) // only the last use moves
		n.happened(t.motion(), fmt.Sprint("stolen token ", i, t.more))
		if i > 0 && t.after && !p.h.thefts[i-1].after {
			n.text("strong t-ended", 10, y+p.meta, p.meta, "— token released —")
			y += p.meta * 1.8
		}
		class, text, tag := "", "", " on-allowed"
		said, saidClass := "accepted", "strong t-allowed"
		if !t.allowed {
			class, text, tag = " no", " on-denied", " t-denied"
			said, saidClass = t.outcome(false), "strong t-denied"
		}
		p.phonePill(n, class, text, tag, "stolen token", t.patient, 10, y+p.pillH/2)
		n.text(saidClass+" end", p.width-10, y+p.pillH/2+p.meta*0.35, p.meta, said)
		y += p.pillH + 6
	}
	y += 4
	n.nodes[background] = Node{Class: "lane attacker", Path: rect(2, top, p.width-4, y-top, 8)}
	return y + 6
}
