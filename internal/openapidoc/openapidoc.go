// Package openapidoc lists the operations of an OpenAPI document for tests that
// compare them with a router.
//
// It only parses YAML. The tests of package conformance validate traffic against a
// document; they alone import libopenapi, which is slow to compile and to link.
package openapidoc

import (
	"os"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// methods are the keys of a path item that describe an operation.
var methods = []string{"get", "put", "post", "delete", "options", "head", "patch", "trace"}

// Operations returns what the document in file describes, such as
// "POST /api/runs", sorted.
func Operations(t testing.TB, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Paths map[string]map[string]any `yaml:"paths"`
	}
	if err := yaml.Unmarshal(text, &doc); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	var all []string
	for path, item := range doc.Paths {
		for key := range item {
			if slices.Contains(methods, key) {
				all = append(all, strings.ToUpper(key)+" "+path)
			}
		}
	}
	if len(all) == 0 {
		t.Fatalf("%s describes no operation", file)
	}
	slices.Sort(all)
	return all
}
