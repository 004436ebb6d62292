package planner

import (
	"slices"
	"strings"
)

// A task is one tool call that a request asks for.
type task struct {
	tool    string
	patient string
	drug    string

	dose, frequency, indication string   // of a prescription
	text                        string   // of a note; the service to code
	codes                       []string // to claim

	injected bool // requested by a tool's result, not by the user
}

// same reports whether two tasks are one tool call.
func (t task) same(o task) bool {
	return t.tool == o.tool && strings.EqualFold(t.patient, o.patient) && strings.EqualFold(t.drug, o.drug)
}

// args returns the arguments of the tool call.
func (t task) args() map[string]any {
	args := map[string]any{"patient_id": t.patient}
	drug := "drug"
	if t.tool == toolCheck {
		drug = "proposed_drug"
	}
	for key, value := range map[string]string{drug: t.drug, "dose": t.dose, "frequency": t.frequency, "indication": t.indication} {
		if value != "" {
			args[key] = value
		}
	}
	switch {
	case t.text == "":
	case t.tool == toolCodes:
		args["procedures"] = []string{t.text}
	default:
		args["notes"] = t.text
	}
	if len(t.codes) > 0 {
		args["billing_codes"] = t.codes
	}
	return args
}

// A clause is what one part of a request says.
type clause struct {
	able       able // of its verbs
	begun      bool // a verb started it
	considered bool // it asks whether to do something
	question   bool // likewise

	own      bool     // it says "this patient"
	patients []string // other patients that it names
	idFirst  bool     // before anything else

	wants []string // tools that read

	drugs        []task // names and doses
	dose         string // of the next drug
	frequency    string
	indication   string
	prescription bool // the noun is in it
	checks       bool // words for an interaction check are in it
	it           bool // it may refer to the drug named last
	expectsDrug  bool // the next word that can be a drug is taken as one

	note, codes, claim bool
	noteText, service  string
	claimCodes         []string
}

// isEmpty reports whether the clause requests nothing.
func (c *clause) isEmpty() bool {
	return len(c.wants)+len(c.drugs) == 0 && !c.note && !c.codes && !c.claim
}

// isWhole reports whether a following verb or "also" begins another clause.
func (c *clause) isWhole() bool { return !c.isEmpty() || c.begun && len(c.patients) > 0 }

// prescribes reports whether the clause asks to prescribe its drugs, not only to
// check them.
func (c *clause) prescribes() bool {
	switch {
	case c.considered || c.note:
		return false
	case c.able&ablePrescribe != 0:
		return true
	case c.checks || c.question:
		return false
	}
	return c.able&ableGive != 0 || c.prescription && c.able&look == 0
}

// about returns the patients that the clause is about.
func (c *clause) about(own string, lead []string) []string {
	switch {
	case len(c.patients) == 0 && len(lead) > 0 && !c.own:
		return lead
	case len(c.patients) == 0:
		return []string{own}
	case c.own && !slices.Contains(c.patients, own):
		return append([]string{own}, c.patients...)
	}
	return c.patients
}

// tasks returns the tool calls that the clause requests for one patient.
func (c *clause) tasks(patient string) []task {
	var out []task
	for _, tool := range c.wants {
		out = append(out, task{tool: tool, patient: patient})
	}
	if prescribes := c.prescribes(); prescribes || c.checks || len(c.wants) == 0 && !c.note {
		for _, d := range c.drugs {
			out = append(out, task{tool: toolCheck, patient: patient, drug: d.drug})
			if prescribes {
				out = append(out, task{tool: toolPrescribe, patient: patient, drug: d.drug, dose: d.dose,
					frequency: c.frequency, indication: c.indication})
			}
		}
	}
	if c.codes {
		out = append(out, task{tool: toolCodes, patient: patient, text: c.service})
	}
	if c.claim {
		out = append(out, task{tool: toolClaim, patient: patient, codes: c.claimCodes})
	}
	if c.note {
		out = append(out, task{tool: toolNote, patient: patient, text: c.noteText})
	}
	return out
}
