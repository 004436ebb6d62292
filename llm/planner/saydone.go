package planner

import (
	"fmt"
	"strings"
)

// saySafety answers whether a drug can be given, with the reason: an allergy, an
// interaction, what the patient takes already.
func (c conversation) saySafety(t task) string {
	check, _ := c.find(toolCheck, t.patient, t.about)
	chart, read := c.find(toolRecords, t.patient, "")
	if !check.succeeded() {
		return ""
	}
	drug, who := inline(t.about), c.name(t.patient)
	if why := c.against(task{topic: safety, patient: t.patient, about: t.about}, check); why != "" {
		return c.asRead(t) + fmt.Sprintf("**%s** is not advisable for %s: %s.", drug, who, why)
	}
	if caution := warning(check); caution != "" {
		return c.asRead(t) + fmt.Sprintf("**%s** only with caution: %s.", drug, caution)
	}
	looked := "no interaction with an active medication"
	if read && chart.succeeded() {
		looked = "no allergy to it and " + looked
	}
	text := fmt.Sprintf("The record shows nothing against **%s** for %s: %s is recorded.", drug, who, looked)
	if check.offFormulary() {
		text += " It is not in the formulary."
	}
	return c.asRead(t) + text
}

// asRead tells how a misspelled drug was read.
func (c conversation) asRead(t task) string {
	if t.written == "" {
		return ""
	}
	return fmt.Sprintf("I read “%s” as **%s**. ", inline(t.written), inline(t.about))
}

// warning returns the interactions that do not rule a drug out.
func warning(check call) string {
	var out []string
	for _, row := range check.object().list("interactions") {
		if severity := row.str("severity"); severity != "" && !isSevere(severity) {
			out = append(out, interaction(row))
		}
	}
	return strings.TrimSuffix(strings.TrimSpace(strings.Join(out, " ")), ".")
}

// sayInteractions answers about the interactions of a drug, or among the active
// medications.
func (c conversation) sayInteractions(t task) string {
	if t.about == "" {
		return c.sayAmong(t)
	}
	check, _ := c.find(toolCheck, t.patient, t.about)
	if !check.succeeded() {
		return ""
	}
	var out []string
	for _, row := range check.object().list("interactions") {
		out = append(out, fmt.Sprintf("a %s interaction with **%s**. %s", known(row.str("severity")), inline(row.str("with")), sentences(row.str("mechanism"), row.str("advice"))))
	}
	text := fmt.Sprintf("No interaction of **%s** with an active medication of %s is recorded.", inline(t.about), c.name(t.patient))
	if len(out) > 0 {
		text = fmt.Sprintf("**%s** has %s", inline(t.about), strings.Join(out, " It also has "))
	}
	if m := active(check, t.about); m != nil {
		text += fmt.Sprintf(" %s takes it already: %s.", c.name(t.patient), regimen(m))
	}
	if check.offFormulary() {
		text += " It is not in the formulary."
	}
	if class := check.object().str("drug_class"); class != "" {
		text += fmt.Sprintf(" It is a drug of the class %s; the usual dose is %s.", inline(class), known(strings.TrimSpace(check.object().str("usual_dose")+" "+check.object().str("usual_frequency"))))
	}
	return c.asRead(t) + text
}

func (c conversation) sayAmong(t task) string {
	var out []string
	seen := map[string]bool{}
	checked := false
	for _, check := range c.calls {
		if check.tool != toolCheck || check.patient != t.patient || !check.succeeded() {
			continue
		}
		checked = true
		for _, row := range check.object().list("interactions") {
			pair, reverse := check.drug+"\x00"+row.str("with"), row.str("with")+"\x00"+check.drug
			if seen[pair] || seen[reverse] {
				continue
			}
			seen[pair] = true
			out = append(out, fmt.Sprintf("**%s** and **%s**: %s. %s", inline(check.drug), inline(row.str("with")), known(row.str("severity")), sentences(row.str("mechanism"), row.str("advice"))))
		}
	}
	switch {
	case !checked:
		return ""
	case len(out) == 0:
		return fmt.Sprintf("No interaction among the active medications of %s is recorded.", c.name(t.patient))
	}
	return fmt.Sprintf("The active medications of %s interact. %s", c.name(t.patient), strings.Join(out, " "))
}

// sayPrescription tells whether a drug was prescribed, with warnings, or why not.
func (c conversation) sayPrescription(t task) string {
	drug := inline(t.about)
	check, checked := c.find(toolCheck, t.patient, t.about)
	if done, tried := c.find(toolPrescribe, t.patient, t.about); tried {
		if !done.succeeded() {
			return ""
		}
		written := done.object()
		text := fmt.Sprintf("**%s** %s was prescribed%s.", drug, dosage(written), purposeOf(written))
		if caution := warning(check); caution != "" {
			text += " Note the " + caution + "."
		}
		if m := active(check, t.about); m != nil {
			text += fmt.Sprintf(" It was already active, prescribed by %s: the record now holds it twice.", known(m.str("prescriber")))
		}
		return text
	}
	switch {
	case !checked || check.notFound():
		return ""
	case !check.succeeded() && t.patient == c.patient:
		return fmt.Sprintf("**%s** was **not prescribed**: it could not be checked against what the patient takes.", drug)
	case !check.succeeded():
		return ""
	}
	if why := c.against(t, check); why != "" {
		return fmt.Sprintf("**%s** was **not prescribed**: %s.", drug, why)
	}
	return ""
}

// sayRefill tells what is active, and that there is no tool for refills.
func (c conversation) sayRefill(t task) string {
	check, _ := c.find(toolCheck, t.patient, c.listedWith(t))
	if !check.succeeded() {
		return ""
	}
	const noTool = "There is no tool for refills, so nothing was written: a new prescription would be active beside the old one."
	if t.about == "" {
		return sayMedications(subject{check.object(), c.name(t.patient), "", false}) + " " + noTool
	}
	m := active(check, t.about)
	if m == nil {
		return c.asRead(t) + fmt.Sprintf("%s has no active prescription of **%s** to refill. To prescribe it, ask: *Prescribe %s*.", c.name(t.patient), inline(t.about), inline(t.about))
	}
	return c.asRead(t) + fmt.Sprintf("**%s** is already active: %s. %s Should it be refilled at the pharmacy with the same dose?", inline(t.about), regimen(m), noTool)
}

// sayChange tells what is active, and that there is no tool to change it.
func (c conversation) sayChange(t task) string {
	check, _ := c.find(toolCheck, t.patient, c.listedWith(t))
	if !check.succeeded() {
		return ""
	}
	const noTool = "There is no tool that changes or stops a prescription, so nothing was written."
	m := active(check, t.about)
	if m == nil {
		text := fmt.Sprintf("%s has no active prescription of **%s**. %s To add it, ask: *Prescribe %s*.", c.name(t.patient), inline(t.about), noTool, inline(t.about))
		if caution := warning(check); caution != "" {
			text += " Note the " + caution + "."
		}
		return c.asRead(t) + text
	}
	return c.asRead(t) + fmt.Sprintf("**%s** is active with %s. %s A second prescription would add to it. Which one should be active?", inline(t.about), regimen(m), noTool)
}

func (c conversation) sayNote(t task) string {
	done, _ := c.findNote(t)
	if !done.succeeded() {
		return ""
	}
	return fmt.Sprintf("A note was added to the chart of %s.", c.name(t.patient))
}

func (c conversation) sayCodes(t task) string {
	done, _ := c.find(toolCodes, t.patient, "")
	if !done.succeeded() {
		return ""
	}
	return fmt.Sprintf("Coded for %s: %s.", c.name(t.patient), known(strings.Join(codesOf(done), ", ")))
}

func (c conversation) sayClaim(t task) string {
	done, filed := c.find(toolClaim, t.patient, "")
	if !filed && t.patient == c.patient && c.offered[toolClaim] {
		if bill, read := c.find(toolBilling, t.patient, ""); read && bill.succeeded() {
			return "No claim was filed: nothing could be coded."
		}
		return ""
	}
	if !done.succeeded() {
		return ""
	}
	claim := done.object()
	return fmt.Sprintf("A claim for %s (%s) was filed with %s: **%s**.", known(claim.str("codes")), cell("amount_usd", claim), known(claim.str("payer")), known(claim.str("status")))
}
