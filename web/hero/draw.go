package hero

import "github.com/devonartis/medassist-go/internal/text"

func (p *plan) gateLeft() float64 { return p.gateX - p.gateW/2 }

// lanesEnd is the bottom of the lowest agent's lane.
func (p *plan) lanesEnd() float64 {
	if n := len(p.boxes); n > 0 {
		return p.boxes[n-1].y + p.boxes[n-1].h
	}
	return p.height - p.caption
}

func (p *plan) captions(n *pen) {
	y := p.caption * 1.2
	if dx := p.caption * 0.45; p.trunk > 0 {
		n.spans("semi", 0, y, p.caption, Span{Text: "App: any patient"}, Span{Text: "▸", Class: "muted", Dx: dx},
			Span{Text: "tokens: " + short(p.h.patient, longest+4) + " only", Dx: dx})
	} else {
		n.text("semi", 0, y, p.caption, "Who holds the token")
	}
	gate := "Gate"
	if p.wordy && len(p.h.thefts) == 0 {
		gate = "Gate asks the broker"
	}
	n.text("strong mid", p.gateX, y, p.caption, gate)
	if len(p.h.thefts) > 0 && p.wordy {
		n.text("strong mid", p.doorX, y, p.caption, "Records API checks")
		n.text("semi end", p.width, y, p.caption, "Patients")
		return
	}
	n.text("semi end", p.width, y, p.caption, "Records API")
}

// flow shows how the app's authority narrows into the lanes.
func (p *plan) flow(n *pen) {
	if len(p.boxes) == 0 || p.trunk == 0 {
		return
	}
	end := p.lanesEnd()
	total := end - p.top
	at := p.top
	for i, b := range p.boxes {
		next := end
		if i < len(p.boxes)-1 {
			next = at + total*(b.h+p.caption*0.55)/(total+p.caption*0.55)
		}
		mid, half := b.y+b.h/2, min(16, b.h/6)
		m := (p.trunk + p.laneX) / 2
		n.path("flow", d("M", p.trunk, at, "C", m, at, m, mid-half, p.laneX, mid-half, "V", mid+half, "C", m, mid+half, m, next, p.trunk, next, "z"))
		at = next
	}
	n.path("trunk", rect(0, p.top, p.trunk, total, 2))
}

func (p *plan) gate(n *pen) {
	n.path("gate", rect(p.gateLeft(), p.top-4, p.gateW, p.lanesEnd()-p.top+8, 2))
	if len(p.h.thefts) > 0 {
		n.path("gate", rect(p.doorX-p.gateW/2, p.top-4, p.gateW, p.attackerY+p.attackerH-p.top+8, 2))
	}
}

func (p *plan) box(n *pen, b box) {
	class := "lane"
	switch {
	case b.agent.over():
		class = "lane ended"
	case b.agent.state != alive:
		class = "lane none"
	}
	n.path(class, rect(p.laneX, b.y, p.laneW, b.h, p.caption*0.55))
	base := b.y + b.head/2 + p.agent*0.33
	left := p.laneX + p.agent*0.8
	cy := base - p.agent*0.35
	r := p.agent * 0.47
	nameX := left + 2*r + p.agent*0.55
	switch {
	case b.agent.state == alive:
		n.nodes = append(n.nodes, p.ring(b.agent, left+r, cy, r))
		n.spans("strong", nameX, base, p.agent, Span{Text: b.name()}, p.life(b.agent))
	case b.agent.over():
		n.happened(appears, b.name()+" "+b.lane.stamp())
		n.use("ended", left+r, cy, 2*r)
		n.text("strong", nameX, base, p.agent, b.name())
		p.stamp(n, b.lane.stamp(), nameX+sansWidth(b.name(), p.agent)+p.agent*0.5, cy)
	default:
		n.spans("strong", nameX, base, p.agent, Span{Text: b.name()}, Span{Text: b.lacking(), Class: "muted regular", Dx: p.agent * 0.5, Size: p.meta})
	}
	if b.footer > 0 {
		_, more := b.lane.shown()
		n.text("muted", left, b.footer, p.meta, footnote(b.unused(), more))
	}
	if !b.open {
		p.summary(n, b)
	}
}

func footnote(unused, more int) string {
	s := ""
	if unused > 0 {
		s = text.Count(unused, "more scope") + ", unused"
	}
	if more > 0 {
		if s != "" {
			s += " · "
		}
		s += text.Count(more, "more call") + " allowed"
	}
	return s
}

// summary replaces the rows of a collapsed lane by their count.
func (p *plan) summary(n *pen, b box) {
	calls := 0
	for _, r := range b.lane.rows {
		if r.kind == allowed {
			calls++
		}
	}
	if calls == 0 {
		return
	}
	y := b.y + b.h/2
	p.pass(n, p.gateX, y)
	n.path("w-allowed", d("M", p.laneX+p.laneW, y, "H", p.pillX))
	n.use("allowed", p.gateX, y, p.pillH*0.76)
	n.text("strong t-allowed", p.pillX+p.meta*0.6, y+p.meta*0.35, p.meta*1.1, text.Count(calls, "call")+" allowed")
}

func (p *plan) ring(t token, x, y, r float64) Node {
	left := 0.0
	if life := t.expires.Sub(t.issued); life > 0 {
		left = min(1, max(0, float64(t.expires.Sub(p.h.now))/float64(life)))
	}
	return Node{Ring: &Ring{X: x, Y: y, R: round(r - 2), Left: left, Issued: t.issued.UnixMilli(), Expires: t.expires.UnixMilli()}}
}

// life is the remaining lifetime beside an agent's name.
func (p *plan) life(t token) Span {
	return Span{Text: text.Clock(max(0, t.expires.Sub(p.h.now))), Class: "t-alive semi life", Dx: p.agent * 0.5, Size: p.meta,
		Issued: t.issued.UnixMilli(), Expires: t.expires.UnixMilli(), Then: "expired"}
}

// stamp marks an ended lane; x is its left edge.
func (p *plan) stamp(n *pen, word string, x, cy float64) {
	h := p.meta * 1.6
	w := p.stampWidth(word)
	n.path("moving stamp", rect(x, cy-h/2, w, h, 4))
	n.text("moving strong t-ended mid", x+w/2, cy+p.meta*0.35, p.meta, word)
}

func (p *plan) stampWidth(word string) float64 { return sansWidth(word, p.meta)*1.25 + p.meta*0.8 }

// pass opens the bar at x for what goes through it.
func (p *plan) pass(n *pen, x, y float64) {
	n.path("hole", rect(x-p.gateW/2-1, y-p.pillH*0.45, p.gateW+2, p.pillH*0.9, 0))
}

func (p *plan) notCreated(n *pen) {
	if p.foot > 0 {
		n.text("muted", p.laneX, p.foot, p.meta, p.h.absent())
	}
	if len(p.boxes) == 0 {
		n.text("muted", p.laneX, p.top+p.meta*2, p.meta, "No agent has been created yet.")
	}
}
