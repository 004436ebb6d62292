package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var markdownLink = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// Every link of a guide to a file of this repository leads to one.
func TestLinks(t *testing.T) {
	root := filepath.Join("..", "..")
	var guides []string
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		guides = append(guides, found...)
	}
	if len(guides) < 5 {
		t.Fatalf("only %d guides: %v", len(guides), guides)
	}
	for _, guide := range guides {
		text, err := os.ReadFile(guide)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range markdownLink.FindAllStringSubmatch(string(text), -1) {
			target, _, _ := strings.Cut(m[1], "#")
			if target == "" || strings.Contains(target, ":") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(guide), target)); err != nil {
				t.Errorf("%s links to %s, which is not there", guide, m[1])
			}
		}
	}
}
