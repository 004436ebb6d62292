package planner

import (
	"slices"
	"strings"
	"unicode"
)

// A language is a language other than English, with frequent words that identify it.
// Words that English has too are left out.
type language struct {
	words []string
	says  string // that the planner understands English
}

const understandsEnglish = "I understand requests in English only. Try: *Show the records*, or *What medications does the patient take?*"

var languages = []language{
	{words(`aber, akte, alle, allergien, allergie, allergisch, als, auch, auf, aus, behandlung, befund, befunde, bei, besuch, bitte, blutdruck, blutwerte, das, dass, dem, den, der, dich, diese,
		dieser, doch, du, durch, ein, eine, einen, einer, einem, er, es, für, fuer, ganz, gegen, gib, geben, guten, haben, hallo, ich, ihm, ihn, ihr, ihre, ihrer, ist, kann, kannst, karte, können,
		krankenakte, krankengeschichte, labor, laborwerte, letzte, letzten, mal, medikament, medikamente, medikation, mein, meine, mich, mir, mit, nach, nehmen, nicht, nimmt, noch, oder, patientin,
		rechnung, rechnungen, rezept, schreib, schreibe, sehen, sich, sie, sind, tag, über, und, unverträglichkeit, verschreib, verschreibe, verschreiben, versicherung, versichert, von, vom, vor, wann,
		warum, wechselwirkungen, welche, welchen, welcher, welches, werte, wie, wieviel, wurde, zeig, zeige, zeigen, zu, zum, zur, zwischen, morgen, patienten, geht, schuldet, löschen, termin`),
		"Ich verstehe Anfragen nur auf Englisch. Zum Beispiel: *Show the records* oder *What medications does the patient take?*"},
	{words(`a, al, alergia, alergias, alérgica, alérgico, analítica, analíticas, años, buenos, buenas, cita, como, cómo, con, cuál, cual, cuáles, cuales, cuándo, cuánto, cuanto, cuánta, dame, de, debe, del,
		dosis, ella, el, él, en, enséñame, enfermedades, es, está, esta, estas, este, factura, facturas, favor, gracias, ha, hay, historia, historial, hola, la, las, los, laboratorio, le, lista, luego, mas,
		más, me, medicación, medicamento, medicamentos, médica, médico, mis, mostrar, muestra, muéstrame, muestrame, muéstreme, necesito, o, otra, otro, paciente, pacientes, para, pastillas, pero, por,
		puede, puedes, que, qué, quiero, receta, recetar, recétale, resultados, segura, seguro, señora, ser, si, sin, sobre, son, su, sus, también, tiene, tienen, toma, tomar, tomando, toda, todas, todo,
		todos, última, último, un, una, unos, y, ver`),
		"Solo entiendo solicitudes en inglés. Por ejemplo: *Show the records* o *What medications does the patient take?*"},
	{words(`affiche, affichez, ai, allergie, allergique, analyses, assurance, au, aux, avec, avez, bilan, bonjour, bonsoir, ce, cette, ces, comment, couverture, dans, de, des, doit, donne, donnez,
		dossier, du, elle, elles, en, est, et, examens, facture, factures, faut, il, ils, je, la, le, les, leur, lui, ma, maladie, médicament, médicaments, medicaments, médecin, merci, mes, moi,
		mon, montre, montrer, montrez, ne, nous, ordonnance, ou, où, par, pas, patiente, peut, peux, plaît, plait, pour, pouvez, prend, prends, prescrire, prescris, prescrivez, prochain, quand, quel,
		quelle, quelles, quels, que, qui, résultats, resultats, sa, sang, santé, se, ses, son, sont, suis, sur, tension, toutes, tous, traitement, une, un, veux, voir, voudrais, vous, êtes, à, été,
		dernière, dernier, rendez, combien, quoi, y`),
		"Je ne comprends que les demandes en anglais. Par exemple : *Show the records* ou *What medications does the patient take?*"},
	{words(`che, il, della, dei, delle, gli, lo, farmaci, prende, paziente, quali, mostra, mostrami, allergie, esami, cartella, per, favore, sono, ha, di, è, questa, quanto, deve, ciao, grazie,
		o, os, as, do, da, dos, das, não, nao, mostre, paciente, quais, exames, remédios, toma, tem, alergias, obrigado, olá, prontuário, são, um, uma, para, qual, ela, ele, me,
		het, een, de, van, en, welke, medicijnen, gebruikt, patiënt, toon, laat, zien, zijn, heeft, ik, niet, dossier, graag, dank, hoi, geef, mij, wat,
		jakie, leki, pacjent, pacjentka, pokaż, proszę, wyniki, czy, jest, na, się, bierze, dzień, dobry,
		hva, er, hennes, hun, han, ikke, jeg, hvad, hendes, vad, hon, inte, jag, hvilke, legemidler, hvilken, pasienten, vilka, läkemedel, tar, patienten, visa, är, och, hej, tack, tager, vis, hastanın, ilaçları, göster, hangi, alerjisi, var, merhaba, lütfen, nedir`),
		understandsEnglish},
}

// foreign returns the answer to a request in another language than English, or "".
// A request is in another language if more of its words are than are English.
func foreign(request string) string {
	request = request[:min(len(request), maxBytes)]
	letters, latin := 0, 0
	for _, r := range request {
		if unicode.IsLetter(r) {
			letters++
			if unicode.Is(unicode.Latin, r) {
				latin++
			}
		}
	}
	if latin*2 < letters {
		return understandsEnglish
	}
	words := strings.FieldsFunc(strings.ToLower(request), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsMark(r) })
	words = words[:min(len(words), maxTokens)]
	english := 0
	for _, w := range words {
		if isEnglish(w) {
			english++
		}
	}
	best, most := "", 0
	for _, l := range languages {
		n := 0
		for _, w := range words {
			if _, ok := slices.BinarySearch(l.words, w); ok {
				n++
			}
		}
		if n > most {
			best, most = l.says, n
		}
	}
	if most > english || most > 0 && most == english && most*2 > len(words) {
		return best
	}
	return ""
}

// isEnglish reports whether a word is one that English has and the other languages
// do not, as far as the planner knows. Names and drugs are of no language.
func isEnglish(word string) bool {
	_, named := personNamed(word)
	return vocabulary[word] && !named && !isDrug(word)
}
