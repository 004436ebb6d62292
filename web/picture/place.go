package picture

import (
	"fmt"
	"strconv"
	"time"

	"github.com/devonartis/medassist-go/trace"
)

// What both layouts share: lanes from top to bottom, and how a credential is
// turned into something drawn.

// placed is a lane with its heights.
type placed struct {
	Lane
	rows []row
	y    float64   // of its top
	mid  []float64 // of each row
	loan float64   // middle of the room below for what it lends, or 0
}

// metrics are the heights that a layout gives to things.
type metrics struct {
	top   float64 // of the first lane
	head  float64 // a lane's own line: ring, name, state
	pitch float64 // from row to row
	gap   float64 // between lanes
	loan  float64 // more above a lane that is lent something
}

func newScene(p *Picture, class string, m metrics) *scene {
	id := p.Frame.ID
	if id == "" {
		id = "picture"
	}
	s := &scene{p: p, id: id + "-" + class, class: "picture-" + class, title: p.Title(), desc: p.Description()}
	y := m.top
	for i, l := range p.Lanes {
		if len(l.Plan.Lent) > 0 && i > 0 {
			s.lanes[i-1].loan = y + m.loan/2 - 1
			y += m.loan
		}
		x := placed{Lane: l, rows: l.rows(p), y: y}
		y += m.head
		for range x.rows {
			x.mid = append(x.mid, y+m.pitch/2)
			y += m.pitch
		}
		s.lanes = append(s.lanes, x)
		s.end = y
		y += m.gap
	}
	return s
}

// stem finds the strand from which a loan branches off: the delegator's, or,
// before there is one, that of the lane that plans to hold the same scope.
func (s *scene) stem(category, key string) (l placed, y float64, ok bool) {
	for _, l := range s.lanes {
		for i, r := range l.rows {
			if r.key == key && !r.lent && (category == "" || l.Category == category) {
				return l, l.mid[i], true
			}
		}
	}
	return placed{}, 0, false
}

// keptBack is what the broker refused of a lane's delegations, oldest first.
func (s *scene) keptBack(l placed) []RefusedDelegation {
	var kept []RefusedDelegation
	for _, d := range s.p.Refused {
		if d.From == l.Category {
			kept = append(kept, d)
		}
	}
	return kept
}

// fresh marks what the last event changed, so that motion can say so.
func (s *scene) fresh(seq int64) string {
	if seq != 0 && seq == s.p.Seq {
		return "pic-new"
	}
	return ""
}

// life is a credential's sign: a ring that runs down, or the sign of its end.
func (s *scene) life(x, y, r float64, c Credential) {
	fresh := s.fresh(c.Seq)
	switch c.look(s.p.Now) {
	case alive:
		s.rings = append(s.rings, ring{x: x, y: y, r: r, class: classes("pic-ring pic-alive", fresh),
			ttl: c.ttl(s.p.Now), hint: c.sentence(s.p.Now)})
	case ghost:
		s.shape("pic-ring-ghost", "", circle(x, y, r))
	case failed:
		if c.State == Failed {
			s.shape("pic-ring-ghost", c.Trouble, circle(x, y, r))
			return
		}
		s.mark(x, y, signDenied, classes("pic-mark pic-denied", fresh), c.Trouble)
	default:
		s.mark(x, y, signEnded, classes("pic-mark pic-ended", fresh), c.sentence(s.p.Now))
	}
}

// state is how a credential is doing, in a word, with its time to live.
func (s *scene) state(c Credential) []word {
	look := c.look(s.p.Now)
	if c.Proof == StillValid {
		look = failed // what was to be dead and is not, must be seen
	}
	status := word{text: c.Status(s.p.Now), class: classes("pic-state", "pic-"+string(look), s.fresh(c.Seq))}
	if c.StateAt(s.p.Now) != Alive {
		return []word{status}
	}
	t := c.ttl(s.p.Now)
	status.ttl, status.then = &t, string(Expired)
	return []word{status, {text: clock(c.Expires.Sub(s.p.Now)), class: "pic-ttl", ttl: &t}}
}

// legendItem is one of the five signs with its word and how often it is drawn.
func (s *scene) legendItem(x, y float64, is sign, n int) {
	none := ""
	if n == 0 {
		none = "pic-none"
	}
	s.mark(x, y-4, is, classes("pic-mark pic-in-key", "pic-"+string(is), none), "")
	s.labels = append(s.labels, label{x: x + 13, y: y, anchor: "start", class: classes("pic-key", none),
		text: string(is) + " " + strconv.Itoa(n), count: is})
}

// outcome is the run's end in a few words.
func (p *Picture) outcome() string {
	switch {
	case p.Stopped != "":
		return cut(p.Stopped, 24)
	case p.Ended != nil && p.Ended.Outcome == trace.OutcomeInterrupted:
		return "interrupted"
	case p.Ended != nil && p.Ended.Unaccounted > 0:
		return fmt.Sprintf("%s unaccounted for", count(p.Ended.Unaccounted, "token"))
	case p.Ended != nil && p.Ended.AllRevoked:
		return "all tokens dead"
	case p.Broker != "":
		return "broker out of reach"
	}
	return ""
}

// look is how a credential is drawn at a time.
func (c Credential) look(now time.Time) look {
	switch c.StateAt(now) {
	case Alive:
		return alive
	case Released, Expired:
		return ended
	case Revoked:
		return severed
	case Denied, Failed:
		return failed
	}
	return ghost
}

// dies is when a living credential will end by itself, in Unix milliseconds.
func (c Credential) dies(now time.Time) int64 {
	if c.StateAt(now) != Alive {
		return 0
	}
	return c.Expires.UnixMilli()
}

// past is the class of a sign whose credential has ended.
func (l look) past() string {
	if l == ended || l == severed {
		return "pic-past"
	}
	return ""
}

func (c Credential) ttl(now time.Time) ttl {
	t := ttl{issued: c.Issued.UnixMilli(), expires: c.Expires.UnixMilli()}
	if life := c.Expires.Sub(c.Issued); life > 0 {
		t.left = min(max(float64(c.Expires.Sub(now))/float64(life), 0), 1)
	}
	return t
}

// stops reports whether a strand breaks off before it reaches the agent.
func (l look) stops() bool { return l == severed || l == failed }

// lends is what a loan narrows, in a few words.
func (r row) lends(to, from placed) string {
	verb := "delegates"
	if r.look != alive {
		verb = "delegated"
	}
	return fmt.Sprintf("%s %d of %d", verb, len(to.Lent.Scope), len(from.Agent.Scope))
}

// obstacles is what a row's refused calls ran into, in a few characters.
func (s stop) obstacles() string {
	if s.n > 1 {
		return s.text + " ×" + strconv.Itoa(s.n)
	}
	return s.text
}

// obstacle is what was kept back, in the words of its mark.
func (s *scene) obstacle(kept []RefusedDelegation) string {
	text := "broker: " + cut(kept[len(kept)-1].wanted(s.p.Patient.ID), 14)
	if len(kept) > 1 {
		text += " ×" + strconv.Itoa(len(kept))
	}
	return text
}
