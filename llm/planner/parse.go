package planner

import (
	"slices"
	"strings"
)

// understood is the result of parsing a request.
type understood struct {
	tasks   []task
	unnamed bool // a prescription is requested without a drug
}

// understand parses a request in free wording. It reads it once, clause by clause. A verb begins a clause, so that "show
// labs and get records for P-2187" is about two patients, and "show labs and
// records for P-2187" about one.
func understand(request, patient string) understood {
	p := &parser{src: request, tokens: tokenize(request), patient: patient}
	for p.i < len(p.tokens) {
		p.step()
	}
	p.endClause()
	if len(p.out.tasks) == 0 && p.vague {
		p.out.tasks = []task{{tool: toolRecords, patient: patient}, {tool: toolLabs, patient: patient}}
	}
	return p.out
}

type parser struct {
	src     string
	tokens  []token
	i       int
	from    int    // start of the phrase that ends before i
	patient string // the run's
	out     understood

	clause     clause
	lead       []string // patients named before the first verb of a sentence; the whole sentence is about them
	last       clause   // the previous clause
	drug       string   // the drug named last
	considered bool     // the next verb is only being considered
	vague      bool     // an overview is requested
	negated    bool     // what follows is not wanted
	dropped    bool     // something was skipped since the negation
}

// step consumes the next token or phrase.
func (p *parser) step() {
	t := p.peek(0)
	if t.kind == tokenWord {
		if e, n := lookUp(p.tokens[p.i:]); e != nil {
			p.from, p.i = p.i, p.i+n
			p.phrase(e)
			return
		}
	}
	p.i++
	switch t.kind {
	case tokenWord:
		if isDrug(t.text) || p.clause.expectsDrug && couldBeDrug(t.text) {
			p.addDrug(t.text)
		}
	case tokenID:
		p.addPatient(t.text)
	case tokenNumber:
		p.number(t.text)
	case tokenComma:
		p.negated = p.negated && !p.dropped
		p.clause.considered = p.clause.considered && p.clause.isWhole() // "Before we start, …"
	case tokenStop:
		p.endClause()
		p.lead, p.considered, p.negated = nil, false, false
	}
}

// phrase handles a phrase of the lexicon.
func (p *parser) phrase(e *entry) {
	c := &p.clause
	switch e.kind {
	case verb:
		p.verb(e.able)
	case query:
		c.question = c.question || !c.begun
	case hedge:
		p.considered = true
	case not:
		p.negated, p.dropped = p.peek(0).kind != tokenComma, false // "No, …" is an answer
	case instead:
		p.negated = false
	case also:
		if c.isWhole() {
			p.endClause()
		}
	case own:
		c.own = c.own || p.peek(0).kind != tokenID
	case it:
		c.it = true
	case on: // "start her on …"
		if c.able&ableGive != 0 && c.isEmpty() {
			c.able |= ablePrescribe
			c.expectsDrug = true
		}
	case purpose:
		p.purpose()
	case frequency:
		c.frequency = p.src[p.tokens[p.from].start:p.tokens[p.i-1].end]
	case vague:
		p.vague = true
	case skip, then:
	default:
		p.object(e)
	}
}

// object handles a phrase that names something, unless it is negated.
func (p *parser) object(e *entry) {
	c := &p.clause
	if p.negated {
		p.dropped = true
		c.wants = slices.DeleteFunc(c.wants, func(have string) bool { return slices.Contains(e.tools, have) })
		return
	}
	c.expectsDrug = false
	switch e.kind {
	case want:
		c.wants = append(c.wants, e.tools...)
	case interactions:
		c.checks = true
	case allergic:
		c.checks = true
		c.wants = append(c.wants, toolRecords)
	case prescription:
		c.prescription = true
	case claimIt:
		c.claim = true
	case claimNoun:
		if c.able&ableClaim != 0 {
			c.claim = true
		} else {
			c.wants = append(c.wants, toolBilling)
		}
	case noteThat:
		c.note, c.noteText = true, p.takeUntil(isStop)
	case noteNoun:
		if c.able&ableNote != 0 {
			c.note, c.noteText = true, p.takeNote()
		} else {
			c.wants = append(c.wants, toolRecords)
		}
	case codes:
		c.codes = true
		if isArticle(p.peek(-1).text) || p.peek(-1).text == "this" { // "code the visit"
			c.service = p.takePhrase()
		}
	}
}

// verb begins a clause. A negation covers only the first verb after it.
func (p *parser) verb(a able) {
	if p.negated && !p.dropped {
		p.dropped = true
		return
	}
	p.negated = false
	c := &p.clause
	if c.isWhole() {
		p.endClause()
	} else if !c.begun && len(c.patients) > 0 {
		p.lead = c.patients
	}
	c.begun = true
	c.able |= a
	c.expectsDrug = a == ablePrescribe
	c.considered = c.considered || p.considered
	p.considered = false
}

// addPatient handles a patient ID. In "P-1042's records, P-2187's labs" the second one
// begins a clause.
func (p *parser) addPatient(id string) {
	if p.negated {
		p.dropped = true
		return
	}
	if p.clause.idFirst && len(p.clause.wants) > 0 {
		p.endClause()
	}
	c := &p.clause
	c.idFirst = c.idFirst || !c.isWhole()
	if !slices.Contains(c.patients, id) {
		c.patients = append(c.patients, id)
	}
}

func (p *parser) addDrug(word string) {
	c := &p.clause
	c.expectsDrug = false
	if p.negated {
		p.dropped = true
		return
	}
	p.drug = drugName(word)
	if !slices.ContainsFunc(c.drugs, func(have task) bool { return have.drug == p.drug }) {
		c.drugs = append(c.drugs, task{drug: p.drug, dose: c.dose})
	}
	c.dose = ""
}

// number handles a dose, a duration, or a code to claim.
func (p *parser) number(n string) {
	c := &p.clause
	unit := p.peek(0)
	switch before := p.peek(-2); {
	case isDoseUnit(unit.text):
		p.i++
		if last := len(c.drugs) - 1; last >= 0 && c.drugs[last].dose == "" {
			c.drugs[last].dose = n + " " + unit.text
		} else {
			c.dose = n + " " + unit.text
		}
	case isTimeUnit(unit.text): // "every 8 hours", "twice daily for 7 days"
		if before.text == "every" || before.text == "for" && c.frequency != "" {
			c.frequency = strings.TrimSpace(c.frequency + " " + p.src[before.start:unit.end])
		}
	case c.claim && len(n) == 5:
		c.claimCodes = append(c.claimCodes, n)
	}
}

// purpose handles what follows "for": the indication of a drug, or a service to code.
func (p *parser) purpose() {
	c := &p.clause
	c.expectsDrug = false
	switch {
	case c.codes && c.service == "":
		c.service = p.takePhrase()
	case len(c.drugs) > 0 && c.indication == "":
		c.indication = p.takePhrase()
	}
}

// endClause turns the clause into tasks and begins the next one.
func (p *parser) endClause() {
	c := p.clause
	p.clause = clause{}
	if c.isEmpty() {
		p.complete(&c)
	}
	if c.isEmpty() {
		return
	}
	p.last = c
	for _, patient := range c.about(p.patient, p.lead) {
		for _, t := range c.tasks(patient) {
			if !slices.ContainsFunc(p.out.tasks, t.same) {
				p.out.tasks = append(p.out.tasks, t)
			}
		}
	}
}

// complete fills in what an incomplete clause takes from earlier ones.
func (p *parser) complete(c *clause) {
	elsewhere := slices.ContainsFunc(c.patients, func(id string) bool { return id != p.patient })
	switch {
	case c.it && p.drug != "" && c.able&ablePrescribe != 0: // "check Ibuprofen, then prescribe it"
		c.drugs = []task{{drug: p.drug, dose: c.dose}}
	case c.prescribes() && (c.prescription || c.able&ablePrescribe != 0):
		p.out.unnamed = true
	case c.prescription: // "show her prescription"
		c.wants = []string{toolRecords}
	case elsewhere && !p.last.isEmpty(): // "… and also for P-2187"
		patients := c.patients
		*c = p.last
		c.own, c.patients = false, patients
	case elsewhere, c.begun && len(c.patients) > 0:
		c.wants = []string{toolRecords}
	}
}
