package agentwrit_test

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"testing"
)

var update = flag.Bool("update", false, "rewrite docs/sdk/api-reference.md")

// The reference page is generated from the source.
func TestReferencePage(t *testing.T) {
	const file = "../docs/sdk/api-reference.md"
	page := []byte("# API reference\n\n" +
		"Generated from the source by `go test ./agentwrit -run ReferencePage -update`. A test keeps it up to date.\n")
	for _, section := range []struct{ title, intro, pkg string }{
		{"Package agentwrit", "", "."},
		{"Package brokertest", "Starts a real broker for a test.", "./brokertest"},
		{"Package wire", "The types of requests, responses and claims, most of which package agentwrit exports as aliases.", "./wire"},
	} {
		out, err := exec.Command("go", "doc", "-all", section.pkg).Output()
		if err != nil {
			t.Fatalf("go doc %s: %v", section.pkg, err)
		}
		page = append(page, "\n## "+section.title+"\n\n"...)
		if section.intro != "" {
			page = append(page, section.intro+"\n\n"...)
		}
		page = append(page, "```text\n"...)
		page = append(page, bytes.TrimRight(out, "\n")...)
		page = append(page, "\n```\n"...)
	}
	if *update {
		if err := os.WriteFile(file, page, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, page) {
		t.Error("docs/sdk/api-reference.md is not up to date; run: go test ./agentwrit -run ReferencePage -update")
	}
}
