package planner

import (
	"regexp"
	"slices"
	"strings"

	itext "github.com/devonartis/medassist-go/internal/text"
)

// A drug is recognized by the stem that its class shares (WHO, "The use of stems in
// the selection of International Nonproprietary Names"), or by name.
var drugStem = regexp.MustCompile(`^[a-z]{2,}(?:cillin|pril|sartan|statin|olol|prazole|conazole|nidazole|mycin|cycline|floxacin|dipine|gliptin|gliflozin|glutide|xaban|oxetine|triptan|` +
	`profen|coxib|azepam|zolam|setron|tidine|terol|sone|lukast|thiazide|semide|fibrate|cef|vir|dronate|codone|morphone)$`)

var drugNames = words(`acetaminophen, albuterol, allopurinol, amitriptyline, aspirin, budesonide, bupropion, cephalexin, cetirizine, citalopram, clopidogrel,
	codeine, colchicine, dabigatran, diclofenac, digoxin, diltiazem, escitalopram, fentanyl, gabapentin, glipizide, heparin, insulin, ketorolac, levothyroxine,
	lithium, loratadine, metformin, methotrexate, morphine, naproxen, nitrofurantoin, nitroglycerin, paracetamol, penicillin, phenytoin, pregabalin, prednisolone,
	salbutamol, sertraline, sildenafil, spironolactone, sulfamethoxazole, tamsulosin, tramadol, trazodone, trimethoprim, venlafaxine, verapamil, warfarin`)

// brands maps brand names to the names that the records use.
var brands = map[string]string{
	"advil": "ibuprofen", "motrin": "ibuprofen", "nurofen": "ibuprofen", "aleve": "naproxen", "tylenol": "paracetamol", "panadol": "paracetamol",
	"acetaminophen": "paracetamol", "coumadin": "warfarin", "glucophage": "metformin", "lipitor": "atorvastatin", "zestril": "lisinopril",
	"prinivil": "lisinopril", "norvasc": "amlodipine", "amoxil": "amoxicillin", "biaxin": "clarithromycin", "prilosec": "omeprazole",
}

// notDrugs lists words that can follow "prescribe" but are not drugs.
var notDrugs = words(`about, again, already, another, antibiotic, antibiotics, anything, appropriate, best, different, dose, doses, drug, drugs, further, her, him, medication,
	medications, medicine, medicines, more, needed, nothing, other, painkiller, painkillers, patient, patients, pill, pills, right, some, something, suitable,
	tablet, tablets, that, the, their, them, these, this, those, treatment, treatments, usual, what, whatever, with, same, today, tomorrow, now, under, over`)

func words(list string) []string {
	var out []string
	for w := range strings.SplitSeq(list, ",") {
		out = append(out, strings.TrimSpace(w))
	}
	slices.Sort(out)
	return out
}

// isDrug reports whether a word in lower case is a known drug name.
func isDrug(word string) bool {
	if _, known := brands[word]; known {
		return true
	}
	_, known := slices.BinarySearch(drugNames, word)
	return known || len(word) >= 6 && drugStem.MatchString(word)
}

// couldBeDrug reports whether a word can be a drug name where one is expected.
func couldBeDrug(word string) bool {
	_, not := slices.BinarySearch(notDrugs, word)
	return !not && len(word) >= 4
}

// drugName returns a drug's name as the records spell it.
func drugName(word string) string {
	if generic, ok := brands[word]; ok {
		word = generic
	}
	return itext.Capitalize(word)
}

// sameDrug reports whether an allergy to a substance rules out a drug: both are the
// same, or both are penicillins.
func sameDrug(substance, drug string) bool {
	s, d := strings.ToLower(strings.TrimSuffix(substance, "s")), strings.ToLower(drug)
	return s != "" && (strings.Contains(d, s) || strings.Contains(s, d)) ||
		strings.Contains(s, "penicillin") && strings.HasSuffix(d, "cillin")
}
