package hero

import "github.com/devonartis/medassist-go/trace"

func (p *plan) row(n *pen, r placed) {
	switch r.kind {
	case allowed:
		p.allowedRow(n, r)
	case denied:
		p.deniedRow(n, r)
	case pending, unfinished:
		p.pendingRow(n, r)
	case source:
		p.scopes(n, r, r.scopes)
	case overreach:
		p.overreachRow(n, r)
	}
}

// scopes writes the scopes at the left of a row and returns where they end.
func (p *plan) scopes(n *pen, r placed, scopes []string) (end float64) {
	x := p.laneX + p.agent*0.95
	line := p.scope * 1.35
	y := r.mid - line*float64(len(scopes)-1)/2 + p.scope*0.35
	for _, s := range scopes {
		if r.delegated {
			w := 0
			for _, sp := range scopeSpans(s) {
				w += len([]rune(sp.Text))
			}
			n.path("given-row", rect(x-p.scope*0.5, y-p.scope*1.2, monoWidth(w, p.scope)+p.scope, p.scope*1.75, 6))
		}
		end = max(end, x+n.mono("", x, y, p.scope, scopeSpans(s)...))
		y += line
	}
	return end + p.scope*0.65
}

// limit is how far to the right a pill may reach.
func (p *plan) limit() float64 {
	if len(p.h.thefts) > 0 {
		return p.doorX - p.gateW
	}
	return p.folderX - p.scope*0.5
}

// pill draws a call. With right set its right edge is at x, otherwise its left one.
// It returns its other edge.
func (p *plan) pill(n *pen, class, textClass, tagText, tool, patient string, x, y float64, right bool) float64 {
	pad, inset := p.pillH*0.38, p.pillH*0.135
	id := short(patient, longest)
	tag := monoWidth(len([]rune(id)), p.scope) + p.scope*0.9
	room := p.limit() - p.pillX - 2*pad - tag - inset
	if most := int(room / (0.603 * p.scope)); len(tool) > most {
		tool = short(tool, max(8, most))
	}
	w := pad + monoWidth(len([]rune(tool)), p.scope) + pad*0.8 + tag + inset
	left := x
	if right {
		left = x - w
	}
	base := y + p.scope*0.35
	n.path("moving pill"+class, rect(left, y-p.pillH/2, w, p.pillH, p.pillH/2))
	n.mono("moving semi"+textClass, left+pad, base, p.scope, Span{Text: tool})
	tagX := left + w - inset - tag
	n.path("moving pill-tag"+class, rect(tagX, y-p.pillH/2+inset, tag, p.pillH-2*inset, p.pillH/2-inset))
	n.mono("moving strong mid"+tagText, tagX+tag/2, base, p.scope, Span{Text: id})
	if right {
		return left
	}
	return left + w
}

func (p *plan) allowedRow(n *pen, r placed) {
	n.happened(passes, r.callID)
	end := p.scopes(n, r, r.scopes)
	wire, class, textClass, tagText := "w-allowed", "", "", " on-allowed"
	if p.h.unknown {
		wire, class, textClass, tagText = "w-ended", " wait", " muted", " muted"
	}
	p.pass(n, p.gateX, r.mid)
	n.path(wire, d("M", end, r.mid, "H", p.pillX))
	p.through(n, p.gateX, r.mid, p.pillH*0.76)
	right := p.pill(n, class, textClass, tagText, r.tool, r.patient, p.pillX, r.mid, false)
	to := p.folderX - p.scope*0.6
	if len(p.h.thefts) > 0 {
		p.pass(n, p.doorX, r.mid)
	}
	if p.h.unknown {
		n.path(wire, d("M", right, r.mid, "H", to))
		return
	}
	n.path(wire, d("M", right, r.mid, "H", to))
	if len(p.h.thefts) > 0 {
		p.through(n, p.doorX, r.mid, p.pillH*0.76)
	}
	p.arrow(n, "a-allowed", to, r.mid)
}

// through marks a check that was passed.
func (p *plan) through(n *pen, x, y, size float64) {
	if p.h.unknown {
		n.use("ended", x, y, size*0.8)
		return
	}
	n.use("allowed", x, y, size)
}

func (p *plan) arrow(n *pen, class string, x, y float64) {
	a := p.scope * 0.42
	n.path(class, d("M", x-a*1.4, y-a, "L", x, y, "L", x-a*1.4, y+a, "z"))
}

// shut closes the bar at x in front of a denied call.
func (p *plan) shut(n *pen, x, y float64) {
	n.path("gate-shut", rect(x-p.gateW/2-4, y-p.pillH*0.6, p.gateW+8, p.pillH*1.2, 3))
	n.nodes = append(n.nodes, Node{Class: "halo", Use: &Use{"octagon", x - p.pillH*0.57, y - p.pillH*0.57, p.pillH * 1.14}})
	n.use("denied", x, y, p.pillH*0.96)
}

func (p *plan) deniedRow(n *pen, r placed) {
	n.happened(stops, r.callID)
	base := r.mid + p.scope*0.35
	if r.by == trace.RefusedByRecords {
		p.pass(n, p.gateX, r.mid)
		n.path("w-allowed", d("M", p.laneX+p.laneW, r.mid, "H", p.pillX))
		n.use("allowed", p.gateX, r.mid, p.pillH*0.76)
		right := p.pill(n, " no", " on-denied", " t-denied", r.tool, r.patient, p.pillX, r.mid, false)
		n.use("denied", right+p.pillH*0.3, r.mid, p.pillH*0.96)
		return
	}
	p.pill(n, " no", " on-denied", " t-denied", r.tool, r.patient, p.gateLeft()-p.scope*0.6, r.mid, true)
	p.shut(n, p.gateX, r.mid)
	n.spans("strong t-denied", p.pillX, base, p.scope, r.reason(p.scope, p.folderX-p.pillX-p.scope)...)
}

// notMade says why a call has no outcome at a check.
func notMade(k kind) string {
	if k == unfinished {
		return "call failed"
	}
	return "requested, not sent"
}

// pendingRow shows a call that was not made: nothing of it is behind the gate. A
// delegated scope takes the pill's place in the lane.
func (p *plan) pendingRow(n *pen, r placed) {
	base, word := r.mid+p.scope*0.35, notMade(r.kind)
	if r.delegated && r.lane.delegated.state == alive {
		end := p.scopes(n, r, r.lane.delegated.scopes)
		n.path("w-wait", d("M", end, r.mid, "H", p.gateLeft()-4))
		n.spans("muted", p.pillX, base, p.scope, Span{Text: short(r.tool, 20), Class: "mono"}, Span{Text: word, Dx: p.scope * 0.6, Class: "muted"})
		return
	}
	p.pill(n, " wait", " muted", " muted", r.tool, r.patient, p.gateLeft()-p.scope*0.6, r.mid, true)
	n.text("muted", p.pillX, base, p.scope, word)
}

// overreachRow shows a delegation that was refused: it ends inside the lane.
func (p *plan) overreachRow(n *pen, r placed) {
	n.happened(stops, r.callID)
	scope := ""
	if len(r.scopes) > 0 {
		scope = r.scopes[0]
	}
	spans := scopeSpans(scope)
	right := p.gateLeft() - p.pillH - p.scope*0.9
	action := short(spans[0].Text, 20)
	if len(action) > 0 && action[len(action)-1] == ':' {
		action = action[:len(action)-1]
	}
	p.pill(n, " no", " on-denied", " t-denied", action, spans[1].Text, right, r.mid, true)
	n.use("denied", right+p.pillH*0.55, r.mid, p.pillH*0.96)
	by := "Delegation refused"
	if r.by == trace.RefusedByBroker {
		by = "Broker refused the delegation"
	}
	n.text("strong t-denied", p.pillX, r.mid+p.scope*0.35, p.scope, by)
}
