package picture_test

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/a-h/templ"
	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/web/picture"
	"github.com/devonartis/medassist-go/web/picture/sample"
)

func render(t testing.TB, c templ.Component) string {
	t.Helper()
	var b bytes.Buffer
	if err := c.Render(context.Background(), &b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// waterfall renders a history.
func waterfall(t testing.TB, events []trace.Event) string {
	t.Helper()
	tl := picture.NewTimeline("")
	for _, e := range events {
		tl.Apply(e)
	}
	return render(t, picture.Waterfall(tl))
}

// elements that the figures are made of; hostile text must not add any.
var elements = map[string]bool{
	"figure": true, "svg": true, "title": true, "desc": true, "path": true, "text": true, "g": true, "ul": true, "li": true,
}

// check reads a figure as XML and holds it to what every figure promises.
func check(t interface{ Errorf(string, ...any) }, name, figure string) {
	ids, refs := map[string]bool{}, []string{}
	d := xml.NewDecoder(strings.NewReader(figure))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Errorf("%s: not well-formed: %v", name, err)
			return
		}
		e, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		if !elements[e.Name.Local] {
			t.Errorf("%s: element %s does not belong here", name, e.Name.Local)
		}
		for _, a := range e.Attr {
			switch key := a.Name.Local; {
			case key == "style", strings.HasPrefix(key, "on"):
				t.Errorf("%s: attribute %s is against the page's policy", name, key)
			case key == "id":
				if ids[a.Value] {
					t.Errorf("%s: ID %s stands twice", name, a.Value)
				}
				ids[a.Value] = true
			case key == "aria-labelledby":
				refs = append(refs, strings.Fields(a.Value)...)
			case key == "fill":
				refs = append(refs, strings.TrimSuffix(strings.TrimPrefix(a.Value, "url(#"), ")"))
			}
			if strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf") {
				t.Errorf("%s: %s=%q", name, a.Name.Local, a.Value)
			}
		}
	}
	for _, r := range refs {
		if !ids[r] {
			t.Errorf("%s: nothing has the ID %s", name, r)
		}
	}
}

// Every state of every prepared run is well-formed, drawn the same twice, and
// allowed by a policy without inline styles and scripts.
func TestFiguresAreSound(t *testing.T) {
	t.Parallel()
	for _, h := range sample.Histories() {
		t.Run(h.Name, func(t *testing.T) {
			for n := range len(h.Events) + 1 {
				drawn := waterfall(t, h.Events[:n])
				check(t, "waterfall", drawn)
				if drawn != waterfall(t, h.Events[:n]) {
					t.Fatalf("after %d events: drawn differently the second time", n)
				}
			}
		})
	}
}

// No word in a figure is smaller than 12 pixels at its layout's own size.
func TestTextSizes(t *testing.T) {
	t.Parallel()
	css, err := os.ReadFile("../static/picture.css")
	if err != nil {
		t.Fatal(err)
	}
	sizes := regexp.MustCompile(`(?:font-size: |font: )([0-9.]+)px`).FindAllSubmatch(css, -1)
	if len(sizes) == 0 {
		t.Fatal("no sizes found")
	}
	for _, m := range sizes {
		if px, err := strconv.ParseFloat(string(m[1]), 64); err != nil || px < 12 {
			t.Errorf("%s", m[0])
		}
	}
}
