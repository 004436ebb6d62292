package llm

import (
	"regexp"
	"strings"
)

// task is one tool call that the planner wants made.
type task struct {
	tool       string
	patient    string
	drug       string
	dose       string
	indication string
	text       string // of a note or a service
}

func (t task) args() map[string]any {
	args := map[string]any{"patient_id": t.patient}
	set := func(key, value string) {
		if value != "" {
			args[key] = value
		}
	}
	set("drug", t.drug)
	set("dose", t.dose)
	set("indication", t.indication)
	switch t.tool {
	case "write_clinical_notes":
		set("note", t.text)
	case "generate_billing_codes":
		set("service", t.text)
	}
	return args
}

// intents are what the tools are for, in the words that people use.
var intents = []struct {
	tool  string
	words *regexp.Regexp
}{
	{"get_patient_records", words(`records?`, `charts?`, `medical history`, `clinical history`, `visits?`, `allerg\w+`, `problems?`, `diagnos[ie]s`, `(?:show|read|see|get) (?:the |all )?notes`, `summar\w+`, `overview`, `everything`)},
	{"get_lab_results", words(`labs?`, `laborator\w+`, `lab results?`, `test results?`, `blood (?:test|work)\w*`, `a1c`, `potassium`, `creatinine`, `cholesterol`, `everything`)},
	{"get_billing_history", words(`billing`, `bills?`, `charges?`, `balance`, `payments?`, `invoices?`, `owes?`, `everything`)},
	{"get_insurance_coverage", words(`insurance`, `insured`, `coverage`, `covered`, `covers?`, `copay\w*`, `deductible`, `plan covers?`, `everything`)},
	{"generate_billing_codes", words(`(?:billing |cpt |icd-?10 )?codes?`, `coding`, `cpt`)},
	{"file_insurance_claim", words(`(?:file|submit|send|make)\b.{0,30}\bclaims?`, `claim (?:it|this|for)`)},
	{"write_clinical_notes", words(`(?:write|add|record|document|enter|leave|make)\b.{0,20}\bnotes?`, `note that`)},
}

// notIntents are phrases whose words would be taken for something else.
var notIntents = words(`drug interactions?`, `billing codes?`, `insurance claims?`, `clinical notes?`, `office visits?`)

func words(alternatives ...string) *regexp.Regexp {
	return regexp.MustCompile(`(?i)\b(?:` + strings.Join(alternatives, "|") + `)\b`)
}

var (
	clauseEnd   = regexp.MustCompile(`(?i)[.;!?\n]+(?:\s|$)|,?\s+(?:and|then|but)\s+(?:also|then|please)\b|,?\s+also\s+`)
	dosePattern = regexp.MustCompile(`(?i)\b(\d+(?:\.\d+)?)\s?(mg|mcg|g|ml|units?)\b`)
	forPattern  = regexp.MustCompile(`(?i)\bfor\s+(?:(?:the|his|her|a|an|their)\s+)?([a-z][a-z' -]{2,60})`)
	drugPattern = regexp.MustCompile(`(?i)\b(?:prescribe|prescribing|prescription (?:for|of)|start(?:ing)?(?: (?:her|him|them|the patient|this patient))? on|put (?:her|him|them|the patient|this patient) on|interactions? (?:of|for|with|between)|(?:check|is)(?: \w+){0,2} (?:if|whether))\s+` +
		`(?:(?:the patient|this patient|her|him|them|patient)\s+)?(?:(?:some|a|an|the|with)\s+)?(?:\d+(?:\.\d+)?\s?(?:mg|mcg|g)\s+)?(?:of\s+)?([a-z][a-z-]{3,40})\b`)
	checkOnly  = words(`interactions?`, `safe (?:with|to take)`)
	prescribes = words(`prescri\w+`, `start(?:ing)?(?: \w+){0,2} on`, `put (?:\w+ ){1,2}on`)
)

// notDrugs are words that follow "prescribe" or "check" without being drugs.
var notDrugs = words(`billing`, `insurance`, `records?`, `labs?`, `drugs?`, `interactions?`, `something`, `medication`, `medicine`, `antibiotics?`,
	`this`, `that`, `their`, `what`, `whether`, `coverage`, `charges`, `history`, `patient`, `allergies`, `results?`, `everything`, `before`, `first`, `with`)

// understand reads a request, clause by clause, into tasks. A clause that names
// another patient is about that one; what it wants goes for it.
func understand(request, patient string) []task {
	var tasks []task
	add := func(t task) {
		for _, have := range tasks {
			if have.tool == t.tool && strings.EqualFold(have.patient, t.patient) && strings.EqualFold(have.drug, t.drug) {
				return
			}
		}
		tasks = append(tasks, t)
	}
	for _, clause := range clauseEnd.Split(request, -1) {
		about := patientsIn(clause, patient)
		for _, id := range about {
			found := clauseTasks(clause, id, strings.TrimSpace(request))
			if len(found) == 0 && !strings.EqualFold(id, patient) {
				found = []task{{tool: "get_patient_records", patient: id}}
			}
			for _, t := range found {
				add(t)
			}
		}
	}
	return tasks
}

// patientsIn lists whom a clause is about: those it names, or else the run's.
func patientsIn(clause, own string) []string {
	ids := freeID.FindAllString(clause, -1)
	if len(ids) == 0 {
		return []string{own}
	}
	var out []string
	if words(`this patient`, `the patient`, `my patient`, `current patient`).MatchString(clause) {
		out = append(out, own)
	}
	for _, id := range ids {
		out = append(out, strings.ToUpper(id))
	}
	return out
}

func clauseTasks(clause, id, request string) []task {
	var tasks []task
	plain := notIntents.ReplaceAllStringFunc(clause, func(phrase string) string {
		return strings.Repeat("_", len(phrase))
	})
	for _, intent := range intents {
		if !intent.words.MatchString(plain) && !(intent.words.MatchString(clause) && isAction(intent.tool)) {
			continue
		}
		t := task{tool: intent.tool, patient: id}
		switch intent.tool {
		case "write_clinical_notes":
			t.text = noteText(clause, request)
		case "generate_billing_codes":
			t.text = strings.TrimSpace(clause)
		}
		tasks = append(tasks, t)
	}
	return append(tasks, drugTasks(clause, id)...)
}

// isAction: these are asked for by a whole phrase, so no other word can stand
// in the way.
func isAction(tool string) bool {
	return tool == "generate_billing_codes" || tool == "file_insurance_claim" || tool == "write_clinical_notes"
}

// drugTasks reads what a clause wants with a drug: a check, and if it is to be
// prescribed, a prescription after it.
func drugTasks(clause, id string) []task {
	drug := drugIn(clause)
	if drug == "" {
		return nil
	}
	t := task{tool: "check_drug_interactions", patient: id, drug: drug}
	if !prescribes.MatchString(clause) {
		if !checkOnly.MatchString(clause) {
			return nil
		}
		return []task{t}
	}
	p := task{tool: "write_prescription", patient: id, drug: drug}
	if dose := dosePattern.FindStringSubmatch(clause); dose != nil {
		p.dose = dose[1] + " " + strings.ToLower(dose[2])
	}
	if why := forPattern.FindStringSubmatch(afterDrug(clause, drug)); why != nil && !freeID.MatchString(why[0]) {
		p.indication = strings.TrimSpace(why[1])
	}
	return []task{t, p}
}

func drugIn(clause string) string {
	for _, found := range drugPattern.FindAllStringSubmatch(clause, -1) {
		if !notDrugs.MatchString(found[1]) {
			return strings.ToUpper(found[1][:1]) + strings.ToLower(found[1][1:])
		}
	}
	return ""
}

func afterDrug(clause, drug string) string {
	i := strings.Index(strings.ToLower(clause), strings.ToLower(drug))
	return clause[i+len(drug):]
}

// noteText is what is to be noted: what follows a colon or "that", or else the
// clause itself.
func noteText(clause, request string) string {
	if _, text, ok := strings.Cut(request, ":"); ok {
		return strings.TrimSpace(text)
	}
	if _, text, ok := strings.Cut(clause, " that "); ok {
		return strings.TrimSpace(text)
	}
	return strings.TrimSpace(clause)
}
