package web_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/devonartis/medassist-go/internal/openapidoc"
	"github.com/devonartis/medassist-go/web/browsertest"
)

// The served documents are those of docs/openapi, as JSON, and the pages show each
// of their operations.
func TestReference(t *testing.T) {
	t.Parallel()
	s := newSite(t, configure{})
	for file, at := range map[string]struct{ json, page string }{
		"../docs/openapi/app.yaml":    {"/openapi.json", "/docs"},
		"../docs/openapi/broker.yaml": {"/openapi/broker.json", "/docs/broker"},
	} {
		resp, served := s.fetch(t, at.json)
		var got struct {
			OpenAPI string         `json:"openapi"`
			Paths   map[string]any `json:"paths"`
		}
		if err := json.Unmarshal(served, &got); err != nil || got.OpenAPI != "3.1.0" || resp.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %s, %v", at.json, resp.Header.Get("Content-Type"), err)
		}
		text, err := os.ReadFile(file)
		must(t, err)
		var want struct{ Paths map[string]any }
		must(t, yaml.Unmarshal(text, &want))
		if len(got.Paths) != len(want.Paths) {
			t.Errorf("%s has %d paths, want %d", at.json, len(got.Paths), len(want.Paths))
		}
		_, page := s.fetch(t, at.page)
		if problem := `href="#schema-Problem"`; strings.Count(string(page), problem) < 10 {
			t.Errorf("%s: the answers that are defined once are not shown", at.page)
		}
		for _, op := range openapidoc.Operations(t, file) {
			method, path, _ := strings.Cut(op, " ")
			if !strings.Contains(string(page), `<span class="method">`+method+`</span> <code>`+path+`</code>`) {
				t.Errorf("%s lacks %s", at.page, op)
			}
		}
	}
}

// The reference is readable on a laptop and a phone, and its links lead to what
// they name.
func TestBrowserReference(t *testing.T) {
	t.Parallel()
	s := newSite(t, configure{})
	b := browsertest.Start(t)
	p := open(t, b, browsertest.Laptop, s.URL+"/docs")
	p.Screenshot("reference-1280x720")
	p.Accessible("the API's reference")
	if dead := browsertest.Eval[[]string](p, `[...document.querySelectorAll('main a[href^="#"]')].map(a => a.getAttribute("href")).filter(h => !document.getElementById(h.slice(1)))`); len(dead) > 0 {
		t.Errorf("links that lead nowhere: %v", dead)
	}
	p.Click(`a[href="/docs/broker"]`)
	p.Wait("the broker's reference", `document.querySelector("h1")?.innerText.includes("AgentWrit broker")`)
	phone := open(t, b, browsertest.Phone, s.URL+"/docs")
	phone.Screenshot("reference-phone")
	if wide := browsertest.Eval[bool](phone, `document.documentElement.scrollWidth > innerWidth`); wide {
		t.Error("the page is wider than a phone")
	}
}
