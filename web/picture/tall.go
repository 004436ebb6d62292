package picture

import (
	"strconv"
	"strings"

	"github.com/devonartis/medassist-go/internal/text"
	"github.com/devonartis/medassist-go/trace"
)

// The tall layout is for a phone about 360 pixels wide. The ceiling is a trunk on
// the left side, which strands leave to the right, so that it gets thinner.
const (
	tallWidth   = 360.0
	tallFoot    = 56.0 // the legend, in two lines
	tallTrunk   = 8.0  // left edge
	tallStrand  = 5.0  // of the trunk's strands
	tallAgent   = 62.0
	tallGate    = 230.0
	tallRecords = 350.0
	tallBend    = 8.0 // radius
	tallLine    = 8.0 // from a row's middle down to its baseline
)

var tallMetrics = metrics{top: 104, head: 30, pitch: 30, gap: 6, delegation: 18}

// phone draws the tall layout.
type phone struct{ *scene }

func tall(p *Picture) scene {
	t := phone{newScene(p, "tall", tallMetrics)}
	t.w, t.h = tallWidth, t.end+tallFoot
	t.trunk()
	for _, l := range t.lanes {
		t.delegation(l)
	}
	for _, l := range t.lanes {
		t.agent(l)
		t.calls(l)
		t.refusals(l)
	}
	t.legend()
	return *t.scene
}

// trunk draws the operator, the app, and the strands from the app to the gates.
func (t phone) trunk() {
	strands := 0
	for _, l := range t.lanes {
		strands += len(l.Scopes)
	}
	width := float64(strands) * tallStrand
	t.text(tallTrunk, 14, "pic-col", "operator")
	t.shape("pic-operator", "", bar(tallTrunk, 20, tallWidth-2*tallTrunk, 8, 2))
	t.shape("pic-funnel", "", path("M", tallTrunk, 28, "V", 64, "h", width,
		"C", tallTrunk+width, 44, tallWidth-tallTrunk, 50, tallWidth-tallTrunk, 28, "Z"))
	t.shape("pic-app", "App "+t.p.Frame.App, bar(tallTrunk, 64, width, 6, 2))
	t.labels = append(t.labels, label{x: tallTrunk + width + 10, y: 72, anchor: "start", class: "pic-col", text: "app · ceiling",
		more: []word{{text: strconv.Itoa(len(t.p.Frame.Ceiling)), class: "pic-number"}, {text: "scopes"}}})
	who := "agents"
	if id := t.p.Patient.ID; id != "" {
		who = "for " + ends(id, 14)
	}
	if t.p.Patient.Unknown {
		who += ", unknown"
	}
	t.text(tallAgent, 98, "pic-col", who)
	t.textMid(tallGate+3, 98, "pic-col pic-col-gate", "gate")
	t.textEnd(tallWidth-tallTrunk, 98, "pic-col", "records")

	x := tallTrunk + width - tallStrand/2
	for _, l := range t.lanes {
		for i, r := range l.rows {
			if r.delegated {
				continue
			}
			t.strand(l, r, x, l.mid[i]+tallLine)
			x -= tallStrand
		}
	}
}

// strand draws a strand from the trunk at x to the gate at y.
func (t phone) strand(l placed, r row, x, y float64) {
	class := classes("pic-line", "pic-"+string(r.look), "pic-"+l.Category, t.fresh(r.seq))
	end := tallAgent
	if r.look.stops() {
		end -= 10
	}
	if r.look == severed {
		t.shape(classes("pic-severed", t.fresh(r.seq)), "", path("M", end+1, y+6, "l", 4, -12, "m", 1, 12, "l", 4, -12))
	}
	trunk := shape{class: class + " pic-trunk", path: path("M", x, 70, "V", y-tallBend, "q", 0, tallBend, tallBend, tallBend, "H", end)}
	if r.look.stops() {
		class = "pic-line pic-ghost"
	}
	if r.wild {
		class += " pic-wild"
	}
	t.living(r.expires, trunk, shape{class: class, hint: r.label, path: path("M", tallAgent, y, "H", tallGate)})
}

// agent draws a lane's texts, its upright and its part of the gate.
func (t phone) agent(l placed) {
	look, expires := "pic-"+string(l.Agent.look(t.p.Now)), l.Agent.expires(t.p.Now)
	y := l.y + tallMetrics.head/2 + 3
	t.life(tallAgent+9, y, 8, l.Agent)
	t.say(expires, label{x: tallAgent + 26, y: y + 5, anchor: "start", class: classes("pic-name", look), text: text.Capitalize(l.Category)})
	t.labels = append(t.labels, label{x: tallWidth - tallTrunk, y: y + 5, anchor: "end", more: t.state(l.Agent)})
	if len(l.rows) == 0 {
		return
	}
	top, height := l.mid[0]-10, float64(len(l.rows)-1)*tallMetrics.pitch+22
	t.living(expires, shape{class: classes("pic-agent", look, "pic-"+l.Category), hint: l.Agent.SPIFFEID, path: bar(tallAgent, top, 4, height, 2)})
	t.shape("pic-gate", "", bar(tallGate, top, 6, height, 0))
	t.shape("pic-records", "", bar(tallRecords, top, 6, height, 2))
	for i, r := range l.rows {
		x, class := tallAgent+8, classes("pic-scope", "pic-"+string(r.look))
		if r.delegated && l.Delegated.issued() {
			t.life(x+5, l.mid[i]-6, 5, l.Delegated)
			x, class = x+13, class+" pic-halo" // the delegation passes behind it
		}
		t.say(r.expires, label{x: x, y: l.mid[i] - 2, anchor: "start", class: class, text: cut(r.label, 19)})
	}
}

func (t phone) calls(l placed) {
	for i, r := range l.rows {
		y := l.mid[i] + tallLine
		if r.pass != nil {
			fresh := t.fresh(r.pass.seq)
			t.shape(classes("pic-pass pic-pass-line", fresh), "", bar(tallGate+6, y-2, tallRecords-tallGate-6, 4, 0))
			t.mark(tallGate+3, y, signAllowed, classes("pic-mark pic-allowed", fresh), "Allowed: "+r.pass.tool)
			t.text(tallGate+13, l.mid[i]-2, "pic-short", short(r.pass.tool, r.pass.more))
		}
		for place, s := range r.stops {
			if s.n > 0 {
				t.stopped(place, y, r, s)
			}
		}
	}
}

func (t phone) stopped(place int, y float64, r row, s stop) {
	wall, fresh := tallGate, t.fresh(s.seq)
	if place == atRecords {
		wall = tallRecords
	} else if r.pass != nil {
		wall -= 5
	}
	text := s.obstacles()
	width := monoWidth(text) + 28
	if s.by == trace.RefusedByRecords {
		t.shape(classes("pic-stop", fresh), "", bar(tallGate+6, y-2, wall-width-tallGate-6, 4, 0))
	}
	t.shape(classes("pic-stop", fresh), "", bar(wall-width, y-8, width-3, 16, 3))
	t.shape(classes("pic-stop", fresh), "", bar(wall-2, y-10, 8, 20, 0))
	t.mark(wall-10, y, signDenied, classes("pic-mark pic-denied", fresh), "")
	t.text(wall-width+7, y+4.2, classes("pic-stopped", fresh), text)
}

func (t phone) delegation(l placed) {
	for i, r := range l.rows {
		from, stem, ok := t.stem(l.Delegated.From, r.key)
		if !r.delegated || !ok {
			continue
		}
		stem, y := stem+tallLine, l.mid[i]+tallLine
		look, fresh := "pic-"+string(r.look), t.fresh(r.seq)
		const x = tallGate - 18
		t.living(r.expires, shape{class: classes("pic-loan pic-loan-line", look, fresh),
			path: path("M", x-24, stem, "C", x+10, stem, x-10, y, x+14, y, "H", tallGate)})
		if !l.Delegated.issued() {
			continue
		}
		t.mark(x-1, from.delegation+4, signDelegated, classes("pic-mark pic-delegated", r.look.past(), fresh), "")
		if len(t.deniedDelegations(from)) == 0 {
			t.say(r.expires, label{x: x - 12, y: from.delegation + 8, anchor: "end", class: classes("pic-lends", look, fresh), text: r.delegates(l, from)})
		}
	}
}

func (t phone) refusals(l placed) {
	kept := t.deniedDelegations(l)
	if len(kept) == 0 || len(l.mid) == 0 {
		return
	}
	stem := l.mid[len(l.mid)-1] + tallLine
	y := l.delegation + 4
	if l.delegation == 0 {
		y = stem
	}
	last, text := kept[len(kept)-1], t.obstacle(kept)
	const x = tallAgent + 20
	fresh := t.fresh(last.Seq)
	t.shape(classes("pic-broken pic-broken-line", fresh), "", path("M", x-12, stem, "Q", x-10, y, x+6, y))
	t.shape(classes("pic-stop", fresh), "", bar(x, y-8, monoWidth(text)+24, 16, 3))
	t.mark(x+7, y, signDenied, classes("pic-mark pic-denied", fresh), last.Reason)
	t.text(x+18, y+4.2, classes("pic-stopped", fresh), text)
}

func (t phone) legend() {
	n, y := t.p.Counts(), t.end+24
	t.legendItem(16, y, signAllowed, n.Allowed)
	t.legendItem(112, y, signDenied, n.Denied)
	t.legendItem(208, y, signDelegated, n.Delegated)
	t.legendItem(16, y+22, signAlive, n.Alive)
	t.legendItem(112, y+22, signEnded, n.Ended)
	t.textEnd(tallWidth-tallTrunk, y+22, "pic-outcome", cut(t.p.outcome(), 21))
}

// short returns a tool's name shortened for a phone.
func short(tool, more string) string {
	for _, verb := range []string{"get_", "check_", "generate_"} {
		tool = strings.TrimPrefix(tool, verb)
	}
	if more != "" {
		return cut(strings.ReplaceAll(tool, "_", " "), 14) + " " + more
	}
	return cut(strings.ReplaceAll(tool, "_", " "), 18)
}
