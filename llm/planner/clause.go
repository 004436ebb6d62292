package planner

import (
	"slices"
	"strings"
)

// A task is one thing that a request asks for, about one patient.
type task struct {
	topic   topic
	patient string
	about   string // a drug, a test, a finding or a service

	dose, frequency, indication string   // of a prescription
	written                     string   // the drug, if its spelling was corrected
	text                        string   // of a note; the service to code or claim
	codes                       []string // to claim

	asks     bool // a question that yes or no can answer
	injected bool // requested by a tool's result, not by the user
}

// same reports whether two tasks ask for the same.
func (t task) same(o task) bool {
	return t.topic == o.topic && t.patient == o.patient && strings.EqualFold(t.about, o.about) && (t.topic != note || t.text == o.text)
}

// A clause is what one part of a request says.
type clause struct {
	able       able // of its verbs
	begun      bool // a verb started it
	considered bool // it asks whether to do something
	question   bool // it is a question
	asks       bool // a question that yes or no can answer
	refers     bool // a purpose follows what it wants
	unable     *unable

	own       bool     // it says "this patient"
	patients  []string // other patients that it names
	strangers []string // names that nobody is known by
	idFirst   bool     // before anything else

	wants     []task // to read; without a patient
	service   string // that insurance may cover
	substance string // that one can be allergic to

	drugs        []task // names, doses, frequencies and indications
	dose         string // of the next drug
	or           bool   // between two drugs
	month        string // of a visit, such as "08"
	prescription bool   // the noun is in it
	checks       bool   // words for an interaction check are in it
	safe         bool   // words for a drug's safety are in it
	allergic     bool
	taking       bool // words for what the patient takes are in it
	takes        bool // likewise; without a drug they ask for all
	it           bool // it may refer to the drug named last
	expectsDrug  bool // the next word that can be a drug is taken as one

	note, codes, claim bool
	noteText           string
	coded              string // the service to code or claim
	claimCodes         []string
	appointment        bool
}

// isEmpty reports whether the clause requests nothing.
func (c *clause) isEmpty() bool {
	return len(c.wants)+len(c.drugs) == 0 && !c.note && !c.codes && !c.claim && c.substance == "" && c.service == "" && !c.appointment &&
		c.unable == nil && !c.asksWhatIsTaken() && !(c.checks && c.begun) && c.able&(ableRefill|ableChange) == 0
}

// asksWhatIsTaken reports whether the clause asks for the medications without naming
// any: "what does she take for her heart?"
func (c *clause) asksWhatIsTaken() bool {
	return c.takes && c.question && !c.considered && len(c.drugs) == 0 && c.onlySoft()
}

// lacksDrug reports whether the clause asks to prescribe and names no drug.
func (c *clause) lacksDrug() bool {
	return len(c.drugs) == 0 && !c.it && c.prescribes() && (c.prescription || c.able&ablePrescribe != 0) && c.onlySoft()
}

// onlySoft reports whether the clause wants nothing that is surely to be read.
func (c *clause) onlySoft() bool {
	return !slices.ContainsFunc(c.wants, func(w task) bool { return !w.topic.isSoft() && w.topic != medications })
}

// isWhole reports whether a following verb or "also" begins another clause.
func (c *clause) isWhole() bool {
	switch {
	case c.unable != nil && c.able != 0, c.able&(ableRefill|ableChange) != 0:
		return len(c.wants)+len(c.drugs) > 0 || c.note || c.claim || c.service != "" || c.prescription
	}
	return !c.isEmpty() || c.begun && len(c.patients) > 0
}

// prescribes reports whether the clause asks to prescribe its drugs, not only to
// check them.
func (c *clause) prescribes() bool {
	switch {
	case c.considered || c.note || c.or || c.unable != nil && c.able == 0 || c.cannotAdd():
		return false
	case c.able&ablePrescribe != 0:
		return true
	case c.checks || c.safe || c.question:
		return false
	}
	return c.able&ableGive != 0 || c.prescription && (c.able == 0 || c.able&ableNote != 0)
}

// about returns the patients that the clause is about.
func (c *clause) about(own string, lead []string) []string {
	switch {
	case len(c.patients) == 0 && len(c.strangers) > 0 && !c.own:
		return nil
	case len(c.patients) == 0 && len(lead) > 0 && !c.own:
		return lead
	case len(c.patients) == 0:
		return []string{own}
	case c.own && !slices.Contains(c.patients, own):
		return append([]string{own}, c.patients...)
	}
	return c.patients
}

// tasks returns what the clause requests for one patient.
func (c *clause) tasks(patient string) []task {
	var out []task
	add := func(t topic, about string) {
		out = append(out, task{topic: t, patient: patient, about: about, asks: c.asks})
	}
	if !c.note && !c.claim && !c.codes {
		for _, d := range c.drugTasks() {
			d.patient, d.asks = patient, c.asks
			out = append(out, d)
		}
	}
	for _, w := range c.reads() {
		add(w.topic, w.about)
	}
	if c.codes {
		out = append(out, task{topic: code, patient: patient, text: c.coded})
	}
	if c.claim {
		out = append(out, task{topic: claim, patient: patient, text: c.coded, codes: c.claimCodes})
	}
	if c.note {
		out = append(out, task{topic: note, patient: patient, text: c.noteText})
	}
	return out
}

// drugTasks returns what the clause requests about its drugs.
func (c *clause) drugTasks() []task {
	to := func(t topic) []task {
		var out []task
		for _, d := range c.drugs {
			d.topic = t
			out = append(out, d)
		}
		return out
	}
	switch {
	case c.able&ableRefill != 0:
		if c.refillsAll() {
			return []task{{topic: refill}}
		}
		return to(refill)
	case c.able&ableChange != 0:
		return to(change)
	case c.substance != "":
		return []task{{topic: allergies, about: c.substance}}
	case c.prescribes():
		return to(prescribe)
	case c.cannotAdd():
		return nil
	case (c.allergic || c.has(allergies)) && !c.safe && !c.considered:
		return to(allergies)
	case len(c.drugs) == 0:
		if c.checks && len(c.reads()) == 0 {
			return []task{{topic: interactions}}
		}
		return nil
	case c.taking && !c.considered && !c.checks, c.has(medications) && !c.considered && !c.checks && !c.safe:
		return to(medications)
	case c.checks && !c.safe && !c.considered:
		return to(interactions)
	case c.safe || c.considered || c.or || len(c.wants) == 0:
		return to(safety)
	}
	return nil
}

// refillsAll reports whether the clause asks to refill all medications: her
// prescriptions, what she takes, or "everything", which the lexicon takes for all data.
func (c *clause) refillsAll() bool {
	return c.able&ableRefill != 0 && len(c.drugs) == 0 && (c.prescription || c.takes || c.has(medications) || c.has(billing) && c.has(labs))
}

// reads returns what the clause requests to read.
func (c *clause) reads() []task {
	switch {
	case c.refillsAll():
		return nil
	case c.asksWhatIsTaken():
		return []task{{topic: medications}}
	}
	var out []task
	for _, w := range c.wants {
		switch {
		case w.topic == medications && (len(c.drugs) > 0 || c.checks || c.able&(ableRefill|ableChange) != 0 || c.has(coverage)):
		case w.topic == allergies && (len(c.drugs) > 0 || c.substance != "") && !c.prescribes():
		case w.topic.isSoft() && (c.prescribes() || len(c.drugs) > 0 && (c.safe || c.considered)):
		case (w.topic == labs || w.topic == visits) && c.has(coverage):
		case w.topic == visits && (c.codes || c.claim):
		case w.topic == visits && c.question && (c.has(balance) || c.has(charges)): // "what did the visit cost?"
		case (w.topic == insurance || w.topic == balance) && c.question && c.has(claims): // "did the insurer pay the claim?"
		case c.service != "" && isCost(w.topic), w.topic == coverage && c.service != "":
		default:
			switch w.topic {
			case coverage:
				w.about = c.covered()
			case visits:
				w.about = c.month
			}
			out = append(out, w)
		}
	}
	if c.service != "" {
		t := finding
		if slices.ContainsFunc(c.wants, func(w task) bool { return isCost(w.topic) || w.topic == coverage }) {
			t = coverage
		}
		out = append(out, task{topic: t, about: c.service})
	}
	return out
}

// isCost reports whether a topic, together with a service, asks who pays for it.
func isCost(t topic) bool {
	return t == coverage || t == insurance || t == copay || t == balance || t == billing || t == charges
}

// covered returns the service that a question about coverage names otherwise.
func (c *clause) covered() string {
	switch {
	case c.has(labs):
		return "laboratory"
	case c.has(visits):
		return "visit"
	case c.has(medications), len(c.drugs) > 0:
		return "drugs"
	}
	return ""
}

func (c *clause) has(t topic) bool {
	return slices.ContainsFunc(c.wants, func(w task) bool { return w.topic == t })
}

// cannotAdd reports whether the clause asks to add to a list for which there is no
// tool: "add a penicillin allergy".
func (c *clause) cannotAdd() bool {
	return c.unable == adds && !c.note && slices.ContainsFunc(c.wants, func(w task) bool { return w.topic != visits && w.topic != chart && w.topic != medications })
}

// cannot returns what the clause asks for although no tool does it, or "".
func (c *clause) cannot() string {
	u := c.unable
	switch {
	case u == nil && c.appointment && c.able&^look == 0 && len(c.wants)+len(c.drugs) == 0:
		return "schedules or shows appointments"
	case u == nil, c.note, c.claim, c.codes:
		return ""
	case u == adds && !c.cannotAdd(), u == orders && c.prescribes() && len(c.drugs) > 0:
		return ""
	}
	return u.does + " " + c.object()
}

// object names what no tool does the verb's action to.
func (c *clause) object() string {
	switch medicine := len(c.drugs) > 0 || c.prescription || c.has(medications); {
	case c.unable == orders && (c.has(labs) || c.has(test)):
		return "laboratory tests"
	case c.unable == orders && c.service != "":
		return "imaging or other services"
	case !c.unable.changesRecords():
	case c.has(allergies):
		return "an allergy"
	case c.has(problems):
		return "a diagnosis"
	case c.has(contact):
		return "contact details"
	case c.appointment:
		return "an appointment"
	case medicine && c.unable.does == "stops":
		return "a medication"
	case medicine:
		return "a prescription"
	case c.has(claims), c.unable.does == "cancels" && c.has(insurance):
		return "a claim"
	case c.has(visits):
		return "a note or a visit"
	case c.has(chart) && c.unable.does == "deletes":
		return "records"
	case c.has(labs), c.has(test):
		return "laboratory results"
	case c.has(insurance), c.has(coverage), c.has(member):
		return "insurance details"
	case c.has(billing), c.has(charges), c.has(balance):
		return "billing entries"
	}
	return c.unable.object
}
