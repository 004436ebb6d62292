package planner

import (
	"cmp"
	"slices"
	"strings"
)

// addDrug handles a drug.
func (p *parser) addDrug(t token) {
	c := &p.clause
	c.expectsDrug = false
	if p.negated {
		p.dropped = true
		return
	}
	p.drug = drugName(t.text)
	if !slices.ContainsFunc(c.drugs, func(have task) bool { return have.about == p.drug }) {
		c.or = c.or || len(c.drugs) > 0 && p.peek(-2).text == "or"
		c.drugs = append(c.drugs, task{about: p.drug, dose: c.dose, written: t.written})
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
		if last := len(c.drugs) - 1; last >= 0 && (before.text == "every" || before.text == "for" && c.drugs[last].frequency != "") {
			p.setFrequency(strings.TrimSpace(c.drugs[last].frequency + " " + p.src[before.start:unit.end]))
		}
	case (c.claim || c.codes) && len(n) == 5:
		c.claimCodes = append(c.claimCodes, n)
	case before.text == "patient" || before.text == "mrn" || before.text == "id" && p.peek(-3).text == "patient":
		p.addPatient(n, 1)
	}
}

// purpose handles what follows "for": the indication of a drug, a service to code
// or to claim, or a patient.
func (p *parser) purpose() {
	c := &p.clause
	c.expectsDrug = false
	c.refers = len(c.wants) > 0
	switch {
	case p.isPerson():
		p.step()
		if (c.codes || c.claim) && p.peek(0).kind == tokenWord && p.peek(-1).possessive { // "a claim for Robert's visit"
			c.coded = p.takePhrase()
		}
	case p.peek(0).kind == tokenNumber:
	case (c.codes || c.claim) && c.coded == "":
		c.coded = p.takePhrase()
	case len(c.drugs) > 0:
		why := p.takePhrase()
		for i := range c.drugs {
			c.drugs[i].indication = cmp.Or(c.drugs[i].indication, why)
		}
	}
}

// setFrequency sets how often the drug named last is taken.
func (p *parser) setFrequency(text string) {
	if last := len(p.clause.drugs) - 1; last >= 0 {
		p.clause.drugs[last].frequency = text
	}
}

// months maps the names of months to their numbers.
var months = map[string]string{"january": "01", "february": "02", "march": "03", "april": "04", "may": "05", "june": "06",
	"july": "07", "august": "08", "september": "09", "october": "10", "november": "11", "december": "12"}

func asksYesOrNo(word string) bool {
	switch word {
	case "is", "are", "was", "were", "does", "did", "has", "have", "had", "any", "isn't", "doesn't", "hasn't":
		return true
	}
	return false
}
