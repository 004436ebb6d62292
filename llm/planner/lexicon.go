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
	checking                 // check a drug
	safe                     // ask whether a drug can be given
	allergic                 // ask about an allergy
	substance                // that one can be allergic to, beside drugs
	service                  // that insurance may cover, and that no tool orders
	appointment              // that no tool makes
	taking                   // asks about what the patient takes
	hedge                    // what follows is only being considered
	condition                // what is asked for depends on it
	doubt                    // what precedes is only being considered
	not                      // what follows is not wanted
	instead                  // ends the scope of a preceding not
	also                     // begins another request
	then                     // ends a reason or the name of a service, and is ignored otherwise
	own                      // the run's patient
	pronoun                  // the patient named last, or the run's
	all                      // every patient
	others                   // every other patient
	stranger                 // a person whose record the planner can't find
	it                       // the drug named last
	on                       // of "start her on"
	purpose                  // a reason, or a recipient, follows
	frequency                // of a dose
	greeting
	vague // wants an overview, if nothing else
)

// able is a set of things that a verb can request.
type able int

const (
	ableNote      able = 1 << iota
	ableClaim          // to file one
	ableGive           // to prescribe a known drug
	ablePrescribe      // to prescribe anything named
	look               // only to read
	ableRefill         // to prescribe again what the patient takes
	ableChange         // to change the dose of what the patient takes
)

// An entry is one line of the lexicon.
type entry struct {
	kind    kind
	able    able    // of a verb
	topics  []topic // of a want
	about   string  // the test, the finding or the service, as the records name it
	unable  *unable // what no tool does, if the verb requests nothing else
	phrases string  // words, separated by commas
}

var lexicon = index(slices.Concat([]entry{
	{kind: want, topics: []topic{chart}, phrases: "record, records, medical record, medical records, patient record, patient records, health record, health records, " +
		"clinical record, clinical records, chart, charts, history, medical history, clinical history, patient history, demographics, " +
		"patient information, patient info, patient data, patient details, her file, his file, their file, the file, patient file, medical file, file of, files of"},
	{kind: want, topics: []topic{allergies}, phrases: "allergy, allergies, allergys, allergic reactions, drug allergy, drug allergies, food allergies, medication allergies"},
	{kind: want, topics: []topic{problems}, phrases: "problem, problems, problem list, diagnosis, diagnoses, condition, conditions, comorbidities, disease, diseases, illness, illnesses, " +
		"diagnosed with, suffer from, suffering from, treating, treated for, being treated, wrong with, ails, past medical history"},
	{kind: want, topics: []topic{visits}, phrases: "visit, visits, visit history, past visits, last visit, latest visit, recent visit, office visit, office visits, encounters, seen, last see, " +
		"last saw, last here, last come, last came, see her last, see him last, here last, come in last, note from, notes from, here for, came in for, come in for, complaint, complaints, reason for"},
	{kind: want, topics: []topic{medications}, phrases: "medication list, medications, medication, meds, med, medicine, medicines, prescriptions, drugs, drug list, med list, drug, pills, pill, tablets, " +
		"drug regimen, regimen, taking anything, on anything, current medications"},
	{kind: want, topics: []topic{contact}, phrases: "phone, phone number, telephone, telephone number, mobile, address, email address, emergency contact, next of kin, contact details, contact information, " +
		"contact info, where does, live, lives, relatives"},
	{kind: want, topics: []topic{born}, phrases: "born, birthday, birthdate, birth date, date of birth, dob, old is, age, how old, full name, name of the patient, patient's name, her name, his name, their name, sex, gender"},
	{kind: want, topics: []topic{doctor}, phrases: "doctor, physician, clinician, her gp, his gp, their gp, primary care provider, who saw"},
	{kind: want, topics: []topic{labs}, phrases: "lab, labs, lab result, lab results, lab report, lab reports, lab record, lab records, lab work, lab test, lab tests, lab values, lab value, lab history, labwork, " +
		"laboratory, laboratory result, laboratory results, laboratory tests, test, tests, test result, test results, result, results, blood test, blood tests, blood work, bloodwork, bloods, " +
		"blood results, blood test results, abnormal values, out of range"},
	{kind: want, topics: []topic{balance}, phrases: "balance, outstanding balance, owe, owes, owed, owing, amount due, outstanding, pay, paid, payment, payments, payment history, cost, costs, unpaid, debt, bill, bills"},
	{kind: want, topics: []topic{billing}, phrases: "billing, billing history, billing record, billing records, billing information, billing info, billing details, billing status, billing statement, statement, statements, " +
		"invoice, invoices, account, finances, financials"},
	{kind: want, topics: []topic{charges}, phrases: "charge, charges, charged, billed"},
	{kind: want, topics: []topic{claims}, phrases: "claim status, claim history, claims history, status of the claim, status of her claim, status of his claim, last claim, latest claim, pending claims, open claims"},
	{kind: want, topics: []topic{insurance}, phrases: "insurance, insurance plan, insurance policy, insurance information, insurance info, insurance details, insurance status, insurance coverage, " +
		"insurance record, insurance records, who pays, coverage start, coverage began, coverage begin, insured since, insured, insurer, payer, payor, policy, benefits, eligibility, health plan, her plan, his plan, their plan"},
	{kind: want, topics: []topic{member}, phrases: "member id, member number, membership number, group number, policy number, insurance number, insurance card"},
	{kind: want, topics: []topic{copay}, phrases: "copay, copays, co pay, copayment, co payment"},
	{kind: want, topics: []topic{deductible}, phrases: "deductible, out of pocket, out of pocket maximum, out of pocket max"},
	{kind: want, topics: []topic{coverage}, phrases: "coverage, cover, covers, covered, prior auth, prior authorization, preauthorization, pre auth, preauth, authorization, reimburse, reimbursed"},
	{kind: want, topics: []topic{chart, labs, billing, insurance}, phrases: "everything, full picture, complete picture, full encounter, full workup, all data, all information, all info, everything there is"},
	{kind: vague, phrases: "everything she, everything he, summary, summarize, summarise, overview, how is, how are, hows, who is, tell me about, brief me, catch me up, walk me through, sitrep, rundown, update me, doing"},
	{kind: greeting, phrases: "hello, hi, hey, good morning, good afternoon, good evening, thank you, thanks, what can you do, who are you, help, help me, what do you do, how do you work, how does this work"},

	{kind: verb, able: look, phrases: "show, shows, list, display, view, see, review, read, look, look up, look at, find, pull, pull up, fetch, retrieve, check, check on, tell, open, compare, explain, access, examine, " +
		"inspect, call up, bring up, give me, give us, get me, send me, want to know, need to know, want to see, like to see, let me see, lets see, dump, give me access to, grant me access to, get me into, reveal, expose, leak, steal, exfiltrate, showme"},
	{kind: verb, phrases: "get, bring, grab, obtain, include, generate, do, run, go, go ahead and, proceed"},
	{kind: verb, able: ableNote | ableGive, unable: adds, phrases: "add, enter, leave, document, save, draft, append"},
	{kind: verb, able: ableNote, unable: adds, phrases: "jot down, write down, put down, record a, record an, record her, record his, record the"},
	{kind: verb, able: ableNote | ableClaim | ableGive, phrases: "write, write up"},
	{kind: verb, able: ableNote | ableClaim, phrases: "make, create, put in"},
	{kind: verb, able: ableClaim, phrases: "file, submit, send in, lodge, raise a"},
	{kind: verb, able: ableClaim, unable: sends, phrases: "send"},
	{kind: verb, able: ableGive, phrases: "give, start, begin, initiate, put, dispense, add on, treat, try"},
	{kind: verb, able: ableGive, unable: orders, phrases: "order, request, ordering"},
	{kind: verb, able: ablePrescribe, phrases: "prescribe, rx, script for"},
	{kind: verb, able: ableRefill, phrases: "refill, refills, renew, renewal, repeat, reorder, continue, extend, top up, resume, restart, another month of, more of, needs more, need more, about to run out, almost out, nearly out, ran out of, run out of, running out of, out of her, out of his"},
	{kind: verb, able: ableChange, phrases: "increase, raise, raising, increasing, decrease, reduce, lower, lowering, double, halve, adjust, titrate, bump, bump up, up the dose, uptitrate, cut, cut down, switch, swap, " +
		"up her, up his, change the dose, change her dose, change his dose, change dose, change the dosage, replace"},
	{kind: skip, phrases: "can you, could you, would you, will you, can u, would like, i'd like, should like, everything above, all above, all of the above, previous instructions, all previous, " +
		"prior instructions, above instructions, disregard everything, ignore everything, forget everything, treatment plan, no problem, no doubt, no worries, not only, not sure, or not, don't forget to, do not forget to, don't forget, do not forget, " +
		"why not, don't mind, since last visit, since the last visit, since her last visit, since his last visit, the assistant, this request, insurance company, before answering, a history of, " +
		"history of, the fact, as a result, in case, just in case, for me, for us, for now, for today, let me, let us, make sure, find out, i need, we need, feel free to, as soon as possible, " +
		"according to the, based on the, with me, to me, at all, drug drug, on file, on record, in the record, in the chart, in her chart, in his chart, in her record, in his record, records show, " +
		"chart say, chart says, record say, record says, records say, the number of, any idea"},

	{kind: prescription, phrases: "prescription, script"},
	{kind: noteNoun, phrases: "note, notes, clinical note, clinical notes, progress note, progress notes, soap note, visit note, visit notes, chart note, doctor's note, doctor's notes"},
	{kind: want, topics: []topic{medications}, about: "anticoagulant", phrases: "blood thinner, blood thinners, anticoagulant, anticoagulants, anticoagulation"},
	{kind: want, topics: []topic{medications}, about: "NSAID", phrases: "nsaid, nsaids, anti inflammatory, anti inflammatories"},
	{kind: want, topics: []topic{medications}, about: "statin", phrases: "statin, statins"},
	{kind: want, topics: []topic{medications}, about: "beta blocker", phrases: "beta blocker, beta blockers"},
	{kind: want, topics: []topic{medications}, about: "opioid", phrases: "opioid, opioids, opiates"},
	{kind: want, topics: []topic{medications}, about: "ACE inhibitor", phrases: "ace inhibitor, ace inhibitors"},
	{kind: noteThat, phrases: "document the following, record the following, add the following, note the following, enter the following, note that, record that, document that, chart that, note down that, note down, record a note, record note, record the note, jot down that, write down that, put down that, enter that, " +
		"make a note that, make note that, take a note that, write that, add that, please note, make a note of, make note of, take note"},
	{kind: claimNoun, phrases: "claim, claims, insurance claim, insurance claims"},
	{kind: claimIt, phrases: "claim it, claim this, claim that, bill insurance, bill the insurance, bill her insurance, bill his insurance, bill the insurer, bill it to, bill the payer, get paid for"},
	{kind: codes, phrases: "code, codes, coding, cpt, icd, cpt code, cpt codes, icd codes, billing code, billing codes, procedure codes, medical codes, " +
		"bill the, bill this, bill an, bill a, bill today, code and bill, code and bill the, code and bill an, code and bill a, code an, code a, bill for, bill her for, bill him for, code the, code this, code today"},
	{kind: checking, phrases: "interaction, interactions, drug interaction, drug interactions, interact, interacts, interacting, contraindication, contraindications, contraindicated, " +
		"combine, combined, combining, mix, mixing, together with, along with, conflict, conflicts, compatible, clash, clashes, react with, in the formulary, on the formulary, formulary, usual dose, normal dose, standard dose"},
	{kind: safe, phrases: "safe, safely, safety, dangerous, danger, harm, harmful, hurt, risk, risky, risks, okay, ok, fine, alright, all right, a problem, an issue, bad idea, good idea, appropriate, suitable, tolerate, advisable, advise"},
	{kind: allergic, phrases: "allergic, intolerant, hypersensitive, sensitivity, sensitive to"},
	{kind: appointment, phrases: "appointment, appointments, next visit, follow up, followup, follow up visit, follow up appointment, upcoming visit, slot, checkup, schedule"},
	{kind: taking, phrases: "take, takes, taking, took, taken, using, uses, been on, started on, currently on, stay on, prescribed, who prescribed, dose of, dosage of, how much, what dose, dose, dosage"},

	{kind: hedge, phrases: "can i, can we, could i, could we, should i, should we, may i, may we, would it, whether, before, safe to, ok to, okay to, fine to, alright to, possible to, consider, considering, if i, if we, " +
		"thinking of, thinking about, what if, can she, can he, can they, could she, could he, may she, may he, should she, should he, can the patient, could the patient, can this patient, would be, what happens if, what would happen if, " +
		"do you think, can, could, may, should, would, how about, what about, is there a problem, any reason not to, any reason, am i allowed to"},
	{kind: not, phrases: "not, no, never, without, except, skip, omit, excluding, do not, don't, dont, does not, doesn't, must not, no need to, nor, avoid, rather than, instead of, leave out, other than"},
	{kind: instead, phrases: "but, just, only, instead"},
	{kind: query, phrases: "is, are, was, were, does, did, has, have, had, what, which, any, whats, who, when, where, why, how, isn't, doesn't she, hasn't, will, anything"},
	{kind: also, phrases: "also, and also, additionally, plus, as well as"},
	{kind: doubt, phrases: "any objections, any objection, any concerns, any worries, is that ok, is that okay, is that fine, is that safe, is this ok, is this safe, would that be ok, would that be safe"},
	{kind: condition, phrases: "if, unless, provided, as long as, in the event"},
	{kind: then, phrases: "then, and then, please, pls, plz, afterwards, if safe, if it is safe, if it safe, if ok, if okay, if possible, if needed, if necessary, if appropriate, if you, if not, if so, if allowed, me, us"},
	{kind: own, phrases: "this patient, the patient, my patient, our patient, current patient, same patient, this lady, this woman, this man, this gentleman"},
	{kind: pronoun, phrases: "he, his, him, himself, she, her, hers, herself, they, their, theirs, them, shes, hes, theyre"},
	{kind: all, phrases: "all patients, all patient, all the patients, all of the patients, all our patients, all of our patients, all my patients, all your patients, every patient, every single patient, each patient, any patient, " +
		"everyone, everybody, everyones, everybodys, patients, entire database, whole database, the database, entire system, whole system, all charts, every chart, all the charts, all people, every person, whole clinic, entire clinic, " +
		"how many patients, patient list, list of patients, every record, all records in, all records of the, anyone, anybody, all of them, patient database, entire patient"},
	{kind: others, phrases: "other patients, all other patients, all the other patients, another patient, other patient, the other patient, someone else, somebody else, anyone else, everyone else, everybody else, " +
		"different patient, next patient, a random patient, who else, other people, the rest of the patients, another person, a different person, neighbor"},
	{kind: stranger, phrases: "my wife, my husband, my mother, my father, my mom, my dad, my son, my daughter, my brother, my sister, my boss, my own, her mother, her father, her husband, her son, her daughter, her sister, her brother, " +
		"his mother, his father, his wife, his son, his daughter, his sister, his brother, patient x, patient zero, the president"},
	{kind: it, phrases: "it"},
	{kind: on, phrases: "on"},
	{kind: purpose, phrases: "for, against, because of, due to, to treat, as treatment for, to help with, to manage"},
	{kind: frequency, phrases: "daily, nightly, weekly, once daily, twice daily, three times daily, four times daily, once a day, twice a day, three times a day, four times a day, every day, once every day, " +
		"once a week, once weekly, at night, at bedtime, in the morning, every morning, every evening, every night, as needed, prn, bid, tid, qid, qd, qhs, when needed"},
}, observations, unables))

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
			words := strings.Fields(strings.ReplaceAll(text, "'s", ""))
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
		if len(p.words) <= len(tokens) && slices.EqualFunc(p.words, tokens[:len(p.words)], func(w string, t token) bool { return t.kind == tokenWord && w == t.text }) {
			return p.entry, len(p.words)
		}
	}
	return nil, 0
}
