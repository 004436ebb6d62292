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
	p           *Picture
	id          string // unique on the page
	class       string
	title, desc string
	w, h        float64
	fades       []fade
	shapes      []shape
	labels      []label
	rings       []ring
	marks       []mark

	lanes []placed
	end   float64 // bottom of the lowest lane
}

// A fade is a horizontal gradient from the app's color to a category's.
type fade struct {
	id       string
	from, to string // classes of its stops
	x0, x1   float64
}

// A shape is a filled or stroked path.
type shape struct {
	path    string
	class   string
	fill    string // ID of a fade, or empty
	hint    string // its tooltip
	expires int64  // Unix milliseconds, if it fades when a token expires
}

// A label is a line of text.
type label struct {
	x, y   float64
	text   string
	class  string
	anchor string // start, middle or end
	more   []word

	expires int64 // as a shape's
	count   sign  // set if the text ends in the count of a sign
}

// A word continues a label in a style of its own.
type word struct {
	text  string
	class string
	ttl   *ttl   // set if the text shows a remaining lifetime
	then  string // the text after expiry
}

// A ring shows a token's remaining lifetime as an arc.
type ring struct {
	x, y, r float64
	class   string
	ttl     ttl
	hint    string
}

// A ttl is a lifetime that the page's script counts down.
type ttl struct {
	issued, expires int64 // Unix milliseconds
	left            float64
}

// A mark is one of the five signs.
type mark struct {
	x, y  float64
	sign  sign
	class string
	hint  string
}

// A sign is a meaning. It is also its class in the stylesheet.
type sign string

const (
	signAllowed   sign = "allowed"
	signDenied    sign = "denied"
	signDelegated sign = "delegated"
	signAlive     sign = "alive"
	signEnded     sign = "ended"
)

func (s *scene) shape(class, hint, path string) {
	s.shapes = append(s.shapes, shape{path: path, class: class, hint: hint})
}

func (s *scene) text(x, y float64, class, text string) {
	if text == "" {
		return
	}
	s.labels = append(s.labels, label{x: x, y: y, class: class, text: text, anchor: "start"})
}

func (s *scene) textEnd(x, y float64, class, text string) {
	if text == "" {
		return
	}
	s.labels = append(s.labels, label{x: x, y: y, class: class, text: text, anchor: "end"})
}

// say adds a label that fades when the credential expires.
func (s *scene) say(expires int64, l label) {
	l.expires = expires
	s.labels = append(s.labels, l)
}

// living adds shapes that fade when the credential expires.
func (s *scene) living(expires int64, shapes ...shape) {
	for _, x := range shapes {
		x.expires = expires
		s.shapes = append(s.shapes, x)
	}
}

func (s *scene) textMid(x, y float64, class, text string) {
	s.labels = append(s.labels, label{x: x, y: y, class: class, text: text, anchor: "middle"})
}

func (s *scene) mark(x, y float64, is sign, class, hint string) {
	s.marks = append(s.marks, mark{x: x, y: y, sign: is, class: class, hint: hint})
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

// ribbon returns a band from x0 to x1; at each end it is centered on y and h thick.
func ribbon(x0, y0, h0, x1, y1, h1 float64) string {
	m := (x0 + x1) / 2
	return path("M", x0, y0-h0/2, "C", m, y0-h0/2, m, y1-h1/2, x1, y1-h1/2,
		"V", y1+h1/2, "C", m, y1+h1/2, m, y0+h0/2, x0, y0+h0/2, "Z")
}

// bar returns a rectangle with corners of radius r.
func bar(x, y, w, h, r float64) string {
	if r == 0 {
		return path("M", x, y, "h", w, "v", h, "h", -w, "Z")
	}
	return path("M", x+r, y, "h", w-2*r, "a", r, r, 0, 0, 1, r, r, "v", h-2*r, "a", r, r, 0, 0, 1, -r, r,
		"h", 2*r-w, "a", r, r, 0, 0, 1, -r, -r, "v", 2*r-h, "a", r, r, 0, 0, 1, r, -r, "Z")
}

// dash returns the offset that hides the elapsed share of a circle with a
// pathLength of 100.
func (t ttl) dash() string { return num(100 * (1 - t.left)) }

func circle(x, y, r float64) string {
	return path("M", x-r, y, "a", r, r, 0, 1, 1, 2*r, 0.0, "a", r, r, 0, 1, 1, -2*r, 0.0, "Z")
}

// slash returns a line across a circle of radius r around the origin.
func slash(r float64) string { return path("M", -.9*r, .9*r, "L", .9*r, -.9*r) }

// monoWidth returns the width of text at 12 px in a monospaced font.
func monoWidth(s string) float64 { return 7.25 * float64(len([]rune(s))) }

func at(x, y float64) string { return "translate(" + num(x) + " " + num(y) + ")" }

// textWidth returns the width of text at 12 px in the page's font.
func textWidth(s string) float64 { return 6.6 * float64(len([]rune(s))) }

// classes joins the class names that are not empty.
func classes(names ...string) string {
	var kept []string
	for _, n := range names {
		if n != "" {
			kept = append(kept, n)
		}
	}
	return strings.Join(kept, " ")
}
