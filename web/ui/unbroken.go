package ui

import (
	"regexp"

	"github.com/a-h/templ"
)

// hyphenated matches identifiers such as P-1042. Longer ones may not fit on a phone.
var hyphenated = regexp.MustCompile(`\b\w{1,6}-\d{1,6}\b`)

// Unbroken shows text and keeps identifiers such as P-1042 on one line.
func Unbroken(text string) templ.Component {
	return templ.Raw(hyphenated.ReplaceAllString(templ.EscapeString(text), `<span class="unbroken">$0</span>`))
}
