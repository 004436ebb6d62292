package respond

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/a-h/templ"

	"github.com/devonartis/medassist-go/internal/text"
)

// FromPage reports whether a script of the page sent the request, in contrast
// to a person who opens an address.
func FromPage(r *http.Request) bool { return r.Header.Get("HX-Request") == "true" }

// WantsHTML reports whether the request comes from a browser.
func WantsHTML(r *http.Request) bool { return strings.Contains(r.Header.Get("Accept"), "text/html") }

// Render answers with a component as a page.
func Render(w http.ResponseWriter, status int, c templ.Component) error {
	var b bytes.Buffer
	Write(&b, c)
	return HTML(w, status, b.Bytes())
}

// HTML answers with a page, or with parts of one.
func HTML(w http.ResponseWriter, status int, page []byte) error {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	return body(w, status, page)
}

// hole is where a page that is rendered by itself has its content. Text can't
// contain it, because it is escaped.
const hole = "<!-- content -->"

// Hole is the place of the content that [Around] puts into a page.
var Hole = templ.Raw(hole)

// Around answers with a page that has content, which is already rendered, in the
// place of its [Hole]. The content is not copied.
func Around(w http.ResponseWriter, status int, page templ.Component, content []byte) error {
	var b bytes.Buffer
	Write(&b, page)
	before, after, _ := bytes.Cut(b.Bytes(), []byte(hole))
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	return body(w, status, before, content, after)
}

// Encoded answers with JSON that is already encoded.
func Encoded(w http.ResponseWriter, status int, encoded []byte) error {
	w.Header().Set("Content-Type", "application/json")
	return body(w, status, encoded)
}

// Partial appends one part of a page, the element that it belongs to (a CSS
// selector) and how it gets there (htmx's name for a swap).
func Partial(b *bytes.Buffer, target, swap string, c templ.Component) {
	fmt.Fprintf(b, `<hx-partial hx-target="%s" hx-swap="%s">`, target, swap)
	Write(b, c)
	b.WriteString("</hx-partial>")
}

// Text returns plain text as a component.
func Text(s string) templ.Component { return templ.Raw(templ.EscapeString(s)) }

// Write renders a component to memory, where only a programming error can make
// it fail. It shows the characters that a reader could not see.
func Write(b *bytes.Buffer, c templ.Component) {
	start := b.Len()
	if err := c.Render(context.Background(), b); err != nil {
		panic(fmt.Sprintf("web: render: %v", err))
	}
	if rendered := b.Bytes()[start:]; bytes.IndexFunc(rendered, text.Hidden) >= 0 {
		shown := text.Visible(string(rendered))
		b.Truncate(start)
		b.WriteString(shown)
	}
}

// Marshal returns a value as JSON in which characters that a reader could not see
// are escaped.
func Marshal(v any) ([]byte, error) {
	encoded, err := json.Marshal(v)
	return text.VisibleJSON(encoded), err
}

// JSON answers with a value as JSON.
func JSON(w http.ResponseWriter, status int, v any) error {
	encoded, err := Marshal(v)
	if err != nil {
		return err
	}
	return Encoded(w, status, append(encoded, '\n'))
}

// body writes the header, with the body's length for HEAD too, and the body.
func body(w http.ResponseWriter, status int, parts ...[]byte) error {
	length := 0
	for _, p := range parts {
		length += len(p)
	}
	w.Header().Set("Content-Length", strconv.Itoa(length))
	w.WriteHeader(status)
	for _, p := range parts {
		w.Write(p) // an error means that the client is gone
	}
	return nil
}

// Download has the browser save the answer under a name.
func Download(w http.ResponseWriter, name string) {
	w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", name))
}
