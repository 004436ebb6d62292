package hero

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A Drawing is a picture with coordinates, in the units of its view box: one CSS
// pixel at the size that the shape is made for.
type Drawing struct {
	ID            string // prefix of the IDs of its parts
	Class         string
	Width, Height float64
	Title         string // what the picture shows, for those who can't see it
	Still         bool   // its lifetimes no longer count down
	Parts         []Part
}

// A Part is a group of elements that is replaced as a whole.
type Part struct {
	ID    string // unique on the page
	Nodes []Node
	// Moves is how the part appears when it shows something new; see [Drawing.Changes].
	Moves motion

	shows motion // what has happened in it, in one word, and to what
	of    string
}

// A motion is how something new appears, as a CSS class.
type motion string

// The motions. Elements of the class "moving" travel, the others stay.
const (
	passes  motion = "passes"  // a call goes through a check
	stops   motion = "stops"   // a call stops at a check
	appears motion = "appears" // a delegation, or the stamp on an ended lane
)

// A Node is one SVG element: a path, a text, a symbol or a ring, by the field that
// is set.
type Node struct {
	Class string
	Path  string
	Text  *Text
	Use   *Use
	Ring  *Ring
}

// A Text is one line of text.
type Text struct {
	X, Y, Size float64
	Length     float64 // the width that the text is fitted to, or 0
	Spans      []Span
}

// A Span is a stretch of text in one style.
type Span struct {
	Text  string
	Class string
	Dx    float64
	Size  float64 // 0 means that of the line
	// For a remaining lifetime, in Unix milliseconds; Then is what it says once
	// the token has expired.
	Issued, Expires int64
	Then            string
}

// A Use shows one of the symbols: allowed, denied, delegated, ended, or octagon.
type Use struct {
	Symbol     string
	X, Y, Size float64
}

// A Ring shows a remaining lifetime. Left is the share that remains, 0 to 1.
type Ring struct {
	X, Y, R         float64
	Left            float64
	Issued, Expires int64 // Unix milliseconds
}

// A pen collects the nodes of one part.
type pen struct {
	nodes []Node
	shows motion
	of    string
}

// happened notes what has happened in the part, and to what.
func (p *pen) happened(m motion, of string) { p.shows, p.of = m, of }

// stay makes the nodes from an index on stay where they are when the part moves.
func (p *pen) stay(from int) {
	for i, n := range p.nodes[from:] {
		p.nodes[from+i].Class = strings.TrimPrefix(n.Class, "moving ")
	}
}

func (p *pen) path(class, d string) { p.nodes = append(p.nodes, Node{Class: class, Path: d}) }

func (p *pen) use(symbol string, cx, cy, size float64) {
	p.nodes = append(p.nodes, Node{Class: "i-" + symbol, Use: &Use{symbol, cx - size/2, cy - size/2, size}})
}

// text writes plain text. Its class says how it is anchored.
func (p *pen) text(class string, x, y, size float64, s string) {
	p.spans(class, x, y, size, Span{Text: s})
}

func (p *pen) spans(class string, x, y, size float64, spans ...Span) {
	p.nodes = append(p.nodes, Node{Class: class, Text: &Text{X: x, Y: y, Size: size, Spans: spans}})
}

// mono writes text in the monospaced face, fitted to the width that the layout
// reserved for it, whatever font the browser has. It returns that width.
func (p *pen) mono(class string, x, y, size float64, spans ...Span) float64 {
	n := 0
	for _, s := range spans {
		n += utf8.RuneCountInString(s.Text)
	}
	w := monoWidth(n, size)
	p.nodes = append(p.nodes, Node{Class: monoClass(class), Text: &Text{X: x, Y: y, Size: size, Length: w, Spans: spans}})
	return w
}

// monoClass adds the monospaced face to a class, after "moving" if it moves.
func monoClass(class string) string {
	if rest, moves := strings.CutPrefix(class, "moving "); moves {
		return "moving mono " + rest
	}
	return strings.TrimSpace("mono " + class)
}

// monoWidth is the width of n characters of the monospaced face.
func monoWidth(n int, size float64) float64 { return round(0.603 * size * float64(n)) }

// sansWidth is an upper estimate of the width of s in the bold sans face.
func sansWidth(s string, size float64) float64 {
	return round(0.58 * size * float64(utf8.RuneCountInString(s)))
}

// rect is a rectangle whose corners are rounded by r.
func rect(x, y, w, h, r float64) string {
	if r == 0 {
		return d("M", x, y, "h", w, "v", h, "h", -w, "z")
	}
	return d("M", x+r, y, "h", w-2*r, "a", r, r, 0, 0, 1, r, r, "v", h-2*r, "a", r, r, 0, 0, 1, -r, r,
		"h", 2*r-w, "a", r, r, 0, 0, 1, -r, -r, "v", 2*r-h, "a", r, r, 0, 0, 1, r, -r, "z")
}

// d writes path data from commands and numbers.
func d(parts ...any) string {
	var b strings.Builder
	bare := true // no separator is needed before a number
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
		}
		if !bare && n[0] != '-' {
			b.WriteByte(' ')
		}
		b.WriteString(n)
		bare = false
	}
	return b.String()
}

func num(f float64) string { return strconv.FormatFloat(round(f), 'f', -1, 64) }

func round(f float64) float64 { return math.Round(f*10) / 10 }
