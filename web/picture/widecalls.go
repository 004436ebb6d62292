package picture

import "github.com/devonartis/medassist-go/trace"

// This file draws what happens on the strands of the wide layout: calls that pass
// the gate or stop at it, and delegations from one lane to another.

const (
	branchAt   = 322.0 // where a delegation leaves its stem
	arrivesAt  = 374.0 // where it reaches its lane
	passHeight = 14.0
)

func (w panel) calls(l placed) {
	for i, r := range l.rows {
		if r.pass != nil {
			w.passed(l, i)
		}
		for place, s := range r.stops {
			if s.n == 0 {
				continue
			}
			wall := colGate
			if place == atRecords {
				wall = colRecords
			} else if r.pass != nil {
				wall -= 5 // keep the sign of the allowed call visible
			}
			w.stopped(wall, l.mid[i], s)
		}
	}
}

// passed draws an allowed call on a strand. The strands that one call required are
// joined.
func (w panel) passed(l placed, i int) {
	r, y, x := l.rows[i], l.mid[i], colGate+upright
	fresh := w.fresh(r.pass.seq)
	top := y - passHeight/2
	if r.pass.tool == "" && i > 0 && l.rows[i-1].pass != nil {
		top -= wideMetrics.pitch - passHeight
	}
	w.shape(classes("pic-pass", fresh), "", bar(x, top, colRecords-x, y+passHeight/2-top, 0))
	w.mark(x-upright/2, y, signAllowed, classes("pic-mark pic-allowed", fresh), "Allowed: "+r.pass.tool)
	w.text(x+12, y+4.2, "pic-tool", cut(r.pass.tool, 23))
	w.textEnd(colRecords-4, y+4.2, "pic-more", r.pass.more)
}

// stopped draws a denied call: a bolt that ends at the check that denied it.
func (w panel) stopped(wall, y float64, s stop) {
	text, fresh := s.obstacles(), w.fresh(s.seq)
	width := monoWidth(text) + 28
	if s.by == trace.RefusedByRecords {
		w.shape(classes("pic-stop", fresh), "", bar(colGate+upright, y-2, wall-width-colGate-upright, 4, 0))
	}
	w.shape(classes("pic-stop", fresh), "Denied by the "+string(s.by), bar(wall-width, y-8, width-3, 16, 3))
	w.shape(classes("pic-stop", fresh), "", bar(wall-2, y-9.5, upright+2, 19, 0))
	w.mark(wall-10, y, signDenied, classes("pic-mark pic-denied", fresh), "")
	w.text(wall-width+7, y+4.2, classes("pic-stopped", fresh), text)
}

// delegation draws the branch of a delegation from one lane to another.
func (w panel) delegation(l placed) {
	for i, r := range l.rows {
		from, stem, ok := w.stem(l.Delegated.From, r.key)
		if !r.delegated || !ok {
			continue
		}
		y, look, fresh := l.mid[i], "pic-"+string(r.look), w.fresh(r.seq)
		x := (branchAt + arrivesAt) / 2
		w.living(r.expires, shape{class: classes("pic-loan", look, fresh), path: path("M", branchAt-10, stem, "H", branchAt,
			"C", x, stem, x, y, arrivesAt, y, "H", colGate)})
		if !l.Delegated.issued() {
			continue
		}
		w.life(colAgent+upright+9, y, 5.5, l.Delegated)
		w.mark(x-8, from.delegation, signDelegated, classes("pic-mark pic-delegated", r.look.past(), fresh), l.Delegated.sentence(w.p.Now))
		if len(w.deniedDelegations(from)) == 0 {
			w.say(r.expires, label{x: x - 20, y: from.delegation + 4, anchor: "end", class: classes("pic-lends", look, fresh), text: r.delegates(l, from)})
		}
	}
}

// refusals draws the lane's last denied delegation: a branch that ends before it
// reaches another lane.
func (w panel) refusals(l placed) {
	kept := w.deniedDelegations(l)
	if len(kept) == 0 || len(l.mid) == 0 {
		return
	}
	stem := l.mid[len(l.mid)-1]
	y := l.delegation
	if y == 0 { // no lane is planned to get a delegation from this one
		y = stem
	}
	last, text := kept[len(kept)-1], w.obstacle(kept)
	const x = colAgent + 36
	fresh := w.fresh(last.Seq)
	w.shape(classes("pic-broken", fresh), "", path("M", x-18, stem+3, "Q", x-16, y, x+6, y))
	w.shape(classes("pic-stop", fresh), "Denied by the "+string(last.By), bar(x, y-8, monoWidth(text)+24, 16, 3))
	w.mark(x+7, y, signDenied, classes("pic-mark pic-denied", fresh), last.Reason)
	w.text(x+18, y+4.2, classes("pic-stopped", fresh), text)
}
