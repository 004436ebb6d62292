package planner

import "slices"

// addPatient handles a patient, named by the last n tokens. In "P-1042's records,
// P-2187's labs" the second one begins a clause.
func (p *parser) addPatient(id string, n int) {
	if p.negated {
		p.dropped = true
		return
	}
	before := p.peek(-1 - n)
	follows := p.peek(-1).possessive && (before.kind == tokenComma || before.text == "and") // "the chart, and P-2187's chart"
	if (p.clause.idFirst || follows) && len(p.clause.wants) > 0 && !slices.Contains(p.clause.patients, id) {
		p.endClause()
	}
	p.who, p.byName = id, p.peek(-1).kind != tokenID
	c := &p.clause
	c.idFirst = c.idFirst || !c.isWhole()
	if !slices.Contains(c.patients, id) {
		c.patients = append(c.patients, id)
	}
}

// pronoun resolves a pronoun: it refers to the patient named last if it can.
func (p *parser) pronoun(word string) {
	c := &p.clause
	who, known := personWithID(p.who)
	female := slices.Contains([]string{"she", "her", "hers", "herself", "shes"}, word)
	male := slices.Contains([]string{"he", "his", "him", "himself", "hes"}, word)
	switch {
	case p.who == "":
		c.own = true
	case p.who == p.patient || slices.Contains(c.patients, p.who) || len(c.patients) > 1:
	case slices.Contains(p.out.strangers, p.who) || slices.Contains(c.strangers, p.who):
		p.addStranger(p.who)
	case known && p.byName && (female && !who.female || male && who.female):
		c.own = true
	case len(c.patients) == 0 && len(p.lead) == 0:
		c.patients = append(c.patients, p.who)
	}
}
