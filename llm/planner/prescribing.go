package planner

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// ownPrescriber is the prescriber of what the demo itself has written.
const ownPrescriber = "MedAssist"

// nextPrescription returns the next call of a prescription: the check, the chart if
// the check leaves open why not, and the prescription if nothing is against it.
func (c conversation) nextPrescription(t task) []request {
	if _, tried := c.find(toolPrescribe, t.patient, t.about); tried {
		return nil
	}
	check, checked := c.find(toolCheck, t.patient, t.about)
	if !checked && c.offered[toolCheck] {
		return []request{{tool: toolCheck, patient: t.patient, drug: t.about}}
	}
	switch {
	case check.refused() && t.patient != c.patient:
		// Nothing is known about another patient, but the planner tries anyway, as a
		// model might. The broker denies it.
	case checked && !check.succeeded():
		return nil
	case c.against(t, check) != "":
		_, read := c.find(toolRecords, t.patient, "")
		if check.offFormulary() && !read {
			return []request{{tool: toolRecords, patient: t.patient}}
		}
		return nil
	}
	found := check.object()
	return []request{{tool: toolPrescribe, patient: t.patient, drug: t.about, args: map[string]any{
		"dose": cmp.Or(t.dose, found.str("usual_dose")), "frequency": cmp.Or(t.frequency, found.str("usual_frequency")), "indication": t.indication}}}
}

// against returns why a drug is not prescribed according to the tools' results and
// the request, as a clause without a full stop, or "" if nothing is against it.
func (c conversation) against(t task, check call) string {
	found := check.object()
	chart, _ := c.find(toolRecords, t.patient, "")
	if a := allergyTo(chart, t.about); a != nil {
		return fmt.Sprintf("an allergy to **%s** is recorded%s", inline(a.str("substance")), parenthesis(a.str("reaction"), a.str("severity")))
	}
	for _, row := range found.list("interactions") {
		if isSevere(row.str("severity")) {
			return strings.TrimSuffix(strings.TrimSpace(interaction(row)), ".")
		}
	}
	if severity := found.str("highest_severity"); isSevere(severity) {
		return inline(severity) + " interaction"
	}
	if t.written != "" {
		return fmt.Sprintf("“%s” is not a drug name that I know. Did you mean **%s**? Ask again with the exact name", inline(t.written), inline(t.about))
	}
	if m := active(check, t.about); m != nil && !writtenHere(m) {
		switch why := "the patient already takes it: " + regimen(m); {
		case t.topic != prescribe:
			return why
		case t.dose != "" && !sameDose(t.dose, m.str("dose")):
			return why + ". There is no tool that changes or stops a prescription, and a second one would add to it"
		default:
			return why + ". A second prescription would double it"
		}
	}
	if other := duplicate(check, t.about); other != nil {
		of, _ := classOf(t.about)
		return fmt.Sprintf("the patient already takes **%s**, another %s. Stop one before the other is prescribed", inline(other.str("drug")), of.name)
	}
	if t.topic != prescribe {
		return ""
	}
	if check.offFormulary() {
		return "it is not in the formulary"
	}
	return unusualDose(t, found)
}

// offFormulary reports whether an interaction check found that the drug is not in the
// formulary.
func (c call) offFormulary() bool { return c.object().get("in_formulary") == false }

// interaction names one interaction from a check, with what to do about it.
func interaction(row object) string {
	return fmt.Sprintf("%s interaction with **%s**, which the patient takes. %s", inline(row.str("severity")), inline(row.str("with")),
		sentences(row.str("mechanism"), row.str("advice")))
}

// unusualDose returns why a dose needs a decision, or "".
func unusualDose(t task, found object) string {
	usual := found.str("usual_dose")
	if usual == "" {
		return ""
	}
	_, _, fixed := parseDose(usual)
	switch {
	case t.dose == "" && !fixed:
		return fmt.Sprintf("its usual dose is “%s”, so I need a dose in the request", inline(usual))
	case t.dose == "":
		return ""
	}
	if ratio, ok := doseRatio(t.dose, usual); ok && (ratio > 4 || ratio < 0.2) {
		return fmt.Sprintf("**%s** is far from the usual dose of %s. Check the dose, and ask again", inline(t.dose), inline(usual))
	}
	return ""
}

// parseDose reads "500 mg".
func parseDose(dose string) (amount float64, unit string, ok bool) {
	number, unit, _ := strings.Cut(strings.TrimSpace(dose), " ")
	amount, err := strconv.ParseFloat(strings.ReplaceAll(number, ",", "."), 64)
	switch unit = strings.ToLower(unit); unit {
	case "mcg":
		return amount / 1000, "mg", err == nil
	case "g":
		return amount * 1000, "mg", err == nil
	}
	return amount, unit, err == nil && amount > 0
}

// doseRatio returns how many times the usual dose a dose is, if both have one unit.
func doseRatio(dose, usual string) (float64, bool) {
	a, unit, ok := parseDose(dose)
	b, other, ok2 := parseDose(usual)
	return a / b, ok && ok2 && unit == other && b > 0
}

func sameDose(a, b string) bool {
	ratio, ok := doseRatio(a, b)
	return ok && ratio == 1 || strings.EqualFold(a, b)
}

// active returns the active medication of a drug, from an interaction check. One that
// the demo did not write takes precedence.
func active(check call, drug string) object {
	var found object
	for _, m := range check.object().list("active_medications") {
		if sameDrug(m.str("drug"), drug) && (found == nil || writtenHere(found)) {
			found = m
		}
	}
	return found
}

// writtenHere reports whether the demo itself wrote a prescription, in an earlier
// run: its scenarios are run again and again.
func writtenHere(m object) bool { return strings.HasPrefix(m.str("prescriber"), ownPrescriber) }

// duplicate returns an active medication of the drug's class, if one is enough.
func duplicate(check call, drug string) object {
	of, ok := classOf(drug)
	if !ok || !of.once {
		return nil
	}
	for _, m := range check.object().list("active_medications") {
		if other, ok := classOf(m.str("drug")); ok && other.name == of.name && !sameDrug(m.str("drug"), drug) {
			return m
		}
	}
	return nil
}

// allergyTo returns the recorded allergy that rules out a drug.
func allergyTo(chart call, drug string) object {
	for _, a := range chart.object().list("allergies") {
		if isAllergen(a.str("substance"), drug) {
			return a
		}
	}
	return nil
}

// regimen returns how a medication is taken: "1000 mg twice daily (since 2026-05-12,
// Dr. Osei)".
func regimen(m object) string {
	return strings.TrimSpace(dosage(m) + parenthesis(optional("since ", m.str("started")), m.str("prescriber")))
}

// dosage returns the dose and the frequency of a medication.
func dosage(m object) string { return inline(m.str("dose") + " " + m.str("frequency")) }

// parenthesis returns the texts that are not empty in parentheses, after a space.
func parenthesis(texts ...string) string {
	var out []string
	for _, t := range texts {
		if t != "" {
			out = append(out, inline(t))
		}
	}
	if len(out) == 0 {
		return ""
	}
	return " (" + strings.Join(out, ", ") + ")"
}

func isSevere(severity string) bool {
	switch strings.ToLower(severity) {
	case "major", "severe", "contraindicated":
		return true
	}
	return false
}
