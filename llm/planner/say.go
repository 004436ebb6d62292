package planner

import (
	"fmt"
	"slices"
	"strings"

	itext "github.com/devonartis/medassist-go/internal/text"
)

// A subject is what a sentence is about: the result that a task reads, and whose it
// is.
type subject struct {
	object
	who   string // the patient's name if a chart was read, or else the ID
	about string
	asks  bool
}

// name returns the patient's name if a chart was read, or else the ID.
func (c conversation) name(patient string) string {
	chart, _ := c.find(toolRecords, patient, "")
	if name := chart.object().str("name"); name != "" && chart.succeeded() {
		return inline(name)
	}
	return inline(patient)
}

// say returns the sentence that answers a task, or "" if its result is missing or
// reported elsewhere.
func (c conversation) say(t task, tasks []task) string {
	switch t.topic {
	case safety:
		return c.saySafety(t)
	case interactions:
		return c.sayInteractions(t)
	case prescribe:
		return c.sayPrescription(t)
	case refill:
		return c.sayRefill(t)
	case change:
		return c.sayChange(t)
	case note:
		return c.sayNote(t)
	case code:
		return c.sayCodes(t)
	case claim:
		return c.sayClaim(t)
	}
	drug := ""
	if t.topic == medications {
		drug = c.listedWith(t)
	}
	have, _ := c.find(sources[t.topic].tool, t.patient, drug)
	if !have.succeeded() || t.injected {
		return ""
	}
	result := have.object()
	if len(result) == 0 {
		return fmt.Sprintf("This is what the tool returned about %s.", c.name(t.patient))
	}
	return sources[t.topic].say(subject{result, c.name(t.patient), t.about, t.asks})
}

func sayChart(s subject) string {
	out := s.who
	if born := s.str("date_of_birth"); born != "" {
		out += ", born " + inline(born) + ","
	}
	switch problems, allergies := s.get("problems"), s.get("allergies"); {
	case problems == nil && allergies == nil:
		out = "This is the record of " + out
	default:
		out += fmt.Sprintf(" has %s and %s on record", itext.Count(len(objects(problems)), "problem"), itext.Count(len(objects(allergies)), "allergy"))
	}
	if visits := s.list("visits"); len(visits) > 0 {
		out += "; the last visit was on " + inline(visits[0].str("date"))
	}
	return out + "."
}

func sayAllergies(s subject) string {
	var all []string
	hit := ""
	for _, a := range s.list("allergies") {
		substance, reaction := inline(strings.ToLower(a.str("substance"))), parenthesis(strings.ToLower(a.str("reaction")), a.str("severity"))
		all = append(all, substance+reaction)
		if isAllergen(a.str("substance"), s.about) {
			hit = "**" + substance + "**" + reaction
		}
	}
	recorded := join(all)
	switch {
	case hit != "":
		return fmt.Sprintf("Yes: %s is allergic to %s.", s.who, hit)
	case s.about != "" && len(all) == 0:
		return fmt.Sprintf("No allergy of %s to %s is recorded, nor any other.", s.who, inline(strings.ToLower(s.about)))
	case s.about != "":
		return fmt.Sprintf("No allergy of %s to %s is recorded; recorded: %s.", s.who, inline(strings.ToLower(s.about)), recorded)
	case len(all) == 0:
		return fmt.Sprintf("No allergy of %s is recorded.", s.who)
	}
	return fmt.Sprintf("%s is allergic to %s.", s.who, recorded)
}

func sayProblems(s subject) string {
	var all []string
	for _, p := range s.list("problems") {
		all = append(all, inline(lowerFirst(p.str("description")))+parenthesis(p.str("status")))
	}
	if len(all) == 0 {
		return fmt.Sprintf("No problem of %s is recorded.", s.who)
	}
	return fmt.Sprintf("%s has %s.", s.who, join(all))
}

func sayVisits(s subject) string {
	visits := s.list("visits")
	if len(visits) == 0 {
		return fmt.Sprintf("No visit of %s is recorded.", s.who)
	}
	if s.about != "" {
		for _, v := range visits {
			if strings.Contains(v.str("date"), "-"+s.about+"-") {
				return fmt.Sprintf("The note on %s of %s%s says: “%s”", s.who, inline(v.str("date")), parenthesis(v.str("clinician"), lowerFirst(v.str("reason"))), inline(itext.Clip(v.str("note"), maxQuote)))
			}
		}
		return fmt.Sprintf("No visit of %s in that month is recorded.", s.who)
	}
	v := visits[0]
	return fmt.Sprintf("The last visit of %s was on %s%s: %s.", s.who, inline(v.str("date")), optional(" with ", inline(v.str("clinician"))), inline(lowerFirst(v.str("reason"))))
}

func sayDoctor(s subject) string {
	for _, v := range s.list("visits") {
		if who := v.str("clinician"); strings.HasPrefix(who, "Dr") {
			return fmt.Sprintf("%s was last seen by **%s**, on %s.", s.who, inline(who), inline(v.str("date")))
		}
	}
	return fmt.Sprintf("The record of %s does not name a doctor.", s.who)
}

func sayContact(s subject) string {
	return fmt.Sprintf("%s lives at %s; phone %s; emergency contact: %s.", s.who, known(s.str("address")), known(s.str("phone")), known(s.str("emergency_contact")))
}

func known(text string) string {
	if text == "" {
		return "not recorded"
	}
	return inline(text)
}

func sayBorn(s subject) string {
	return fmt.Sprintf("%s was born on %s; sex: %s.", s.who, known(s.str("date_of_birth")), known(s.str("sex")))
}

func sayMedications(s subject) string {
	list := s.list("active_medications")
	group, ofGroup := classNamed(s.about)
	if ofGroup {
		list = slices.DeleteFunc(list, func(m object) bool {
			of, ok := classOf(m.str("drug"))
			return !ok || of.name != group.name
		})
	}
	if s.about != "" && !ofGroup {
		for _, m := range list {
			if sameDrug(m.str("drug"), s.about) {
				return fmt.Sprintf("%s%s takes **%s** %s%s.", yes(s.asks), s.who, inline(m.str("drug")), regimen(m), purposeOf(m))
			}
		}
		if s.asks {
			return fmt.Sprintf("No: **%s** is not among the active medications of %s.", inline(s.about), s.who)
		}
		return fmt.Sprintf("**%s** is not among the active medications of %s.", inline(s.about), s.who)
	}
	var all []string
	for _, m := range list {
		all = append(all, fmt.Sprintf("**%s** %s", inline(m.str("drug")), dosage(m)))
	}
	switch {
	case len(all) == 0 && ofGroup:
		return fmt.Sprintf("No: no %s is among the active medications of %s.", group.name, s.who)
	case len(all) == 0:
		return fmt.Sprintf("No active medication of %s is recorded.", s.who)
	}
	return fmt.Sprintf("%s takes %s.", s.who, join(all))
}

func purposeOf(m object) string { return optional(" for ", inline(lowerFirst(m.str("indication")))) }

// optional returns text after a prefix, or "" if there is no text.
func optional(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
}

func yes(asks bool) string {
	if asks {
		return "Yes: "
	}
	return ""
}

// join returns the texts as a list in a sentence.
func join(texts []string) string {
	const most = 8
	if more := len(texts) - most; more > 1 {
		texts = append(append([]string(nil), texts[:most]...), fmt.Sprintf("%d more", more))
	}
	if n := len(texts); n > 1 {
		return strings.Join(texts[:n-1], ", ") + " and " + texts[n-1]
	}
	return strings.Join(texts, "")
}

// lowerFirst returns text with its first letter in lower case, unless it begins with
// an abbreviation.
func lowerFirst(text string) string {
	if len(text) > 1 && text[1] >= 'a' && text[1] <= 'z' {
		return strings.ToLower(text[:1]) + text[1:]
	}
	return text
}
