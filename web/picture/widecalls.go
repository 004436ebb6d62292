package picture

import "github.com/devonartis/medassist-go/trace"

// What happens on the strands of the wide layout: calls that pass the gate or
// stop at it, and authority that is lent from one lane to another.

const (
	forkAt     = 322.0 // where a loan leaves its stem
	landsAt    = 374.0 // where it arrives in its lane
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
				wall -= 5 // leave the sign of what passed in sight
			}
			w.stopped(wall, l.mid[i], s)
		}
	}
}

// passed draws what the gate let through on a strand. The strands that one
// call needed together are joined.
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

// stopped draws a refused call: a bolt that ends at whoever refused it.
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

// loan draws the branch by which a lane holds what another lane lent it.
func (w panel) loan(l placed) {
	for i, r := range l.rows {
		from, stem, ok := w.stem(l.Lent.From, r.key)
		if !r.lent || !ok {
			continue
		}
		y, look, fresh := l.mid[i], "pic-"+string(r.look), w.fresh(r.seq)
		x := (forkAt + landsAt) / 2
		w.living(r.dies, shape{class: classes("pic-loan", look, fresh), path: path("M", forkAt-10, stem, "H", forkAt,
			"C", x, stem, x, y, landsAt, y, "H", colGate)})
		if !l.Lent.issued() {
			continue
		}
		w.life(colAgent+upright+9, y, 5.5, l.Lent)
		w.mark(x-8, from.loan, signDelegated, classes("pic-mark pic-delegated", r.look.past(), fresh), l.Lent.sentence(w.p.Now))
		if len(w.keptBack(from)) == 0 {
			w.say(r.dies, label{x: x - 20, y: from.loan + 4, anchor: "end", class: classes("pic-lends", look, fresh), text: r.lends(l, from)})
		}
	}
}

// refusals draws the last delegation of a lane that the broker kept back: a
// branch that breaks off before it reaches another lane.
func (w panel) refusals(l placed) {
	kept := w.keptBack(l)
	if len(kept) == 0 || len(l.mid) == 0 {
		return
	}
	stem := l.mid[len(l.mid)-1]
	y := l.loan
	if y == 0 { // nobody was meant to get anything from this lane
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
