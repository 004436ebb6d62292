package main

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestPrintfEscapes(t *testing.T) {
	type named string
	for in, want := range map[string]string{
		"plain text, Łódź ✓":      "plain text, Łódź ✓",
		"\rOK      ":              `\rOK      `,
		"\x1b[1A\x1b[2KOK":        `\x1b[1A\x1b[2KOK`,
		"a\nFAILED":               `a\nFAILED`,
		"\u009b2J":                `\u009b2J`,
		"abc\u202ecba":            `abc\u202ecba`,
		"a\u2028b\u200bc":         `a\u2028b\u200bc`,
		"bad \xff byte":           `bad \xff byte`,
		"tab\tbell\a del\x7f":     `tab\tbell\a del\x7f`,
		"back\b\b\b\b\b\b\bslash": `back\b\b\b\b\b\b\bslash`,
	} {
		for _, arg := range []any{in, errors.New(in), named(in)} {
			var out strings.Builder
			printf(&out, "%s|\n", arg)
			if out.String() != want+"|\n" {
				t.Errorf("%T %q printed as %q, want %q", arg, in, out.String(), want)
			}
		}
	}
}

// Every command prints through printf.
func TestOnlyPrintfPrints(t *testing.T) {
	direct := regexp.MustCompile(`fmt\.Fprint|fmt\.Print|os\.Std(out|err)\b`)
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") || file == "terminal.go" || file == "completion.go" || file == "main.go" {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if found := direct.Find(text); found != nil {
			t.Errorf("%s uses %s instead of printf", file, found)
		}
	}
}
