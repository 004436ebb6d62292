package planner

import (
	"cmp"
	"slices"
	"strings"
)

// The tools that the planner can use.
const (
	toolRecords   = "get_patient_records"
	toolNote      = "write_clinical_notes"
	toolLabs      = "get_lab_results"
	toolCheck     = "check_drug_interactions"
	toolPrescribe = "write_prescription"
	toolBilling   = "get_billing_history"
	toolInsurance = "get_insurance_coverage"
	toolCodes     = "generate_billing_codes"
	toolClaim     = "file_insurance_claim"
)

// A kind is the role of a phrase in a request.
type kind int

const (
	skip         kind = iota // ignored as a whole, although its words have meanings of their own
	want                     // names data to read
	verb                     // requests something and begins a clause
	query                    // turns what follows into a question
	prescription             // the noun: to write one, or to read them
	noteNoun                 // likewise
	claimNoun                // likewise
	noteThat                 // a note, whose text follows
	codes                    // code services
	claimIt                  // claim what was coded
	interactions             // check a drug
	allergic                 // check a drug and read the allergies
	hedge                    // what follows is only being considered
	not                      // what follows is not wanted
	instead                  // ends the scope of a preceding not
	also                     // begins another request
	then                     // ends the preceding request
	own                      // the run's patient
	it                       // the drug named last
	on                       // of "start her on"
	purpose                  // a reason, or a recipient, follows
	frequency                // of a dose
	vague                    // wants an overview, if nothing else
)

// able is a set of things that a verb can request.
type able int

const (
	ableNote      able = 1 << iota
	ableClaim          // to file one
	ableGive           // to prescribe a known drug
	ablePrescribe      // to prescribe anything named
	look               // only to read
)

// An entry is one line of the lexicon.
type entry struct {
	kind    kind
	able    able     // of a verb
	tools   []string // of a want
	phrases string   // words, separated by commas
}

var lexicon = index([]entry{
	{kind: want, tools: []string{toolRecords}, phrases: "record, records, medical record, medical records, patient record, patient records, health record, health records, " +
		"clinical record, clinical records, chart, charts, history, medical history, clinical history, patient history, visit, visits, visit history, past visits, allergy, allergies, " +
		"problem, problems, problem list, diagnosis, diagnoses, condition, conditions, medication list, medications, meds, prescriptions, demographics, " +
		"patient information, patient info, patient data, patient details, her file, his file, their file, the file, patient file, medical file"},
	{kind: want, tools: []string{toolLabs}, phrases: "lab, labs, lab result, lab results, lab report, lab reports, lab record, lab records, lab work, lab test, lab tests, lab values, lab history, labwork, " +
		"laboratory, laboratory result, laboratory results, laboratory tests, test, tests, test result, test results, result, results, blood test, blood tests, blood work, bloodwork, bloods, " +
		"blood results, blood test results, a1c, hba1c, potassium, creatinine, cholesterol, glucose, hemoglobin, ldl, egfr, inr, tsh"},
	{kind: want, tools: []string{toolBilling}, phrases: "bill, bills, billing, billing history, billing record, billing records, billing information, billing info, billing details, billing status, " +
		"billing statement, statement, statements, charge, charges, balance, outstanding balance, payment, payments, payment history, invoice, invoices, owe, owes, owed, owing, cost, costs, " +
		"account, finances, claim status, claim history, claims history"},
	{kind: want, tools: []string{toolInsurance}, phrases: "insurance, insurance coverage, insurance plan, insurance policy, insurance information, insurance info, insurance details, insurance status, " +
		"insurance record, insurance records, insured, insurer, coverage, cover, covers, covered, copay, copays, co pay, copayment, deductible, payer, policy, benefits, eligibility, health plan, out of pocket"},
	{kind: want, tools: []string{toolRecords, toolLabs, toolBilling, toolInsurance}, phrases: "everything, full picture, complete picture, full encounter, full workup, all data, all information, all info, everything there is"},
	{kind: vague, phrases: "summary, summarize, summarise, overview, how is, who is, tell me about, brief me, catch me up, walk me through"},

	{kind: verb, able: look, phrases: "show, list, display, view, see, review, read, look, look up, look at, find, pull, pull up, fetch, retrieve, check, check on, tell, open, compare, explain, access, examine, inspect"},
	{kind: verb, phrases: "get, bring, grab, obtain, include, generate, do, run, go, go ahead and, proceed"},
	{kind: verb, able: ableNote, phrases: "add, enter, leave, document, save, draft, append, jot down"},
	{kind: verb, able: ableNote | ableClaim | ableGive, phrases: "write"},
	{kind: verb, able: ableNote | ableClaim, phrases: "make, create, put in"},
	{kind: verb, able: ableClaim, phrases: "file, submit, send, send in, lodge, raise"},
	{kind: verb, able: ableGive, phrases: "give, start, begin, initiate, order, put, continue, switch, dispense, add on, treat"},
	{kind: verb, able: ablePrescribe, phrases: "prescribe, rx, refill, renew"},
	{kind: skip, phrases: "give me, give us, get me, treatment plan, no problem, no doubt, no worries, not only, not sure, or not, if not, don't forget to, do not forget to, don't forget, do not forget, " +
		"why not, don't mind, since last visit, since the last visit, since her last visit, since his last visit, the assistant, this request, insurance company, before answering"},

	{kind: prescription, phrases: "prescription, script"},
	{kind: noteNoun, phrases: "note, notes, clinical note, clinical notes, progress note, progress notes, soap note, visit note, visit notes, chart note"},
	{kind: noteThat, phrases: "note that, record that, document that, chart that, note down that, note down, record a note, record note, record the note"},
	{kind: claimNoun, phrases: "claim, claims, insurance claim, insurance claims"},
	{kind: claimIt, phrases: "claim it, claim this, claim that"},
	{kind: codes, phrases: "code, codes, coding, cpt, icd, cpt code, cpt codes, icd codes, icd 10 codes, billing code, billing codes, procedure codes, medical codes, " +
		"bill the, bill this, bill today, code the, code this, code today"},
	{kind: interactions, phrases: "interaction, interactions, drug interaction, drug interactions, interact, interacts, interacting, safe, safely, safety, contraindication, contraindications, contraindicated, " +
		"combine, combined, conflict, conflicts, compatible"},
	{kind: allergic, phrases: "allergic"},

	{kind: hedge, phrases: "can i, can we, could i, could we, should i, should we, may i, may we, would it, whether, before, safe to, ok to, okay to, possible to, consider, if i, if we, thinking of, what if"},
	{kind: not, phrases: "not, no, never, without, except, skip, omit, excluding, do not, don't, dont, does not, doesn't, must not, no need to, nor, avoid, rather than, " +
		"stop, cancel, delete, erase, remove, discontinue"},
	{kind: instead, phrases: "but, just, only, instead"},
	{kind: query, phrases: "is, are, was, does, did, has, have, had, what, which, any"},
	{kind: also, phrases: "also, and also, additionally, plus, as well as"},
	{kind: then, phrases: "then, and then, please, thanks, thank, afterwards, if, him, them, me, us"},
	{kind: own, phrases: "this patient, the patient, my patient, our patient, current patient, same patient"},
	{kind: it, phrases: "it"},
	{kind: on, phrases: "on"},
	{kind: purpose, phrases: "for, against, because of, due to, to treat, as treatment for, to help with, to manage"},
	{kind: frequency, phrases: "daily, nightly, weekly, once daily, twice daily, three times daily, four times daily, once a day, twice a day, three times a day, four times a day, every day, " +
		"once a week, once weekly, at night, at bedtime, in the morning, as needed, prn, bid, tid, qid, qd, qhs"},
})

// A phrase is one phrase of an entry.
type phrase struct {
	words []string
	entry *entry
}

// index maps a first word to its phrases, longest first.
func index(entries []entry) map[string][]phrase {
	out := map[string][]phrase{}
	for i := range entries {
		for text := range strings.SplitSeq(entries[i].phrases, ", ") {
			words := strings.Fields(text)
			out[words[0]] = append(out[words[0]], phrase{words, &entries[i]})
		}
	}
	for _, list := range out {
		slices.SortStableFunc(list, func(a, b phrase) int { return cmp.Compare(len(b.words), len(a.words)) })
	}
	return out
}

// lookUp returns the longest phrase that the tokens begin with, and its length.
func lookUp(tokens []token) (*entry, int) {
	for _, p := range lexicon[tokens[0].text] {
		if len(p.words) <= len(tokens) && slices.EqualFunc(p.words, tokens[:len(p.words)], func(w string, t token) bool { return w == t.text }) {
			return p.entry, len(p.words)
		}
	}
	return nil, 0
}
