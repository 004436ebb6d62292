package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// guides returns the paths of the repository's Markdown files.
func guides(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md"} {
		found, err := filepath.Glob(filepath.Join("..", "..", pattern))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, found...)
	}
	if len(all) < 8 {
		t.Fatalf("only %d guides: %v", len(all), all)
	}
	return all
}

var (
	markdownLink = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading      = regexp.MustCompile(`(?m)^#+ (.+)$`)
	notInAnchors = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// anchors returns the fragments that GitHub generates for the headings of a page.
func anchors(text string) map[string]bool {
	all := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(text, -1) {
		all[strings.ReplaceAll(notInAnchors.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-")] = true
	}
	return all
}

// Every link from a guide to a file of this repository resolves, including its
// anchor.
func TestLinks(t *testing.T) {
	for _, guide := range guides(t) {
		text, err := os.ReadFile(guide)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range markdownLink.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(m[1], ":") {
				continue // an external link
			}
			target, anchor, _ := strings.Cut(m[1], "#")
			file := guide
			if target != "" {
				file = filepath.Join(filepath.Dir(guide), target)
			}
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s links to %s, which does not exist", guide, m[1])
				continue
			}
			if anchor == "" {
				continue
			}
			page, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !anchors(string(page))[anchor] {
				t.Errorf("%s links to %s, which has no such heading", guide, m[1])
			}
		}
	}
}

// The index of decisions lists every decision, and each has the sections of the
// template.
func TestDecisions(t *testing.T) {
	folder := filepath.Join("..", "..", "docs", "decisions")
	index, err := os.ReadFile(filepath.Join(folder, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	pages, err := filepath.Glob(filepath.Join(folder, "*.md"))
	if err != nil || len(pages) < 2 {
		t.Fatalf("%v, %v", pages, err)
	}
	for _, page := range pages {
		name := filepath.Base(page)
		if name == "README.md" {
			continue
		}
		if !strings.Contains(string(index), "]("+name+")") {
			t.Errorf("the index does not list %s", name)
		}
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, section := range []string{"## Context\n", "## Decision\n", "## Consequences\n"} {
			if !strings.Contains(string(text), section) {
				t.Errorf("%s lacks the section %q", name, strings.TrimSpace(section))
			}
		}
	}
}
