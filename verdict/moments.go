package verdict

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/devonartis/medassist-go/internal/text"
	"github.com/devonartis/medassist-go/trace"
)

// refusers says who blocked a call.
var refusers = map[trace.RefusedBy]string{
	trace.RefusedByGate:    "at the gate",
	trace.RefusedByBroker:  "by the broker",
	trace.RefusedByRecords: "by the records API",
}

// denied is the line of the calls that were blocked for want of a scope.
func (r *Run) denied() Line {
	last := r.denials[len(r.denials)-1]
	line := Line{Meaning: Denied, Seq: r.denials[0].seq}
	var others []string // patients that the token does not cover
	by := last.step.RefusedBy
	for _, d := range r.denials {
		if id := d.step.PatientID; id != r.info.PatientID && !slices.Contains(others, id) {
			others = append(others, id)
		}
		if d.step.RefusedBy != by {
			by = ""
		}
	}
	switch {
	case len(others) == 0:
		line.Lead = fmt.Sprintf("Token lacks %s.", list(last.step.MissingScope))
	case len(others) == 1 && r.toldBy(others[0], line.Seq) != "":
		line.Lead = fmt.Sprintf("%s told the model to fetch %s.", r.toldBy(others[0], line.Seq), others[0])
	case len(others) <= 2:
		line.Lead = fmt.Sprintf("Model asked for %s. Token covers %s.", list(others), r.info.PatientID)
	default:
		line.Lead = fmt.Sprintf("Model asked for %d other patients. Token covers %s.", len(others), r.info.PatientID)
	}
	line.Outcome = "Blocked"
	switch n := len(r.denials); {
	case n == 2:
		line.Outcome = "Both calls blocked"
	case n > 2:
		line.Outcome = fmt.Sprintf("All %d calls blocked", n)
	}
	if by != "" {
		line.Outcome += " " + refusers[by]
	}
	line.Outcome += "."
	return line
}

func (r *Run) refusedDelegation() Line {
	d := r.refused[0]
	line := Line{Meaning: Denied, Seq: d.seq, Outcome: "Broker refused the delegation."}
	if d.step.RefusedBy != trace.RefusedByBroker {
		line.Outcome = "The delegation was refused."
	}
	line.Lead = fmt.Sprintf("Clinical does not hold %s.", list(d.step.MissingScope))
	if len(d.step.MissingScope) == 0 {
		line.Lead = fmt.Sprintf("Clinical tried to delegate %s.", list(d.step.RequestedScope))
	}
	return line
}

// rejected is the line of a call whose token was no longer valid.
func (r *Run) rejected() Line {
	d := r.rejections[0]
	if len(r.revoked) > 0 {
		return r.revocation()
	}
	line := Line{Meaning: Denied, Seq: d.seq, Outcome: "The next call was denied.",
		Lead: text.Capitalize(d.step.Category) + " token is no longer valid."}
	if r.incident != nil && r.incident.step.Kind == trace.IncidentExpiry {
		line.Lead = fmt.Sprintf("Token expired after %s.", span(r.ttl[d.step.Credential]))
	}
	return line
}

// revocation is the line of what the operator revoked, and of what came of it.
func (r *Run) revocation() Line {
	first := r.revoked[0]
	line := Line{Meaning: Denied, Seq: first.seq}
	switch creds := first.step.Credentials; {
	case len(creds) == 1 && creds[0].Delegated:
		line.Lead = fmt.Sprintf("Operator revoked the delegated %s token.", creds[0].Category)
	case len(creds) == 1:
		line.Lead = fmt.Sprintf("Operator revoked the %s agent.", creds[0].Category)
	default:
		line.Lead = fmt.Sprintf("Operator revoked %s.", text.Count(len(creds), "token"))
	}
	denied := slices.ContainsFunc(r.rejections, func(x at[trace.TokenRejected]) bool { return x.seq > first.seq && r.wasRevoked(x.step.Credential) })
	var continued []string
	for _, c := range r.calls {
		if c.seq > first.seq && !r.wasRevoked(c.step.Credential) && !slices.Contains(continued, c.step.Category) {
			continued = append(continued, c.step.Category)
		}
	}
	left := slices.ContainsFunc(first.step.StillValid, func(c trace.Credential) bool { return !r.wasRevoked(c) })
	switch {
	case left:
		line.Outcome = "What it had delegated stayed valid at this broker."
	case denied && len(continued) > 0:
		line.Outcome = fmt.Sprintf("Its next call was denied; %s continued.", list(continued))
	case denied:
		line.Outcome = "The next call was denied."
	case r.complete != nil:
		line.Outcome = "No further call was made with it."
	}
	return line
}

// begun is the line of an incident that has just begun.
func (r *Run) begun(seq int64, s trace.Incident) Line {
	switch s.Kind {
	case trace.IncidentExpiry:
		return Line{Alive, text.Capitalize(s.Category) + " token is not renewed.", fmt.Sprintf("Expires after %s.", span(r.ttl[s.Credential])), seq}
	case trace.IncidentTheft:
		return Line{Denied, fmt.Sprintf("Attacker copies the %s token.", s.Category), "The private key stays with the agent.", seq}
	case trace.IncidentRevocation:
		return Line{Ended, fmt.Sprintf("Operator revokes the %s agent.", s.Category), "", seq}
	}
	return r.line
}

// used is the line of one use of a stolen token.
func (r *Run) used(seq int64, s trace.StolenTokenUsed) Line {
	if s.Authorized {
		return Line{Denied, fmt.Sprintf("Stolen token accepted for %s.", s.PatientID), "It is still valid.", seq}
	}
	if _, ok := r.released[s.Credential]; ok {
		return r.theft()
	}
	if s.RefusedBy == "" {
		return Line{Denied, fmt.Sprintf("Stolen token tried for %s.", s.PatientID), "The call failed.", seq}
	}
	return Line{Denied, fmt.Sprintf("Stolen token tried for %s.", s.PatientID), fmt.Sprintf("Blocked %s.", refusers[s.RefusedBy]), seq}
}

// theft is the line of everything that was tried with a stolen token.
func (r *Run) theft() Line {
	last := r.thefts[len(r.thefts)-1]
	line := Line{Meaning: Denied, Seq: last.seq, Lead: "Attacker tried the stolen token.", Outcome: "Every call was denied."}
	var reached []string
	for _, t := range r.thefts {
		if t.step.Authorized && !slices.Contains(reached, t.step.PatientID) {
			reached = append(reached, t.step.PatientID)
		}
	}
	if len(reached) == 0 {
		if slices.ContainsFunc(r.thefts, func(t at[trace.StolenTokenUsed]) bool { return t.step.RefusedBy == "" }) {
			line.Outcome = "No call succeeded."
		}
		return line
	}
	end, released := r.released[last.step.Credential]
	again := released && end < last.seq
	switch {
	case !released, again && last.step.Authorized:
		line.Lead, line.Outcome = fmt.Sprintf("Stolen token reached %s.", list(reached)), "It is still valid."
	case again && last.step.RefusedBy != "":
		line.Lead, line.Outcome = fmt.Sprintf("Stolen token reached %s, until release.", list(reached)), "Now every call is denied."
	default: // since its release it was not tried, or the call failed
		line.Lead, line.Outcome = fmt.Sprintf("Stolen token reached %s, until release.", list(reached)), ""
	}
	return line
}

func (r *Run) unknownPatient(seq int64) Line {
	return Line{Ended, fmt.Sprintf("Patient %s does not exist.", r.info.PatientID), "No record was read.", seq}
}

// majorInteraction returns the call that found a major interaction, if a
// prescription was not written despite it.
func (r *Run) majorInteraction() (found at[trace.ToolCall], ok bool) {
	for _, c := range r.calls {
		var out struct {
			Highest string `json:"highest_severity"`
		}
		if c.step.Tool == "write_prescription" {
			return found, false
		}
		if json.Unmarshal(c.step.Output, &out) == nil && out.Highest == "major" {
			found, ok = c, true
		}
	}
	return found, ok
}
