package main

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

var documentedVariable = regexp.MustCompile("`([A-Z]+(?:_[A-Z]+)+)`")

// The section "Configuration" of the operations guide lists exactly the variables
// that the commands read.
func TestVariablesAreDocumented(t *testing.T) {
	parser, err := kong.New(&cli{})
	if err != nil {
		t.Fatal(err)
	}
	read := variables(parser.Model.Node)
	read = slices.AppendSeq(read, maps.Keys(aliases))
	read = slices.AppendSeq(read, maps.Keys(unsupported))
	guide, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(guide), "\n## Configuration\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var documented []string
	for _, m := range documentedVariable.FindAllStringSubmatch(section, -1) {
		documented = append(documented, m[1])
		if !slices.Contains(read, m[1]) {
			t.Errorf("docs/operations.md documents %s, which no command reads", m[1])
		}
	}
	for _, name := range read {
		if !slices.Contains(documented, name) {
			t.Errorf("docs/operations.md does not document %s", name)
		}
	}
}
