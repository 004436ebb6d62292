package twin

import (
	"fmt"
	"html"
	"slices"
	"strings"

	"github.com/devonartis/medassist-go/internal/text"
	"github.com/devonartis/medassist-go/tools"
	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/twin"
)

// A shape is a picture's size and the sizes within it, in units of its own.
type shape struct {
	name             string
	width, height    float64
	font             float64 // the smallest
	circle           float64 // radius of the key
	keyFolders       float64 // left edge of the folders beside the key
	lane, gate, gap  float64 // widths of the lane and the gate; space between folders
	folders, folderH float64 // left edge and height of the folders behind the gate
}

var (
	desk  = shape{"desk", 590, 236, 21, 54, 392, 284, 14, 8, 412, 50}
	phone = shape{"phone", 340, 196, 15, 40, 204, 178, 9, 6, 232, 42}
)

// A pen writes an SVG picture.
type pen struct{ strings.Builder }

func (p *pen) text(class string, x, y, size float64, s string) {
	fmt.Fprintf(p, `<text class="%s" x="%.1f" y="%.1f" font-size="%.1f">%s</text>`, class, x, y, size, html.EscapeString(s))
}

func (p *pen) path(class, d string) { fmt.Fprintf(p, `<path class="%s" d="%s"/>`, class, d) }

func (p *pen) rect(class string, x, y, w, h, r float64) {
	fmt.Fprintf(p, `<rect class="%s" x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="%.1f"/>`, class, x, y, w, h, r)
}

func (p *pen) use(symbol, class string, x, y, size float64) {
	fmt.Fprintf(p, `<use href="#i-%s" class="%s" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/>`, symbol, class, x-size/2, y-size/2, size, size)
}

// said writes why a call was stopped, where there is room for it.
func (p *pen) said(s shape, x, y float64, why string) {
	if s.name == desk.name {
		p.text("strong t-denied", x, y+s.font*0.35, s.font, why)
	}
}

// door is where the records API checks a token.
func (s shape) door() float64 { return s.folders - s.gate*2.4 }

// draw returns the picture of one side.
func draw(v View, shared bool, s shape) string {
	var p pen
	id := fmt.Sprintf("twin-%s-%t", s.name, shared)
	fmt.Fprintf(&p, `<svg class="hero twin-%s" viewBox="0 0 %g %g" role="img" aria-labelledby="%s"><title id="%s">%s</title>`,
		s.name, s.width, s.height, id, id, html.EscapeString(title(v.Result, shared)))
	if shared {
		s.key(&p, v.Result)
	} else {
		s.agents(&p, v.Result)
	}
	p.WriteString("</svg>")
	return p.String()
}

// title says what the picture shows.
func title(r twin.Result, shared bool) string {
	task, stolen := r.Reached(shared), r.Side(shared).Stolen()
	who := "With AgentWrit"
	if shared {
		who = "With one shared API key"
	}
	return fmt.Sprintf("%s the task reached %s, and an attacker %s.", who, orNobody(task), orNobody(stolen))
}

func orNobody(ids []string) string {
	if len(ids) == 0 {
		return "nobody"
	}
	return list(ids)
}

// y returns the top of a patient's folder.
func (s shape) y(i int) float64 { return 4 + float64(i)*(s.folderH+s.gap) }

// folder draws the records of a patient, and who opened them.
func (s shape) folder(p *pen, r twin.Result, i int, x float64, shared bool) {
	id, y, w := r.Patients[i].ID, s.y(i), s.width-2-x
	task, attacker := slices.Contains(r.Reached(shared), id), slices.Contains(r.Side(shared).Stolen(), id)
	class, ink, tag := "folder shut", "muted", ""
	switch {
	case task && attacker:
		tag = "both"
	case task:
		tag = "task"
	case attacker:
		tag = "stolen"
	}
	if tag != "" {
		class, ink = "folder", ""
		if shared {
			class, ink = "folder ink", "inv"
		}
	}
	p.path(class, fmt.Sprintf("M%.1f %.1fv%.1fq0-3 3-3h%.1fl7 7H%.1fq3 0 3 3v%.1fq0 3-3 3H%.1fq-3 0-3-3z", x, y+s.folderH-3, -(s.folderH-6), w*0.3, x+w-3, s.folderH-13, x+3))
	base := y + s.folderH*0.5 + s.font*0.45
	p.text("mono strong "+ink, x+s.font*0.6, base, s.font, id)
	if tag != "" {
		p.text("end "+ink, x+w-s.font*0.6, base, s.font, tag)
	}
}

// key draws the shared key, and a beam to each group of records that it opened.
func (s shape) key(p *pen, r twin.Result) {
	ids := opened(r, true)
	cx, cy := s.circle+4, s.height/2
	for i := 0; i < len(r.Patients); i++ {
		if !slices.Contains(ids, r.Patients[i].ID) {
			continue
		}
		last := i
		for last+1 < len(r.Patients) && slices.Contains(ids, r.Patients[last+1].ID) {
			last++
		}
		p.path("ink", fmt.Sprintf("M%.1f %.1fL%.1f %.1fV%.1fL%.1f %.1fz", cx, cy-s.circle*0.66, s.keyFolders+1, s.y(i)+6, s.y(last)+s.folderH, cx, cy+s.circle*0.66))
		if last-i >= 1 {
			s.beam(p, r, (s.y(i)+s.y(last)+s.folderH)/2)
		}
		i = last
	}
	fmt.Fprintf(p, `<circle class="ink" cx="%.1f" cy="%.1f" r="%.1f"/>`, cx, cy, s.circle)
	p.text("strong mid inv", cx, cy, s.font, "API key")
	p.text("mono mid inv", cx, cy+s.font*1.15, s.font, "…"+r.KeyPreview[max(0, len(r.KeyPreview)-4):])
	for i := range r.Patients {
		s.folder(p, r, i, s.keyFolders, true)
	}
}

// beam says how many requests with the key were accepted.
func (s shape) beam(p *pen, r twin.Result, y float64) {
	accepted, all := 0, len(r.AccessLog)
	for _, a := range r.AccessLog {
		if a.Status < 400 {
			accepted++
		}
	}
	x := (2*s.circle + s.keyFolders) / 2
	first := fmt.Sprintf("%d of %d", accepted, all)
	if accepted == all {
		first = "all " + text.Count(all, "request")
	}
	y = (y + s.height/2) / 2
	p.text("strong mid inv", x, y-s.font*0.1, s.font, first)
	p.text("strong mid inv", x, y+s.font*1.1, s.font, "accepted")
}

// A line is one row of the picture with agents: a call, or a use of the stolen token.
type line struct {
	who, verb, patient string
	outcome            twin.Outcome
	attacker           bool
	broker             bool // the broker refused the delegation that the call needs
	more               int  // further patients, with the same outcome
}

// maxCalls bounds the calls in the picture. Denials come before what was allowed.
const maxCalls = 4

// lines returns the rows of the picture.
func lines(r twin.Result) []line {
	var out []line
	for _, c := range r.Calls {
		l := line{who: agent(c.Tool), verb: "read", patient: c.Patient, outcome: c.Writ, broker: c.By == string(trace.RefusedByBroker)}
		if c.Writes {
			l.verb = "write"
		}
		if c.Patient != "" && !slices.Contains(out, l) {
			out = append(out, l)
		}
	}
	for i := 0; len(out) > maxCalls && i < len(out); i++ {
		if out[i].outcome != twin.OutcomeDenied {
			out = slices.Delete(out, i, i+1)
			i--
		}
	}
	out = out[:min(len(out), maxCalls)]
	for _, t := range r.Writ.Thefts {
		l := line{who: "Attacker", patient: t.Patient, outcome: t.Outcome, attacker: true}
		if n := len(out); n > 0 && out[n-1].attacker && out[n-1].outcome == t.Outcome && !t.After {
			out[n-1].more++
			continue
		}
		if !t.After {
			out = append(out, l)
		}
	}
	return out
}

// agent names the agent that a tool belongs to, in a word that fits its row.
func agent(tool string) string {
	t, _ := tools.ByName(tool)
	switch t.Category {
	case tools.Clinical:
		return "Clinical"
	case tools.Prescription:
		return "Rx"
	case tools.Billing:
		return "Billing"
	}
	return ""
}

// agents draws the calls of the agents and of the attacker, and what stopped them.
func (s shape) agents(p *pen, r twin.Result) {
	rows := lines(r)
	for i := range r.Patients {
		s.folder(p, r, i, s.folders, false)
	}
	if len(rows) == 0 {
		return
	}
	h := min(46*s.font/21, (s.height-8)/float64(len(rows)))
	y := 4.0
	attackers := 0
	for _, l := range rows {
		if l.attacker {
			attackers++
		}
	}
	if n := float64(len(rows) - attackers); n > 0 {
		p.rect("lane", 2, y, s.lane, n*h-3, 8)
	}
	if attackers > 0 {
		p.rect("lane attacker", 2, y+float64(len(rows)-attackers)*h, s.lane, float64(attackers)*h-3, 8)
	}
	gate := s.lane + 2 + s.gate*1.6
	if n := float64(len(rows) - attackers); n > 0 {
		p.rect("gate", gate-s.gate/2, 0, s.gate, n*h+2, 2)
	}
	if n := float64(attackers); n > 0 { // the attacker bypasses the gate, and meets the records API's own check
		p.rect("gate", s.door()-s.gate/2, y+float64(len(rows)-attackers)*h-2, s.gate, n*h+2, 2)
	}
	for i, l := range rows {
		at := gate
		if l.attacker {
			at = s.door()
		}
		s.line(p, r, l, at, y+float64(i)*h+h/2-1.5, h)
	}
}

// line draws one row.
func (s shape) line(p *pen, r twin.Result, l line, gate, y, h float64) {
	pill := min(h*0.8, s.font*1.65)
	label := l.patient
	if l.more > 0 {
		label = fmt.Sprintf("%d others", l.more+1)
	}
	wide := func(label string) float64 { return float64(len(label))*s.font*0.6 + pill*0.7 }
	if with := l.verb + " " + label; l.verb != "" && float64(len(l.who))*s.font*0.56+wide(with) < s.lane-s.font*1.2 {
		label = with
	}
	p.text("semi", s.font*0.5, y+s.font*0.35, s.font, l.who)
	w := wide(label)
	right := s.lane - s.font*0.25
	if l.broker {
		right -= s.gate * 2.3
	}
	class, ink, wire := "pill no", "on-denied", ""
	if l.outcome == twin.OutcomeAllowed {
		class, ink, wire = "pill", "", "w-allowed"
		if l.attacker {
			wire = "w-attacker"
		}
	}
	p.rect(class, right-w, y-pill/2, w, pill, pill/2)
	p.text("mono strong mid "+ink, right-w/2, y+s.font*0.35, s.font, label)
	size := s.gate * 2
	switch {
	case l.broker:
		// Nothing reached the gate.
		p.use("denied", "i-denied", s.lane-size*0.7, y, size*1.1)
		p.said(s, gate+size*0.6, y, "denied")
		return
	case wire == "":
		if l.attacker {
			p.path("w-attacker", fmt.Sprintf("M%.1f %.1fH%.1f", right, y, gate-s.gate))
		}
		p.rect("gate-shut", gate-s.gate/2-3, y-pill*0.6, s.gate+6, pill*1.2, 3)
		p.use("octagon", "halo", gate, y, size*1.3)
		p.use("denied", "i-denied", gate, y, size*1.1)
		if !l.attacker {
			p.said(s, gate+size*0.6, y, "denied")
		}
		return
	}
	i := slices.IndexFunc(r.Patients, func(x twin.Patient) bool { return x.ID == l.patient })
	to := y
	if i >= 0 {
		to = s.y(i) + s.folderH*0.55
		if l.attacker {
			to += s.folderH * 0.25
		}
	}
	turn := s.folders - s.font*0.75
	p.rect("hole", gate-s.gate/2-1, y-size*0.6, s.gate+2, size*1.2, 0)
	p.path(wire, fmt.Sprintf("M%.1f %.1fH%.1fV%.1fH%.1f", right, y, turn, to, s.folders-4))
	p.use("allowed", "i-allowed", gate, y, size)
	arrow := s.font * 0.4
	p.path("a-allowed", fmt.Sprintf("M%.1f %.1fL%.1f %.1fL%.1f %.1fz", s.folders-2-arrow*1.4, to-arrow, s.folders-2, to, s.folders-2-arrow*1.4, to+arrow))
}
