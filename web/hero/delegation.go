package hero

// delegation draws the arrow from the delegator's scope to the delegate's.
func (p *plan) delegation(n *pen) {
	var from, to *placed
	for i := range p.boxes {
		for j := range p.boxes[i].rows {
			r := &p.boxes[i].rows[j]
			switch {
			case r.kind == source:
				from = r
			case r.delegated && p.boxes[i].delegated.state != absent:
				to = r
			}
		}
	}
	if from == nil || to == nil || len(from.scopes) == 0 {
		return
	}
	width := 0
	for _, s := range scopeSpans(from.scopes[0]) {
		width += len([]rune(s.Text))
	}
	x0 := p.laneX + p.agent*0.95 + monoWidth(width, p.scope) + p.scope*0.6
	x := p.laneX + p.laneW - p.scope*0.6
	r := p.scope * 0.6
	end := x0 + p.scope*0.8
	if end > x-r {
		x = end + r
	}
	n.happened(appears, from.scopes[0])
	n.path("moving w-delegated", d("M", x0, from.mid, "H", x-r, "q", r, 0, r, r, "V", to.mid-r, "q", 0, r, -r, r, "H", end))
	a := p.scope * 0.6
	n.path("moving a-delegated", d("M", end, to.mid-a, "L", end-a*1.2, to.mid, "L", end, to.mid+a, "z"))
	label := "1 call"
	w, h := sansWidth(label, p.meta)+p.meta, p.meta*1.55
	cx, cy := x-w*0.4, (from.mid+to.mid)/2
	for _, b := range p.boxes {
		if b.lane == to.lane && b.lane != from.lane && b.y > from.mid+h {
			cy = b.y - h*0.7 // clear of the delegate's header
		}
	}
	n.path("moving pill given", rect(cx-w/2, cy-h/2, w, h, h/2))
	n.text("moving strong mid on-delegated", cx, cy+p.meta*0.36, p.meta, label)
}
