package picture

import (
	"strconv"

	"github.com/devonartis/medassist-go/internal/text"
)

// The wide layout is for a panel about 620 pixels wide. Scopes run through its
// columns from left to right.
const (
	wideWidth   = 624.0
	wideFoot    = 30.0 // the legend
	colOperator = 0.0
	colApp      = 68.0
	colAgent    = 144.0
	colGate     = 406.0
	colRecords  = 610.0

	strandApp       = 18.0 // thickness of a strand at the app
	strandAll       = 17.0 // … if it covers every patient
	strandOne       = 12.0 // … if it covers one patient
	strandDelegated = 6.0  // … if it is delegated
	upright         = 6.0  // of an agent and of the gate
)

var wideMetrics = metrics{top: 22, head: 23, pitch: 19, gap: 6, delegation: 16}

// panel draws the wide layout.
type panel struct{ *scene }

func wide(p *Picture) scene {
	w := panel{newScene(p, "wide", wideMetrics)}
	w.w, w.h = wideWidth, w.end+wideFoot
	w.backbone()
	for _, l := range w.lanes {
		w.delegation(l)
	}
	w.uprights()
	for _, l := range w.lanes {
		w.agent(l)
		w.calls(l)
		w.refusals(l)
	}
	w.legend()
	return *w.scene
}

// backbone draws the operator, the app and the strands between and after them.
func (w panel) backbone() {
	strands := 0.0
	for _, l := range w.lanes {
		strands += float64(len(l.Scopes))
	}
	top, full, ceiling := wideMetrics.top, w.end-wideMetrics.top, strands*strandApp
	mid := top + full/2
	w.shape("pic-funnel", "", ribbon(colOperator+10, mid, full, colApp, mid, ceiling))
	w.shape("pic-operator", "The operator registers the app and sets its ceiling", bar(colOperator, top, 10, full, 2))
	w.shape("pic-app", "App "+w.p.Frame.App, bar(colApp, mid-ceiling/2, 8, ceiling, 2))
	x := (colOperator + 10 + colApp) / 2
	w.textMid(x, mid-14, "pic-note", "ceiling")
	w.textMid(x, mid+10, "pic-number", strconv.Itoa(len(w.p.Frame.Ceiling)))
	w.textMid(x, mid+26, "pic-note", "scopes")
	y := mid - ceiling/2 + strandApp/2
	for _, l := range w.lanes {
		y = w.strands(l, y)
	}
}

// strands draws a lane's scopes from the app, the first at y, to the agent and the
// gate. It returns the position of the next lane's first strand.
func (w panel) strands(l placed, y float64) float64 {
	fill := w.id + "-" + l.Category
	w.fades = append(w.fades, fade{id: fill, from: "pic-fade-app", to: "pic-fade-" + l.Category, x0: colApp + 8, x1: colAgent})
	for i, r := range l.rows {
		if r.delegated {
			continue
		}
		h, look, fresh := r.thickness(), "pic-"+string(r.look), w.fresh(r.seq)
		x := colAgent
		if r.look.stops() {
			x -= 16
		}
		flow := shape{path: ribbon(colApp+8, y, strandApp-1, x, l.mid[i], h), class: classes("pic-strand", look, fresh)}
		if r.look == alive || r.look == severed {
			flow.fill = fill
		}
		band := shape{class: classes("pic-band", look, "pic-"+l.Category, fresh), hint: r.label,
			path: bar(colAgent+upright, l.mid[i]-h/2, colGate-colAgent-upright, h, 0)}
		w.living(r.expires, flow, band)
		if r.look == severed {
			w.shape(classes("pic-severed", fresh), "", path("M", x+2, l.mid[i]+8, "l", 5, -16, "m", 1, 16, "l", 5, -16))
		}
		y += strandApp
	}
	return y
}

// uprights draws the column heads, the gate and the records.
func (w panel) uprights() {
	who := "agents"
	if id := w.p.Patient.ID; id != "" {
		who += " for " + ends(id, 14)
	}
	if w.p.Patient.Unknown {
		who += ", not in the records"
	}
	w.text(colOperator, 13, "pic-col", "operator")
	w.text(colApp, 13, "pic-col", "app")
	w.text(colAgent, 13, "pic-col", who)
	w.textMid(colGate+upright/2, 13, "pic-col pic-col-gate", "gate")
	w.textEnd(wideWidth, 13, "pic-col", "records")
	top := wideMetrics.top
	w.shape("pic-gate", "The gate: the broker validates the token, then its scopes are compared with what the call needs",
		bar(colGate, top-4, upright, w.end-top+4, 0))
	w.shape("pic-records", "The records check the token again", bar(colRecords, top, wideWidth-colRecords, w.end-top, 2))
}

// agent draws a lane's upright and its texts.
func (w panel) agent(l placed) {
	look, expires := "pic-"+string(l.Agent.look(w.p.Now)), l.Agent.expires(w.p.Now)
	w.living(expires, shape{class: classes("pic-agent", look, "pic-"+l.Category, w.fresh(l.Agent.Seq)), hint: l.Agent.SPIFFEID,
		path: bar(colAgent, l.y+wideMetrics.head, upright, float64(len(l.rows))*wideMetrics.pitch-1, 2)})
	y := l.y + wideMetrics.head/2 + 1
	w.life(colAgent+8, y, 7.5, l.Agent)
	w.say(expires, label{x: colAgent + 22, y: y + 4.5, anchor: "start",
		class: classes("pic-name", look), text: text.Capitalize(l.Category), more: w.state(l.Agent)})
	for i, r := range l.rows {
		x := colAgent + upright + 8
		if r.delegated {
			x += 12
		}
		w.say(r.expires, label{x: x, y: l.mid[i] + 4.2, anchor: "start",
			class: classes("pic-scope", "pic-"+string(r.look)), text: cut(r.label, 20)})
	}
}

func (w panel) legend() {
	n, y := w.p.Counts(), w.h-9
	w.legendItem(8, y, signAllowed, n.Allowed)
	w.legendItem(96, y, signDenied, n.Denied)
	w.legendItem(180, y, signDelegated, n.Delegated)
	w.legendItem(282, y, signAlive, n.Alive)
	w.legendItem(354, y, signEnded, n.Ended)
	w.textEnd(wideWidth, y, "pic-outcome", w.p.outcome())
}

func (r row) thickness() float64 {
	switch {
	case r.delegated:
		return strandDelegated
	case r.wild:
		return strandAll
	}
	return strandOne
}
