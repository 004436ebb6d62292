package view

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
	// No links and no images: an answer is to be read, not to lead anywhere.
	sanitiser = bluemonday.NewPolicy().AllowElements("p", "br", "hr", "h1", "h2", "h3", "h4", "ul", "ol", "li",
		"strong", "em", "del", "code", "pre", "blockquote", "table", "thead", "tbody", "tr", "th", "td")
)

// Markdown renders a model's words as HTML that is safe in a page: raw HTML is
// dropped by the renderer, and whatever is not plain structure by the
// sanitiser after it.
func Markdown(text string) string {
	var b bytes.Buffer
	if err := markdown.Convert([]byte(text), &b); err != nil {
		return "<p>" + html.EscapeString(text) + "</p>"
	}
	return sanitiser.Sanitize(b.String())
}
