package picture

import (
	"slices"
	"strconv"
	"strings"

	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/trace"
)

// A lane is shown as rows, one for each scope that it may hold. A row has no
// coordinates: both layouts draw the same rows.

// A look is how a strand is drawn. It is also its class in the stylesheet.
type look string

const (
	ghost   look = "ghost"  // reserved, not issued
	alive   look = "alive"  // issued and active
	ended   look = "ended"  // released or expired: faded and crossed out
	severed look = "cut"    // revoked: cut at the agent's edge
	failed  look = "failed" // requested and refused by the broker
)

type row struct {
	label     string
	wild      bool // the identifier stays "*", so the strand does not taper
	delegated bool
	look      look
	pass      *pass
	stops     [2]stop // at the gate, at the records
	key       string
	seq       int64 // of the event that last changed the strand
	expires   int64 // when an alive one expires, Unix milliseconds
}

// A pass is an allowed call on a strand.
type pass struct {
	tool string // the last one; empty on further strands of the same call
	more string // "×2", "+1" or nothing
	n    int
	seq  int64
}

// A stop is a denied call on a strand, at one place.
type stop struct {
	by   trace.RefusedBy
	text string // why the last one was denied
	n    int
	seq  int64
}

// The places of a row's stops. A denial by the broker is drawn at the gate.
const (
	atGate = iota
	atRecords
)

// rows returns the rows of a lane, delegated scopes first, since they come from the
// lane above.
func (l Lane) rows(p *Picture) []row {
	var rows []row
	for _, scope := range l.Plan.Delegated {
		rows = append(rows, strand(scope, l.Delegated, true, p))
	}
	for _, scope := range l.Scopes {
		rows = append(rows, strand(scope, l.Agent, false, p))
	}
	for _, c := range l.Calls {
		if c.Allowed() {
			letPass(rows, c)
		} else {
			stopAt(rows, c, p)
		}
	}
	return rows
}

// strand returns the row of a planned scope with the state of the credential.
func strand(plan string, c Credential, delegated bool, p *Picture) row {
	r := row{key: resource(plan), label: resource(plan), delegated: delegated, look: ghost,
		wild: identifier(plan) == wire.Wildcard, seq: c.Seq}
	if r.wild {
		r.label = plan
	}
	if c.State == Denied || c.State == Failed {
		r.look = failed
	}
	held := slices.IndexFunc(c.Scope, func(s string) bool { return resource(s) == r.key })
	if held < 0 || r.look == failed {
		return r
	}
	r.label = brief(c.Scope[held], p.Patient.ID)
	r.wild = identifier(c.Scope[held]) == wire.Wildcard
	switch c.StateAt(p.Now) {
	case Alive:
		r.look, r.expires = alive, c.expires(p.Now)
	case Released, Expired:
		r.look = ended
	case Revoked:
		r.look = severed
	}
	return r
}

// letPass adds an allowed call to every strand that it required, with its name on
// the first.
func letPass(rows []row, c Call) {
	tool := c.Tool
	for _, need := range c.Required {
		i := find(rows, need, c.Delegated)
		if i < 0 {
			continue
		}
		now := pass{tool: tool, n: 1, seq: c.Seq}
		if before := rows[i].pass; before != nil {
			now.add(*before)
		}
		rows[i].pass = &now
		tool = ""
	}
}

// add adds the calls that passed on the strand before.
func (p *pass) add(before pass) {
	p.n += before.n
	switch {
	case p.tool == "":
		p.tool, p.more = before.tool, before.more
	case before.tool == "":
	case before.tool == p.tool && !strings.HasPrefix(before.more, "+"):
		p.more = "×" + strconv.Itoa(p.n)
	default:
		p.more = "+" + strconv.Itoa(p.n-1)
	}
}

// stopAt adds a denied call to the strand that it would have required.
func stopAt(rows []row, c Call, p *Picture) {
	i := -1
	for _, need := range slices.Concat(c.Missing, c.Required) {
		if i = find(rows, need, c.Delegated); i >= 0 {
			break
		}
	}
	if i < 0 {
		i = len(rows) - 1 // nothing like it is planned for this lane
	}
	if i < 0 {
		return
	}
	place := atGate
	if c.RefusedBy == trace.RefusedByRecords {
		place = atRecords
	}
	rows[i].stops[place] = stop{by: c.RefusedBy, n: rows[i].stops[place].n + 1, seq: c.Seq,
		text: c.obstacle(p.Patient.ID)}
}

// find returns the row of a scope's resource, preferably one held in the given way.
func find(rows []row, scope string, delegated bool) int {
	match := -1
	for i, r := range rows {
		if r.key != resource(scope) {
			continue
		}
		if match < 0 || r.delegated == delegated {
			match = i
		}
	}
	return match
}
