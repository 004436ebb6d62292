package hero

import "fmt"

// theft draws the lane of a stolen token, which goes past the gate.
func (p *plan) theft(n *pen) {
	if len(p.h.thefts) == 0 {
		return
	}
	n.path("lane attacker", rect(p.laneX, p.attackerY, p.laneW, p.attackerH, p.caption*0.55))
	base := p.attackerY + p.agent*1.2
	x := p.laneX + p.agent*0.8
	n.spans("strong", x, base, p.agent, Span{Text: "Attacker"},
		Span{Text: "copied the " + p.h.thefts[0].category + " token", Class: "muted regular", Dx: p.agent * 0.5, Size: p.meta})
	n.text("muted", p.pillX-p.scope, base, p.meta, "bypasses the gate")
	seen := make(map[string]bool)
	for i, t := range p.h.thefts {
		n.stay(0) // only the last use moves
		n.happened(t.motion(), fmt.Sprint("stolen token ", i, t.more))
		y := p.attacker[i]
		said := "tries " + short(t.patient, longest+4)
		if seen[t.patient] {
			said += " again"
		}
		if t.more > 0 {
			said += fmt.Sprintf(" and %d more", t.more)
		}
		seen[t.patient] = true
		n.text("semi", x, y+p.scope*0.35, p.scope, said)
		start := x + sansWidth(said, p.scope) + p.scope
		stop := p.doorX - p.gateW/2 - p.scope*0.6
		if t.allowed {
			stop -= p.scope
			left := p.pill(n, "", "", " on-allowed", "stolen token", t.patient, stop, y, true)
			n.path("w-attacker", d("M", start, y, "H", left))
			p.pass(n, p.doorX, y)
			to := p.folderX - p.scope*0.6
			n.path("w-allowed", d("M", stop, y, "H", to))
			n.use("allowed", p.doorX, y, p.pillH*0.76)
			p.arrow(n, "a-allowed", to, y)
			continue
		}
		left := p.pill(n, " no", " on-denied", " t-denied", "stolen token", t.patient, stop, y, true)
		n.path("w-attacker", d("M", start, y, "H", left))
		p.shut(n, p.doorX, y)
		size := p.scope
		if p.wordy {
			size = p.scope * 1.15
		}
		n.text("strong t-denied", p.doorX+p.pillH*0.75, y+size*0.35, size, t.outcome(p.wordy))
		if i > 0 && t.after && !p.h.thefts[i-1].after {
			p.divider(n, (p.attacker[i-1]+y)/2)
		}
	}
}

// motion is how the use of a stolen token appears.
func (t theft) motion() motion {
	if t.allowed {
		return passes
	}
	return stops
}

// divider marks the moment at which the stolen token was released.
func (p *plan) divider(n *pen, y float64) {
	label := "token released"
	w := sansWidth(label, p.meta) + p.meta
	x := p.laneX + p.laneW
	n.path("divider", d("M", p.laneX+p.agent, y, "H", p.width))
	n.path("stamp", rect(x-w/2, y-p.meta*0.8, w, p.meta*1.6, 4))
	n.text("strong t-ended mid", x, y+p.meta*0.35, p.meta, label)
}
