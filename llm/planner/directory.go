package planner

import (
	"slices"
	"strings"
)

// A person is a patient of the clinic by name. The planner knows them as a model
// knows what it read elsewhere: a name in a request becomes the patient's ID, and
// the call is denied if the run is about another patient.
type person struct {
	id, given, family string
	female            bool
}

// directory lists the patients of the demo.
var directory = []person{
	{"P-1042", "maria", "alvarez", true},
	{"P-2187", "robert", "kessler", false},
	{"P-3301", "wei", "zhang", false},
	{"P-4455", "ingrid", "halvorsen", true},
}

func personWithID(id string) (person, bool) {
	return findFirst(directory, func(p person) bool { return p.id == id })
}

func personNamed(word string) (person, bool) {
	return findFirst(directory, func(p person) bool { return p.given == word || p.family == word })
}

// everyone returns the IDs of all patients, the given one first.
func everyone(first string) []string {
	out := []string{first}
	for _, p := range directory {
		if p.id != first {
			out = append(out, p.id)
		}
	}
	return out
}

// otherNames lists common names, so that one in lower case is recognized as the name
// of a person whom the planner does not know.
var otherNames = words(`anderson, andrew, anna, anne, barbara, bob, brown, carol, carlos, charles, chris, christopher, clark, daniel, david, davis, deborah, doe, donald, donna,
	edward, elizabeth, emily, emma, eric, erik, frank, garcia, george, gonzalez, hans, harris, helen, henry, jack, jackson, james, jane, jason, jennifer, jessica, jim, joe,
	john, johnson, jones, jose, joseph, julia, karen, karin, kate, kevin, kim, kumar, laura, lee, lewis, linda, lisa, lopez, luis, margaret, martin, martinez, mary, michael,
	michelle, mike, miller, mohammed, moore, muhammad, murphy, nancy, nguyen, olivia, patel, patricia, paul, perez, peter, rachel, ramirez, richard, rodriguez, ruth, sanchez,
	sandra, sarah, schmidt, sharon, smith, sophia, stefan, steven, sue, susan, taylor, thomas, tom, walker, williams, wilson, wong, young`)

// notNames lists words with a capital or a possessive that are not names, beside the
// words that isReal knows.
var notNames = words(`america, american, april, august, christmas, december, february, friday, hospital, january, july, june, march, medassist, monday, november, october, saturday,
	september, sunday, thursday, tonight, tuesday, wednesday, weeks, year`)

func isTitle(word string) bool {
	switch word {
	case "mr", "mrs", "ms", "miss", "mister", "sir", "madam":
		return true
	}
	return false
}

// person consumes a name, if the next token begins one.
func (p *parser) person() bool {
	from := p.i
	if w := p.peek(0).text; w == "dr" || w == "doctor" { // a clinician is not a patient
		for p.i++; p.isName(p.i > from+1) || p.couldBeName() && p.peek(0).upper; p.i++ {
		}
		return p.i > from+1
	}
	titled := isTitle(p.peek(0).text)
	if titled {
		p.i++
	}
	start := p.i
	for p.isName(p.i > start) || titled && p.i == start && p.couldBeName() {
		p.i++
		if p.peek(-1).possessive {
			break
		}
	}
	if p.i == start {
		p.i = from
		return false
	}
	names := p.tokens[start:p.i]
	if who, ok := identify(names); ok {
		p.addPatient(who.id, p.i-from)
	} else {
		p.addStranger(p.src[names[0].start:names[len(names)-1].end])
	}
	return true
}

// isName reports whether the next token is part of a name: one of the directory's,
// a common one, or a word with a capital that stands where a name does. follows
// tells that the token before is part of it.
func (p *parser) isName(follows bool) bool {
	t := p.peek(0)
	if t.kind != tokenWord {
		return false
	}
	_, listed := personNamed(t.text)
	if _, common := slices.BinarySearch(otherNames, t.text); listed || common {
		return true
	}
	if !t.upper || p.shouting || !p.couldBeName() {
		return false
	}
	_, precedes := personNamed(p.peek(1).text) // "Luis Alvarez"
	switch p.peek(-1).text {
	case "of", "for", "about", "named", "called", "patient":
		return true
	}
	return follows || t.possessive || precedes
}

// couldBeName reports whether the next token is a word without another meaning.
func (p *parser) couldBeName() bool {
	t := p.peek(0)
	_, not := slices.BinarySearch(notNames, t.text)
	return t.kind == tokenWord && !not && !isDrug(t.text) && !isReal(t.text)
}

// identify returns the patient whom the names fit.
func identify(names []token) (person, bool) {
	who, ok := personNamed(names[0].text)
	if !ok {
		return person{}, false
	}
	for _, n := range names[1:] {
		if n.text != who.given && n.text != who.family {
			return person{}, false
		}
	}
	return who, true
}

// addStranger notes a name that the planner can't resolve.
func (p *parser) addStranger(name string) {
	c := &p.clause
	if p.negated {
		p.dropped = true
		return
	}
	name = strings.TrimSuffix(strings.TrimSuffix(name, "'s"), "’s")
	if !slices.Contains(c.strangers, name) {
		c.strangers = append(c.strangers, name)
	}
}
