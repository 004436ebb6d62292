package picture

import (
	"fmt"
	"github.com/devonartis/medassist-go/internal/text"
	"strconv"
	"time"

	"github.com/devonartis/medassist-go/trace"
)

// This file holds what both layouts share: lanes from top to bottom, and how
// credentials are drawn.

// placed is a lane with its vertical positions.
type placed struct {
	Lane
	rows       []row
	y          float64   // of its top
	mid        []float64 // of each row
	delegation float64   // middle of the space below for its delegation, or 0
}

// metrics are the heights of a layout.
type metrics struct {
	top        float64 // of the first lane
	head       float64 // a lane's own line: ring, name, state
	pitch      float64 // from row to row
	gap        float64 // between lanes
	delegation float64 // additional space above a lane that receives a delegation
}

func newScene(p *Picture, class string, m metrics) *scene {
	id := p.Frame.ID
	if id == "" {
		id = "picture"
	}
	s := &scene{p: p, id: id + "-" + class, class: "picture-" + class, title: p.Title(), desc: p.Description()}
	y := m.top
	for i, l := range p.Lanes {
		if len(l.Plan.Delegated) > 0 && i > 0 {
			s.lanes[i-1].delegation = y + m.delegation/2 - 1
			y += m.delegation
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

// stem returns the strand from which a delegation branches off: the delegator's
// or, before there is one, that of the lane planned to hold the same scope.
func (s *scene) stem(category, key string) (l placed, y float64, ok bool) {
	for _, l := range s.lanes {
		for i, r := range l.rows {
			if r.key == key && !r.delegated && (category == "" || l.Category == category) {
				return l, l.mid[i], true
			}
		}
	}
	return placed{}, 0, false
}

// deniedDelegations returns the lane's delegations that were denied, oldest first.
func (s *scene) deniedDelegations(l placed) []RefusedDelegation {
	var kept []RefusedDelegation
	for _, d := range s.p.Refused {
		if d.From == l.Category {
			kept = append(kept, d)
		}
	}
	return kept
}

// fresh returns the class of what the last event changed, which is animated.
func (s *scene) fresh(seq int64) string {
	if seq != 0 && seq == s.p.Seq {
		return "pic-new"
	}
	return ""
}

// life draws a credential's sign: a ring that shows its remaining lifetime, or the
// sign of an ended credential.
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
			s.shape("pic-ring-ghost", c.Problem, circle(x, y, r))
			return
		}
		s.mark(x, y, signDenied, classes("pic-mark pic-denied", fresh), c.Problem)
	default:
		s.mark(x, y, signEnded, classes("pic-mark pic-ended", fresh), c.sentence(s.p.Now))
	}
}

// state returns a credential's state with its remaining lifetime.
func (s *scene) state(c Credential) []word {
	look := c.look(s.p.Now)
	if c.Proof == StillValid {
		look = failed // a released token that is still valid must stand out
	}
	status := word{text: c.Status(s.p.Now), class: classes("pic-state", "pic-"+string(look), s.fresh(c.Seq))}
	if c.StateAt(s.p.Now) != Alive {
		return []word{status}
	}
	t := c.ttl(s.p.Now)
	status.ttl, status.then = &t, string(Expired)
	return []word{status, {text: text.Clock(c.Expires.Sub(s.p.Now)), class: "pic-ttl", ttl: &t}}
}

// legendItem draws one of the five signs with its word and count.
func (s *scene) legendItem(x, y float64, is sign, n int) {
	none := ""
	if n == 0 {
		none = "pic-none"
	}
	s.mark(x, y-4, is, classes("pic-mark pic-in-key", "pic-"+string(is), none), "")
	s.labels = append(s.labels, label{x: x + 13, y: y, anchor: "start", class: classes("pic-key", none),
		text: string(is) + " " + strconv.Itoa(n), count: is})
}

// outcome returns how the run ended in a few words.
func (p *Picture) outcome() string {
	switch {
	case p.Stopped != "":
		return cut(p.Stopped, 24)
	case p.Ended != nil && p.Ended.Outcome == trace.OutcomeInterrupted:
		return "interrupted"
	case p.Ended != nil && p.Ended.Unaccounted > 0:
		return fmt.Sprintf("%s unaccounted for", text.Count(p.Ended.Unaccounted, "token"))
	case p.Ended != nil && p.Ended.AllRevoked:
		return "all tokens revoked"
	case p.Broker != "":
		return "broker unreachable"
	}
	return ""
}

// look returns how a credential is drawn at a time.
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

// expires returns when an active credential expires, in Unix milliseconds, or 0.
func (c Credential) expires(now time.Time) int64 {
	if c.StateAt(now) != Alive {
		return 0
	}
	return c.Expires.UnixMilli()
}

// past returns the class of a sign whose credential has ended.
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

// stops reports whether a strand ends before it reaches the agent.
func (l look) stops() bool { return l == severed || l == failed }

// delegates returns how a delegation narrows the scopes, in a few words.
func (r row) delegates(to, from placed) string {
	verb := "delegates"
	if r.look != alive {
		verb = "delegated"
	}
	return fmt.Sprintf("%s %d of %d", verb, len(to.Delegated.Scope), len(from.Agent.Scope))
}

// obstacles returns why a row's calls were denied, in a few characters.
func (s stop) obstacles() string {
	if s.n > 1 {
		return s.text + " ×" + strconv.Itoa(s.n)
	}
	return s.text
}

// obstacle returns what was denied, as its mark shows it.
func (s *scene) obstacle(kept []RefusedDelegation) string {
	text := "broker: " + cut(kept[len(kept)-1].wanted(s.p.Patient.ID), 14)
	if len(kept) > 1 {
		text += " ×" + strconv.Itoa(len(kept))
	}
	return text
}
