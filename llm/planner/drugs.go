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

// drugNames lists drugs by name. A word near one of them is a misspelling, so that
// the list holds drugs with stems too.
var drugNames = words(`acetaminophen, acyclovir, albuterol, alendronate, allopurinol, alprazolam, amiodarone, amitriptyline, amlodipine, amoxicillin, ampicillin, apixaban, aspirin,
	atenolol, atorvastatin, azathioprine, azithromycin, baclofen, benazepril, bisoprolol, budesonide, bumetanide, bupropion, buspirone, candesartan, captopril, carbamazepine,
	carvedilol, cefalexin, cefazolin, cefdinir, cefixime, ceftriaxone, cefuroxime, celecoxib, cephalexin, cetirizine, chlorpromazine, chlorpropamide, chlorthalidone, ciprofloxacin,
	citalopram, clarithromycin, clindamycin, clobazam, clonazepam, clonidine, clopidogrel, clozapine, codeine, colchicine, cyclobenzaprine, cyclophosphamide, cyclosporine,
	dabigatran, dapagliflozin, dexamethasone, diazepam, diclofenac, digoxin, diltiazem, diphenhydramine, donepezil, doxazosin, doxycycline, dulaglutide, duloxetine, edoxaban,
	empagliflozin, enalapril, enoxaparin, erythromycin, escitalopram, esomeprazole, estradiol, ezetimibe, famotidine, felodipine, fentanyl, fexofenadine, finasteride, fluconazole,
	fluoxetine, fluticasone, folate, fosinopril, furosemide, gabapentin, gemfibrozil, glimepiride, glipizide, glyburide, haloperidol, heparin, hydralazine, hydrochlorothiazide,
	hydrocodone, hydrocortisone, hydromorphone, hydroxychloroquine, hydroxyzine, ibuprofen, indapamide, indomethacin, insulin, irbesartan, ketoconazole, ketoprofen, ketorolac,
	labetalol, lamotrigine, lansoprazole, levetiracetam, levofloxacin, levothyroxine, lidocaine, linagliptin, liraglutide, lisinopril, lithium, loperamide, loratadine, lorazepam,
	losartan, lovastatin, meloxicam, metformin, methadone, methimazole, methocarbamol, methotrexate, methylphenidate, methylprednisolone, metoclopramide, metolazone, metoprolol,
	metronidazole, midazolam, mirtazapine, montelukast, morphine, moxifloxacin, mycophenolate, naloxone, naproxen, nebivolol, nifedipine, nitrofurantoin, nitroglycerin, norethindrone,
	nortriptyline, olanzapine, olmesartan, omeprazole, ondansetron, oxcarbazepine, oxycodone, pantoprazole, paracetamol, paroxetine, penicillin, perindopril, phenobarbital,
	phenytoin, pioglitazone, pravastatin, prazosin, prednisolone, prednisone, pregabalin, promethazine, propranolol, quetiapine, quinapril, ramipril, ranitidine, risperidone,
	rivaroxaban, rosuvastatin, salbutamol, semaglutide, sertraline, sildenafil, simvastatin, sitagliptin, spironolactone, sulfadiazine, sulfamethoxazole, sulfasalazine, sumatriptan,
	tacrolimus, tadalafil, tamsulosin, telmisartan, terbinafine, tetracycline, ticagrelor, tizanidine, topiramate, torsemide, tramadol, trazodone, trimethoprim, valacyclovir,
	valproate, valsartan, vancomycin, venlafaxine, verapamil, warfarin, zolpidem`)

// brands maps brand names and other names to the names that the records use.
var brands = map[string]string{
	"advil": "ibuprofen", "motrin": "ibuprofen", "nurofen": "ibuprofen", "aleve": "naproxen", "tylenol": "paracetamol", "panadol": "paracetamol",
	"acetaminophen": "paracetamol", "coumadin": "warfarin", "glucophage": "metformin", "lipitor": "atorvastatin", "zestril": "lisinopril",
	"prinivil": "lisinopril", "norvasc": "amlodipine", "amoxil": "amoxicillin", "biaxin": "clarithromycin", "prilosec": "omeprazole",
	"bactrim": "sulfamethoxazole", "septra": "sulfamethoxazole", "synthroid": "levothyroxine", "coreg": "carvedilol", "lopressor": "metoprolol", "pulmicort": "budesonide",
}

// notDrugs lists words of four letters or more that can follow "prescribe", are not
// drugs, and have no entry in the lexicon.
var notDrugs = words(`about, again, already, another, antibiotic, antibiotics, best, different, doses, further, more, needed, nothing, other, over, painkiller, painkillers, patient,
	right, same, some, something, tablet, that, these, this, those, today, tomorrow, treatment, treatments, under, usual, whatever, with`)

// A class is a group of drugs that share their effect, and allergies to them. Two
// drugs of a class that is once are not given together.
type class struct {
	name     string
	once     bool
	allergen string // as a record may name it, without its plural
	members  *regexp.Regexp
}

var classes = []class{
	{"NSAID", true, "nsaid", regexp.MustCompile(`profen$|coxib$|^(?:naproxen|diclofenac|ketorolac|meloxicam|indomethacin|aspirin)$`)},
	{"statin", true, "statin", regexp.MustCompile(`statin$`)},
	{"ACE inhibitor", true, "ace inhibitor", regexp.MustCompile(`pril$`)},
	{"angiotensin receptor blocker", true, "sartan", regexp.MustCompile(`sartan$`)},
	{"beta blocker", true, "beta blocker", regexp.MustCompile(`olol$|^carvedilol$`)},
	{"proton pump inhibitor", true, "proton pump inhibitor", regexp.MustCompile(`prazole$`)},
	{"anticoagulant", true, "anticoagulant", regexp.MustCompile(`xaban$|^(?:warfarin|dabigatran|heparin|enoxaparin)$`)},
	{"penicillin", false, "penicillin", regexp.MustCompile(`cillin$`)},
	{"sulfonamide", false, "sulfonamide", regexp.MustCompile(`^sulfa`)},
	{"macrolide", false, "macrolide", regexp.MustCompile(`thromycin$`)},
	{"opioid", true, "codeine", regexp.MustCompile(`codone$|morphone$|^(?:codeine|morphine|fentanyl|tramadol|methadone)$`)},
}

func classOf(drug string) (class, bool) {
	return findFirst(classes, func(c class) bool { return c.members.MatchString(strings.ToLower(drug)) })
}

// classNamed returns the class of a name.
func classNamed(name string) (class, bool) {
	return findFirst(classes, func(c class) bool { return c.name == name })
}

func words(list string) []string {
	var out []string
	for w := range strings.SplitSeq(list, ",") {
		out = append(out, strings.TrimSpace(w))
	}
	slices.Sort(out)
	return out
}

// maxDrugName bounds, in bytes, what can be a drug's name.
const maxDrugName = 60

// isListed reports whether a word in lower case is a drug by name.
func isListed(word string) bool {
	_, brand := brands[word]
	_, known := slices.BinarySearch(drugNames, word)
	return brand || known
}

// isDrug reports whether a word in lower case is a drug by name or by its stem.
func isDrug(word string) bool {
	return isListed(word) || len(word) >= 6 && len(word) <= maxDrugName && drugStem.MatchString(word)
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

// sameDrug reports whether two names are of one drug.
func sameDrug(a, b string) bool {
	return strings.EqualFold(drugName(strings.ToLower(a)), drugName(strings.ToLower(b)))
}

// isAllergen reports whether an allergy to a substance rules out a drug: both are the
// same, or of one class.
func isAllergen(substance, drug string) bool {
	s, d := strings.ToLower(strings.TrimSuffix(substance, "s")), strings.ToLower(drug)
	if s == "" || d == "" {
		return false
	}
	if strings.Contains(d, s) || strings.Contains(s, d) {
		return true
	}
	c, ok := classOf(d)
	return ok && strings.Contains(s, c.allergen)
}
