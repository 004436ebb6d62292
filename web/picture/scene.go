package picture

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A scene is a picture with coordinates: flat lists of elements, painted in this
// order. Units are those of the viewBox, one CSS pixel at the size that the layout
// is made for.
type scene struct {
	id          string // unique on the page
	class       string
	title, desc string
	w, h        float64
	shapes      []shape
	labels      []label
	denials     []denial
}

// A shape is a filled or stroked path.
type shape struct {
	path  string
	class string
	hint  string // its tooltip
}

// A label is a line of text.
type label struct {
	x, y   float64
	text   string
	class  string
	anchor string // start or middle
}

// A denial marks a denied call.
type denial struct {
	x, y float64
	hint string // its tooltip
}

func (s *scene) shape(class, hint, path string) {
	s.shapes = append(s.shapes, shape{path: path, class: class, hint: hint})
}

func (s *scene) text(x, y float64, class, text string) {
	if text == "" {
		return
	}
	s.labels = append(s.labels, label{x: x, y: y, class: class, text: text, anchor: "start"})
}

func (s *scene) textMid(x, y float64, class, text string) {
	s.labels = append(s.labels, label{x: x, y: y, class: class, text: text, anchor: "middle"})
}

// num formats a coordinate with at most one decimal.
func num(f float64) string {
	return strconv.FormatFloat(math.Round(f*10)/10, 'f', -1, 64)
}

// path returns SVG path data from commands and coordinates.
func path(parts ...any) string {
	var b strings.Builder
	bare := true // no space is needed before a number
	for _, p := range parts {
		var n string
		switch p := p.(type) {
		case string:
			b.WriteString(p)
			bare = true
			continue
		case float64:
			n = num(p)
		case int:
			n = strconv.Itoa(p)
		default:
			panic(fmt.Sprintf("picture: %T in a path", p))
		}
		if !bare && n[0] != '-' {
			b.WriteByte(' ')
		}
		b.WriteString(n)
		bare = false
	}
	return b.String()
}

// bar returns a rectangle with corners of radius r.
func bar(x, y, w, h, r float64) string {
	if r == 0 {
		return path("M", x, y, "h", w, "v", h, "h", -w, "Z")
	}
	return path("M", x+r, y, "h", w-2*r, "a", r, r, 0, 0, 1, r, r, "v", h-2*r, "a", r, r, 0, 0, 1, -r, r,
		"h", 2*r-w, "a", r, r, 0, 0, 1, -r, -r, "v", 2*r-h, "a", r, r, 0, 0, 1, r, -r, "Z")
}

func at(x, y float64) string { return "translate(" + num(x) + " " + num(y) + ")" }

// textWidth returns the width of text at 12 px in the page's font.
func textWidth(s string) float64 { return 6.6 * float64(len([]rune(s))) }
