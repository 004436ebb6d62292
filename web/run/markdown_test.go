package run

import (
	"strings"
	"testing"
)

func TestMarkdownKeepsStructure(t *testing.T) {
	got := Markdown("## Labs\n\n| Test | Value |\n| --- | --- |\n| Glucose | **162** ↑ |\n\n- one\n\n`code`")
	for _, want := range []string{"<h2>Labs</h2>", "<td>Glucose</td>", "<strong>162</strong>", "<li>one</li>", "<code>code</code>"} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is missing in %s", want, got)
		}
	}
}

var hostile = []string{
	`<script>alert(1)</script>`, `<img src=x onerror=alert(1)>`, `![x](http://evil.example/pixel.png)`, `[click](javascript:alert(1))`,
	"[click](java%0Ascript:alert(1))", `<a href="http://evil.example">x</a>`, `[x](http://evil.example "t")`, `<div hx-get="/runs/x/cancel" hx-trigger="load">x</div>`,
	`# x {hx-get=/ onclick=alert(1)}`, `<style>body{display:none}</style>`, `<iframe src="//evil.example"></iframe>`, `<hx-partial hx-target="#trace">x</hx-partial>`,
	"| a |\n| --- |\n| <b onclick=alert(1)>x</b> |", `<svg onload=alert(1)>`, `<form action="/runs" method=post><button>x</button></form>`, `<http://evil.example>`,
}

// Whatever a model writes, the result is structure and text.
func TestMarkdownIsHarmless(t *testing.T) {
	for _, text := range hostile {
		assertHarmless(t, text)
	}
}

func assertHarmless(t *testing.T, text string) {
	t.Helper()
	got := Markdown(text)
	for rest := got; ; {
		i := strings.IndexByte(rest, '<')
		if i < 0 {
			return
		}
		end := strings.IndexByte(rest[i:], '>')
		if end < 0 {
			t.Fatalf("%q gives a tag that does not end: %s", text, got)
		}
		tag := strings.TrimSuffix(strings.Trim(rest[i:i+end+1], "</> "), "/")
		if strings.ContainsAny(tag, " =\"'") || strings.Contains(" script style iframe svg img a form button div ", " "+tag+" ") || strings.HasPrefix(tag, "hx") {
			t.Fatalf("%q gives <%s>: %s", text, tag, got)
		}
		rest = rest[i+end+1:]
	}
}

func FuzzMarkdown(f *testing.F) {
	for _, text := range hostile {
		f.Add(text)
	}
	f.Fuzz(assertHarmless)
}
