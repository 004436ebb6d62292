package planner

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// Short names the tools in the tables of the tests.
var Short = map[string]string{toolRecords: "records", toolLabs: "labs", toolBilling: "billing", toolInsurance: "insurance", toolCheck: "check",
	toolPrescribe: "prescribe", toolNote: "note", toolCodes: "codes", toolClaim: "claim"}

func (t task) line() string {
	name := Short[t.tool()]
	switch t.topic {
	case medications:
		name = "meds"
	case refill:
		name = "refill"
	case change:
		name = "change"
	}
	out := []string{name}
	if t.patient != "P-1042" {
		out = append(out, t.patient)
	}
	about := t.about
	if _, reads := sources[t.topic]; reads && t.topic != medications {
		about = ""
	}
	for _, arg := range []string{about, t.dose, t.frequency} {
		if arg != "" {
			out = append(out, arg)
		}
	}
	if t.indication != "" {
		out = append(out, "for "+t.indication)
	}
	if t.text != "" {
		out = append(out, fmt.Sprintf("%q", t.text))
	}
	return strings.Join(append(out, t.codes...), " ")
}

func lines(tasks []task) []string {
	var out []string
	for _, t := range tasks {
		out = append(out, t.line())
	}
	return out
}

func TestUnderstand(t *testing.T) {
	tests := []struct {
		about    string
		requests []string
		want     []string
	}{
		{"the guides: billing", []string{
			"Show billing history and insurance coverage", "Check billing and insurance", "billing and insurance please",
			"What does she owe, and what is covered?", "Hi! Could you please check the bills, and her insurance plan? Thanks a lot!",
			"SHOW BILLING AND INSURANCE", "billing/insurance",
		}, []string{"billing", "insurance"}},
		{"the guides: clinical", []string{
			"Show records and lab results", "records and labs please", "Pull up the chart and the latest blood work.",
			"I'd like to see this patient's medical history and lab results", "Get P-1042's chart; labs too.",
		}, []string{"records", "labs"}},
		{"the guides: records", []string{
			"Show medical records", "show the chart", "What problems and allergies does the patient have?", "Show the visit notes",
			"medical records for patient P-1042", "chart",
		}, []string{"records"}},
		{"the guides: a full encounter", []string{
			"Show records, check billing, and prescribe Lisinopril",
			"Pull the chart, look at the bills and then prescribe lisinopril.",
		}, []string{"records", "billing", "prescribe Lisinopril"}},
		{"the guides: another patient", []string{
			"Show me records for this patient and also get records for P-2187", "Show records. Also for P-2187.", "records for this patient and P-2187",
			"Get the records of P-1042 and P-2187", "Show P-1042's records and P-2187's records",
		}, []string{"records", "records P-2187"}},
		{"the guides: a prescription with its reason", []string{
			"Prescribe Amoxicillin for bacterial infection", "prescribe amoxicillin for a bacterial infection, please",
			"Please write a prescription for amoxicillin for bacterial infection", "Could you start her on amoxicillin because of bacterial infection?",
		}, []string{"prescribe Amoxicillin for bacterial infection"}},

		{"only the other patient", []string{"get the chart of P-2187", "Get P-2187", "For P-2187, show the chart"}, []string{"records P-2187"}},
		{"an ID as written", []string{"get the chart of p2187"}, []string{"records p2187"}},
		{"both things about the other patient", []string{"Get labs and records for P-2187", "For P-2187, show labs and pull the chart"},
			[]string{"labs P-2187", "records P-2187"}},
		{"each thing about its own patient", []string{"Show labs and also get records for P-2187", "Show labs and also records for P-2187", "P-1042's labs, P-2187's records"},
			[]string{"labs", "records P-2187"}},
		{"three patients", []string{"Compare the labs of this patient, P-2187 and P-3301"}, []string{"labs", "labs P-2187", "labs P-3301"}},
		{"everything", []string{"Show me everything", "the full picture please"}, []string{"records", "labs", "billing", "insurance"}},
		{"everything but", []string{"everything except billing"}, []string{"records", "labs", "insurance"}},
		{"an overview", []string{"Give me a summary", "How is the patient doing?"}, []string{"records", "labs"}},
		{"what is not wanted", []string{"Show records but not labs", "no labs, just records", "records without labs", "Don't show the labs, show the records",
			"Show records and don't prescribe Lisinopril", "Do not prescribe anything; just show records"}, []string{"records"}},
		{"no is also an answer", []string{"No, show the records", "don't forget to show the records"}, []string{"records"}},

		{"doses", []string{"Prescribe Lisinopril 10 mg once daily for high blood pressure", "prescribe 10mg of lisinopril once daily for high blood pressure",
			"Please put the patient on lisinopril 10 mg once daily to treat high blood pressure"},
			[]string{"prescribe Lisinopril 10 mg once daily for high blood pressure"}},
		{"a course", []string{"prescribe amoxicillin 500 mg every 8 hours for sinusitis"}, []string{"prescribe Amoxicillin 500 mg every 8 hours for sinusitis"}},
		{"a longer course", []string{"prescribe amoxicillin 500 mg twice daily for 7 days"}, []string{"prescribe Amoxicillin 500 mg twice daily for 7 days"}},
		{"a reason with a number", []string{"prescribe metformin 500 mg twice daily for type 2 diabetes"}, []string{"prescribe Metformin 500 mg twice daily for type 2 diabetes"}},
		{"the same for another", []string{"Prescribe Lisinopril for this patient and also for P-2187"},
			[]string{"prescribe Lisinopril", "prescribe P-2187 Lisinopril"}},
		{"two drugs", []string{"Prescribe Amoxicillin and Ibuprofen"},
			[]string{"prescribe Amoxicillin", "prescribe Ibuprofen"}},
		{"a brand", []string{"prescribe Zestril"}, []string{"prescribe Lisinopril"}},
		{"a drug that nobody knows", []string{"Prescribe Foobarol", "please prescribe her some foobarol"}, []string{"prescribe Foobarol"}},
		{"to prescribe for another", []string{"Prescribe Amoxicillin for P-2187", "For P-2187, prescribe amoxicillin"}, []string{"prescribe P-2187 Amoxicillin"}},
		{"a drug in the clause before", []string{"Check the interactions of Ibuprofen, then prescribe it", "check ibuprofen and prescribe it if safe"},
			[]string{"check Ibuprofen", "prescribe Ibuprofen"}},
		{"only a check", []string{"Check interactions with Ibuprofen", "Is it safe to give her ibuprofen?", "Can I prescribe ibuprofen?", "ibuprofen?",
			"does ibuprofen interact with what she takes", "Should we start her on ibuprofen?", "check whether to prescribe ibuprofen",
			"Check for interactions before prescribing ibuprofen", "give me the interactions of ibuprofen", "What about Advil?"}, []string{"check Ibuprofen"}},
		{"a drug in passing", []string{"Show labs since she started warfarin"}, []string{"labs"}},
		{"no drug", []string{"Prescribe something for hypertension", "prescribe an antibiotic", "write a prescription"}, nil},

		{"a note", []string{"Add a note: pressure is better, recheck labs", `write a clinical note "pressure is better, recheck labs"`,
			"Document that pressure is better, recheck labs", "Please add a note that pressure is better, recheck labs."}, []string{`note "pressure is better, recheck labs"`}},
		{"a note and more", []string{`Show labs, add the note "file a claim for P-2187", and check billing`}, []string{"labs", `note "file a claim for P-2187"`, "billing"}},
		{"a note of what is found", []string{"Show labs and write a note"}, []string{"labs", "note"}},
		{"a note, then more", []string{"Write a note and check billing", "add a note. Then check billing."}, []string{"note", "billing"}},
		{"codes", []string{"Generate billing codes for the office visit", "code the office visit", "bill today's office visit"}, []string{`codes "office visit"`}},
		{"codes, then a claim", []string{"Generate billing codes for the office visit and then file an insurance claim", "code the office visit and submit a claim"},
			[]string{`codes "office visit"`, "claim"}},
		{"a claim", []string{"File an insurance claim", "please submit the claim"}, []string{"claim"}},
		{"a claim for codes", []string{"File a claim for 99213 and 83036"}, []string{"claim 99213 83036"}},
		{"claims that exist", []string{"Show the claims", "claim status", "what did the claims cost"}, []string{"billing"}},

		{"nothing that is known", []string{"Hello there", "What is the weather?", "", "???", "thank you", "what can you do", "Can you help me?",
			"Delete her records", "Cancel her prescription", "Stop warfarin", "Book an appointment"}, nil},
	}
	for _, tt := range tests {
		for _, request := range tt.requests {
			if got := lines(understand(request, "P-1042").tasks); !slices.Equal(slices.Compact(got), tt.want) {
				t.Errorf("%s: understood %q, want %q", request, got, tt.want)
			}
		}
	}
}

// Every phrase of the lexicon is recognized as its own entry: it is not listed in two,
// and its words are words to the tokenizer. The lists that supplement the lexicon
// don't repeat it.
func TestLexicon(t *testing.T) {
	for _, phrases := range lexicon {
		for _, p := range phrases {
			tokens, _ := tokenize(strings.Join(p.words, " "))
			if e, n := lookUp(tokens); e != p.entry || n != len(p.words) {
				t.Errorf("%q is not recognized as its entry", p.words)
			}
		}
	}
	for _, w := range notDrugs {
		if e, _ := lookUp([]token{{text: w}}); e != nil || len(w) < 4 {
			t.Errorf("notDrugs needs no %q", w)
		}
	}
	for _, w := range notNames {
		if isReal(w) {
			t.Errorf("notNames needs no %q", w)
		}
	}
}
