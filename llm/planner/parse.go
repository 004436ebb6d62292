package planner

import (
	"slices"
	"strings"
)

// understood is the result of parsing a request.
type understood struct {
	tasks     []task
	cannot    []string // what no tool does: "cancels a prescription"
	strangers []string // names that nobody is known by
	depends   bool     // a prescription depends on a condition
	unnamed   bool     // a prescription is requested without a drug
	greeted   bool
	cut       bool // the request was too long to be read whole
}

// understand parses a request in free wording. It reads it once, clause by clause. A
// verb begins a clause, so that "show labs and get records for P-2187" is about two
// patients, and "show labs and records for P-2187" about one.
func understand(request, patient string) understood {
	tokens, whole := tokenize(request)
	p := &parser{src: request, tokens: tokens, patient: patient, shouting: strings.ToUpper(request) == request}
	for p.i < len(p.tokens) {
		p.step()
	}
	p.endClause()
	p.out.cut = !whole
	all := slices.Clone(p.out.tasks)
	p.out.tasks = slices.DeleteFunc(p.out.tasks, func(t task) bool { // named before it is to be refilled
		return t.topic == safety && slices.ContainsFunc(all, func(o task) bool { return o.topic == refill && o.about == t.about })
	})
	if len(p.out.tasks)+len(p.out.cannot)+len(p.out.strangers) == 0 && p.vague && !p.out.unnamed {
		p.out.tasks = []task{{topic: chart, patient: patient}, {topic: labs, patient: patient}}
	}
	return p.out
}

type parser struct {
	src      string
	tokens   []token
	i        int
	from     int    // start of the phrase that ends before i
	patient  string // the run's
	shouting bool   // all letters are capitals
	out      understood

	clause     clause
	begin      int      // index of the clause's first token
	lead       []string // patients named before the first verb of a sentence; the whole sentence is about them
	last       clause   // the previous clause
	drug       string   // the drug named last
	who        string   // the patient or the stranger named last
	byName     bool     // by name, so that a pronoun must fit
	conditions bool     // the sentence has a condition
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
		if p.person() {
			return
		}
	}
	p.i++
	switch t.kind {
	case tokenWord:
		switch month, ok := months[t.text]; {
		case isDrug(t.text) || p.clause.expectsDrug && couldBeDrug(t.text):
			p.addDrug(t)
		case ok && (t.text != "may" || t.upper):
			p.clause.month = month
		}
	case tokenID:
		p.addPatient(t.text, 1)
	case tokenNumber:
		p.number(t.text)
	case tokenComma:
		p.negated = p.negated && !p.dropped
		p.clause.considered = p.clause.considered && p.clause.isWhole() // "Before we start, …"
	case tokenStop:
		if t.text == "?" && !p.clause.begun {
			p.clause.question = true
		}
		p.endClause()
		p.lead, p.considered, p.negated, p.conditions = nil, false, false, false
	}
}

// phrase handles a phrase of the lexicon.
func (p *parser) phrase(e *entry) {
	c := &p.clause
	switch e.kind {
	case verb:
		p.verb(e)
	case query:
		if before := p.tokens[max(p.from-1, 0)]; p.from > 0 && c.isWhole() && (before.kind == tokenComma || before.text == "and") {
			p.endClause()
		}
		c.question = c.question || !c.begun
		c.asks = c.asks || p.from == p.begin && asksYesOrNo(p.tokens[p.from].text)
	case hedge:
		p.considered = true
		c.considered = c.considered || !c.begun
	case condition:
		p.conditions = true
	case doubt:
		c.considered = true
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
		if p.peek(0).kind == tokenNumber && p.peek(0).end-p.peek(0).start > 2 { // "patient 2187"
			c.own = false
			p.i++
			p.addPatient(p.peek(-1).text, 2)
		}
	case pronoun:
		p.pronoun(p.peek(-1).text)
	case all:
		for _, id := range everyone(p.patient) {
			p.addPatient(id, p.i-p.from)
		}
	case others:
		for _, id := range everyone(p.patient)[1:] {
			p.addPatient(id, p.i-p.from)
		}
	case stranger:
		p.addStranger(p.src[p.tokens[p.from].start:p.tokens[p.i-1].end])
	case it:
		c.it = true
	case on: // "start her on …"
		if c.able&ableGive != 0 && c.isEmpty() {
			c.able |= ablePrescribe
			c.expectsDrug = true
		}
		c.taking = c.taking || c.question
		c.takes = c.takes || c.question && p.peek(0).kind == tokenStop
	case purpose:
		p.purpose()
	case frequency:
		p.setFrequency(p.src[p.tokens[p.from].start:p.tokens[p.i-1].end])
	case vague:
		p.vague = true
	case greeting:
		p.out.greeted = true
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
		c.wants = slices.DeleteFunc(c.wants, func(have task) bool { return slices.Contains(e.topics, have.topic) })
		return
	}
	c.expectsDrug = false
	switch e.kind {
	case want:
		p.want(e)
	case service:
		c.service = e.about
	case substance:
		c.substance = e.about
	case appointment:
		c.appointment = true
	case taking:
		c.taking = true
		c.takes = c.takes || strings.HasPrefix(p.tokens[p.from].text, "ta") || strings.HasPrefix(p.tokens[p.from].text, "us")
	case checking:
		c.checks = true
	case safe:
		c.safe = true
	case allergic:
		c.allergic = true
		c.wants = append(c.wants, task{topic: allergies})
	case prescription:
		c.prescription = true
	case claimIt:
		c.claim = true
	case claimNoun:
		if c.able&ableClaim != 0 && c.unable == nil || c.unable == sends {
			c.claim = true
		} else {
			c.wants = append(c.wants, task{topic: claims})
		}
	case noteThat:
		if c.note = true; p.peek(0).text == ":" {
			p.i++
			c.noteText = p.takeUntil(isLineEnd)
		} else {
			c.noteText = p.takeUntil(isStop)
		}
	case noteNoun:
		if c.able&ableNote != 0 || !c.begun && (p.peek(0).text == ":" || p.peek(-1).text == "note" && (p.noteFollows() || p.colonAhead())) {
			c.note, c.noteText = true, p.takeNote()
		} else {
			c.wants = append(c.wants, task{topic: visits})
		}
	case codes:
		c.codes = true
		if isArticle(p.peek(-1).text) || p.peek(-1).text == "this" { // "code the visit"
			c.coded = p.takePhrase()
		}
	}
}

// want handles a phrase that names data.
func (p *parser) want(e *entry) {
	c := &p.clause
	if e.topics[0] == chart && c.able&ableNote != 0 && c.able&look == 0 { // "add to the chart that …"
		if text := p.takeNote(); text != "" {
			c.note, c.noteText = true, text
			return
		}
	}
	if p.peek(-1).text == "record" && p.peek(0).text == ":" && !c.begun { // "please record: …"
		p.i++
		c.note, c.noteText = true, p.takeUntil(isLineEnd)
		return
	}
	for _, t := range e.topics {
		if !c.refers || !t.isSoft() && t != test {
			c.wants = append(c.wants, task{topic: t, about: e.about})
		}
	}
}

// verb begins a clause. A negation covers only the first verb after it.
func (p *parser) verb(e *entry) {
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
	c.able |= e.able
	if c.unable == nil || e.able == 0 {
		c.unable = e.unable
	}
	c.expectsDrug = e.able == ablePrescribe
	c.considered = c.considered || p.considered
	p.considered = false
	switch next := p.peek(0); {
	case e.able&ableNote == 0:
	case next.text == ":": // "document: …"
		p.i++
		c.note, c.noteText = true, p.takeUntil(isLineEnd)
	case next.kind == tokenQuote: // "write "…" in the chart"
		p.i++
		c.note, c.noteText = true, p.takeUntil(isQuote)
	}
}

// endClause turns the clause into tasks and begins the next one.
func (p *parser) endClause() {
	c := p.clause
	p.clause, p.begin = clause{}, p.i
	if p.conditions && c.prescribes() && len(c.drugs) > 0 {
		c.considered, p.out.depends = true, true
	}
	if c.able&ableRefill != 0 && c.it && len(c.drugs) == 0 && p.drug != "" { // "refill it"
		c.drugs = []task{{about: p.drug}}
	}
	if c.lacksDrug() {
		p.out.unnamed = true
		return
	}
	if c.isEmpty() {
		p.complete(&c)
	}
	cannot := c.cannot()
	if cannot != "" {
		c.strangers = nil
	}
	for _, name := range c.strangers {
		if !slices.Contains(p.out.strangers, name) {
			p.out.strangers = append(p.out.strangers, name)
		}
	}
	if c.isEmpty() {
		return
	}
	p.last = c
	if cannot != "" {
		if !slices.Contains(p.out.cannot, cannot) {
			p.out.cannot = append(p.out.cannot, cannot)
		}
		others := slices.ContainsFunc(c.patients, func(id string) bool { return id != p.patient })
		if !c.unable.isOutward() || !others {
			return
		}
		if len(c.wants) == 0 {
			c.wants = []task{{topic: chart}}
		}
		c.drugs = nil
	}
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
	again := func() {
		patients, self := c.patients, c.own
		*c = p.last
		c.own, c.patients = self, patients
	}
	switch {
	case c.it && p.drug != "" && c.able&(ablePrescribe|ableRefill) != 0: // "check Ibuprofen, then prescribe it"
		c.drugs = []task{{about: p.drug, dose: c.dose}}
	case c.it && p.drug != "" && (c.safe || c.checks) && c.question:
		c.drugs = []task{{about: p.drug}}
	case c.prescription: // "show her prescription"
		c.wants = []task{{topic: medications}}
	case elsewhere && !p.last.isEmpty(): // "… and also for P-2187"
		again()
	case c.own && !c.begun && len(p.last.patients) > 0 && !slices.Contains(p.last.patients, p.patient): // "Robert's labs as well as hers"
		again()
	case c.month != "" && (c.question || c.able&look != 0):
		c.wants = []task{{topic: visits}}
	case elsewhere, c.begun && len(c.patients) > 0:
		c.wants = []task{{topic: chart}}
	}
}
