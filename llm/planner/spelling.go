package planner

import (
	"maps"
	"slices"
	"strings"
)

// Words shorter than this are not corrected: too many others are near.
const shortestWord = 4

// vocabulary holds the words that are not misspelled: those of the lexicon, the
// patients' names, the drugs and the functionWords.
var vocabulary = func() map[string]bool {
	out := map[string]bool{}
	for _, phrases := range lexicon {
		for _, p := range phrases {
			for _, w := range p.words {
				out[w] = true
			}
		}
	}
	for _, p := range directory {
		out[p.given], out[p.family] = true, true
	}
	for _, w := range slices.Concat(drugNames, functionWords) {
		out[w] = true
	}
	for brand := range brands {
		out[brand] = true
	}
	return out
}()

// targets lists the words that a misspelled one can be meant as: those that matter,
// because every word that is added here is near some other English word.
var targets = slices.Concat(drugNames, slices.Collect(maps.Keys(brands)), words(`active, address, allergic, allergies, allergy, amount, anything, appointment, appointments, asthma, authorization,
	balance, billing, bloodwork, breathing, cancel, chart, charts, check, cholesterol, claim, claims, clinical, codes, conditions, contraindicated, copayment, coverage, covered, creatinine, current,
	daily, deductible, delete, diabetes, diabetic, diagnoses, diagnosis, doctor, dosage, email, emergency, everybody, everyone, everything, every, generate, glucose, hemoglobin,
	history, hypertension, information, insurance, insured, interact, interaction, interactions, kidney, laboratory, labs, last, latest, list, medical, medication, medications,
	medicine, medicines, meds, notes, patient, patients, payment, pending, phone, physician, please, potassium, prescribe, prescribed, prescription, prescriptions, pressure, problems, pull, record,
	records, refill, results, review, schedule, show, smoker, stop, summary, summarize, surgery, taking, thanks, thyroid, twice, vaccination, visit, visits, vitals, what, when, which, with, write,
	alvarez, kessler, robert, zhang, ingrid, halvorsen, maria`))

// byLength holds the targets by length.
var byLength = func() map[int][]string {
	out := map[int][]string{}
	for _, w := range targets {
		out[len(w)] = append(out[len(w)], w)
	}
	return out
}()

// isReal reports whether a word is known, or is an English word that only looks
// like a known one.
func isReal(word string) bool {
	if vocabulary[word] {
		return true
	}
	_, real := slices.BinarySearch(realWords, word)
	return real
}

// correct returns the known word that a misspelled one is meant as: the only one
// within one edit, or within two for long words. Of short words only exchanged
// letters are corrected. It returns any other word unchanged.
func correct(word string) string {
	if meant, ok := shorthand[word]; ok {
		return meant
	}
	if len(word) < shortestWord || len(word) > maxDrugName || isReal(word) || isListed(word) {
		return word
	}
	if name, ok := strings.CutSuffix(word, "s"); ok { // "roberts chart"
		if _, known := personNamed(name); known {
			return name
		}
	}
	if isInflected(word) {
		return word
	}
	limit := 1
	if len(word) >= 8 {
		limit = 2
	}
	best, least, ties := word, limit+1, 0
	for n := len(word) - limit; n <= len(word)+limit; n++ {
		for _, w := range byLength[n] {
			if w[0] != word[0] && (len(word) < 7 || w[1:] != word) && w[:2] != string([]byte{word[1], word[0]}) {
				continue // the first letter is rarely wrong, but it may be missing
			}
			if len(word) == shortestWord && (n != len(word) || !sameLetters(w, word)) && (n != len(word)+1 || w != word[:2]+w[2:3]+word[2:]) {
				continue
			}
			switch d := distance(word, w, least); {
			case d < least:
				best, least, ties = w, d, 0
			case d == least && d <= limit && w != best && !sameStem(w, best):
				ties++
			}
		}
	}
	if ties > 0 {
		return word
	}
	return best
}

// isInflected reports whether a word is a known one with another ending.
func isInflected(word string) bool {
	for _, ending := range []string{"s", "es", "ed", "ing", "er", "ly", "y", "al"} {
		if stem, ok := strings.CutSuffix(word, ending); ok && (vocabulary[stem] || len(ending) > 1 && vocabulary[stem+"e"]) {
			return true
		}
	}
	return false
}

// shorthand lists short words that are often written otherwise.
var shorthand = map[string]string{"teh": "the", "hte": "the", "wich": "which", "vist": "visit", "shw": "show", "wat": "what", "wut": "what", "recs": "records", "labz": "labs",
	"ur": "your", "pt": "patient", "hx": "history", "dx": "diagnosis", "allergi": "allergy", "alergic": "allergic", "scrip": "prescription", "ins": "insurance"}

// sameLetters reports whether two words of one length have the same letters.
func sameLetters(a, b string) bool {
	x, y := []byte(a), []byte(b)
	slices.Sort(x)
	slices.Sort(y)
	return string(x) == string(y)
}

// sameStem reports whether two words differ in their ending only: it does not matter
// which of them is meant. Of drugs it does.
func sameStem(a, b string) bool {
	n := min(len(a), len(b)) - 2
	return n >= 3 && a[:n] == b[:n] && !isListed(a) && !isListed(b)
}

// distance returns the number of edits between two words: letters inserted, removed,
// replaced, or exchanged with their neighbor (optimal string alignment). Beyond the
// limit it returns a larger number.
func distance(a, b string, limit int) int {
	before, last, next := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		next[0] = i
		least := i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			next[j] = min(last[j]+1, next[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				next[j] = min(next[j], before[j-2]+1)
			}
			least = min(least, next[j])
		}
		if least > limit {
			return limit + 1
		}
		before, last, next = last, next, before
	}
	return last[len(b)]
}

// functionWords are frequent words without a meaning of their own here.
var functionWords = words(`about, after, again, alone, also, always, been, being, best, both, by, came, come, could, currently, damn, does, doing, done, down, each, either, else, even, ever, find, from,
	full, going, gone, good, have, having, hello, help, here, its, just, keep, kind, know, last, later, latest, least, less, like, little, long, made, make, many, maybe, mean, might, more,
	morning, most, much, must, name, need, needs, next, none, nothing, only, ours, over, patient, patients, pending, please, possible, quick, quickly, quite, rather, real, really,
	recent, right, said, same, seem, shall, should, since, some, soon, still, such, sure, than, that, them, there, these, they, thing, things, think, this, those, time, today,
	tomorrow, under, until, used, very, want, wants, week, well, went, were, what, when, where, which, while, whole, whom, whose, will, with, work, would, yesterday, your`)
