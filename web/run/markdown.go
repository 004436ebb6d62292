package run

import (
	"bytes"
	"html"

	"github.com/microcosm-cc/bluemonday"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
)

var (
	// Never parser.WithAttribute(): it would let data-hx-get through.
	markdown = goldmark.New(goldmark.WithExtensions(extension.Table, extension.Strikethrough))
	// No links and no images: they would let a model send the reader elsewhere.
	sanitizer = bluemonday.NewPolicy().AllowElements("p", "br", "hr", "h1", "h2", "h3", "h4", "ul", "ol", "li",
		"strong", "em", "del", "code", "pre", "blockquote", "table", "thead", "tbody", "tr", "th", "td")
)

// Markdown renders a model's text as HTML that is safe in a page: the renderer
// drops raw HTML, and the sanitizer after it everything but plain structure.
func Markdown(text string) string {
	var b bytes.Buffer
	if err := markdown.Convert([]byte(text), &b); err != nil {
		return "<p>" + html.EscapeString(text) + "</p>"
	}
	return sanitizer.Sanitize(b.String())
}
