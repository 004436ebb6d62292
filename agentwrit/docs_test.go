package agentwrit_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var goBlock = regexp.MustCompile("(?s)```go\n(.*?)```")

// Every Go block of the guides is a file that compiles and vets.
func TestGuidesCompile(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles every example of the guides")
	}
	guides, err := filepath.Glob("../docs/sdk/*.md")
	if err != nil || len(guides) < 4 {
		t.Fatalf("guides: %v, %v", guides, err)
	}
	root, err := os.MkdirTemp(".", "_guides-") // within the module, so that imports resolve
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(root) })
	vet := []string{"vet"}
	for _, guide := range guides {
		text, err := os.ReadFile(guide)
		if err != nil {
			t.Fatal(err)
		}
		for i, m := range goBlock.FindAllStringSubmatch(string(text), -1) {
			code, name := m[1], "block.go"
			if strings.HasPrefix(code, "package clinic_test") {
				name = "block_test.go"
			}
			if strings.HasPrefix(code, "package main") && !strings.Contains(code, "func main()") {
				code += "\nfunc main() {}\n"
			}
			dir := filepath.Join(root, fmt.Sprintf("%s-%d", strings.TrimSuffix(filepath.Base(guide), ".md"), i+1))
			vet = append(vet, "./"+dir)
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, name), []byte(code), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	if out, err := exec.Command("go", vet...).CombinedOutput(); err != nil {
		t.Errorf("%s", out)
	}
	if len(vet) < 15 {
		t.Errorf("only %d blocks found", len(vet)-1)
	}
}
