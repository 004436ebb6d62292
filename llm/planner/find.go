package planner

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	itext "github.com/devonartis/medassist-go/internal/text"
)

// maxQuote bounds, in bytes, what a sentence quotes of a note.
const maxQuote = 240

// searches tells how a chart writes a finding, if not by its name.
var searches = map[string]*regexp.Regexp{
	"blood pressure":  regexp.MustCompile(`(?i)blood pressure|\b[12]\d\d/\d\d`),
	"hypertension":    regexp.MustCompile(`(?i)hypertens|high blood pressure`),
	"vital signs":     regexp.MustCompile(`(?i)\b[12]\d\d/\d\d|pulse|weight`),
	"smoking":         regexp.MustCompile(`(?i)smok|tobacco|cigarette`),
	"alcohol":         regexp.MustCompile(`(?i)alcohol|drinks`),
	"pregnancy":       regexp.MustCompile(`(?i)pregnan`),
	"surgery":         regexp.MustCompile(`(?i)surg|operat`),
	"vaccination":     regexp.MustCompile(`(?i)vaccin|immuni[sz]`),
	"exercise":        regexp.MustCompile(`(?i)exercis|walking`),
	"heart":           regexp.MustCompile(`(?i)heart fail|cardi|fibrillation|\bheart\b`),
	"heart rate":      regexp.MustCompile(`(?i)heart rate|pulse|\bbpm\b`),
	"kidney":          regexp.MustCompile(`(?i)kidney|renal`),
	"liver":           regexp.MustCompile(`(?i)liver|hepat`),
	"reflux":          regexp.MustCompile(`(?i)reflux|heartburn`),
	"bleeding":        regexp.MustCompile(`(?i)bleed`),
	"swelling":        regexp.MustCompile(`(?i)swelling|edema`),
	"hyperlipidemia":  regexp.MustCompile(`(?i)hyperlipid|cholesterol`),
	"depression":      regexp.MustCompile(`(?i)depress|anxi`),
	"anemia":          regexp.MustCompile(`(?i)anemi`),
	"epilepsy":        regexp.MustCompile(`(?i)epilep|seizure`),
	"imaging":         regexp.MustCompile(`(?i)imaging|\bscan\b|x-ray|\bMRI\b|\bCT\b`),
	"cancer":          regexp.MustCompile(`(?i)cancer|tumou?r|malignan`),
	"marital status":  regexp.MustCompile(`(?i)married|husband|wife\b`),
	"social security": regexp.MustCompile(`(?i)social security|\bSSN\b`),
}

// sayFinding answers from the problem list, or with the latest note that mentions the
// finding.
func sayFinding(s subject) string {
	pattern := searches[s.about]
	if pattern == nil {
		pattern = regexp.MustCompile(`(?i)\b` + regexp.QuoteMeta(s.about))
	}
	for _, p := range s.list("problems") {
		if pattern.MatchString(p.str("description")) {
			since := optional("since ", p.str("since"))
			return fmt.Sprintf("%s%s has **%s**%s.", yes(s.asks), s.who, inline(lowerFirst(p.str("description"))), parenthesis(p.str("status"), since))
		}
	}
	for _, v := range s.list("visits") {
		if pattern.MatchString(v.str("note")) {
			return fmt.Sprintf("The latest note on %s that mentions %s, of %s, says: “%s”", s.who, inline(s.about), inline(v.str("date")), inline(itext.Clip(v.str("note"), maxQuote)))
		}
	}
	if pattern.MatchString(s.str("emergency_contact")) {
		return fmt.Sprintf("The record of %s names as emergency contact: %s.", s.who, inline(s.str("emergency_contact")))
	}
	return fmt.Sprintf("The record of %s does not mention %s.", s.who, inline(s.about))
}

func sayLabs(s subject) string {
	rows := s.list("results")
	var flagged []string
	for _, row := range rows {
		if row.str("flag") != "" {
			flagged = append(flagged, fmt.Sprintf("%s %s (%s)", inline(row.str("test")), inline(quantity(row)), inline(flagWord(row.str("flag")))))
		}
	}
	switch {
	case len(rows) == 0:
		return fmt.Sprintf("No laboratory result of %s is recorded.", s.who)
	case len(flagged) == 0:
		return fmt.Sprintf("All %d laboratory results of %s are in range.", len(rows), s.who)
	}
	return fmt.Sprintf("%d of %d laboratory results of %s are out of range: %s.", len(flagged), len(rows), s.who, join(flagged))
}

// isTest reports whether a laboratory result is of a test, as the lexicon names it.
func isTest(row object, test string) bool {
	name, test := strings.ToLower(row.str("test")), strings.ToLower(test)
	switch test {
	case "hemoglobin", "urine":
		return name == test
	case "complete counts":
		return slices.Contains([]string{"hemoglobin", "platelets", "white cells", "eosinophils"}, name)
	}
	return strings.Contains(name, test)
}

// sayTest answers with the latest result of a test.
func sayTest(s subject) string {
	for _, row := range s.list("results") {
		if !isTest(row, s.about) {
			continue
		}
		state := "in range"
		if flag := row.str("flag"); flag != "" {
			state = flagWord(flag)
		}
		if reference := row.str("reference_range"); reference != "" {
			state += "; reference range " + reference
		}
		return fmt.Sprintf("%s of %s was **%s** on %s (%s).", inline(row.str("test")), s.who, inline(quantity(row)), inline(row.str("date")), inline(state))
	}
	return fmt.Sprintf("The laboratory results of %s have no %s.", s.who, inline(s.about))
}
