package picture

import (
	"fmt"
	"time"

	"github.com/devonartis/medassist-go/internal/text"
	"github.com/devonartis/medassist-go/trace"
)

// A strip is a layout of a waterfall.
type strip struct {
	class  string
	width  float64
	x0, x1 float64 // of the plot
	top    float64
	pitch  float64 // from lane to lane
	room   float64 // width of a tick's label
	detail bool    // show the model's tokens beside its lane
}

// The strips for a page and for a phone.
var (
	longStrip  = strip{class: "long", width: 1240, x0: 72, x1: 1036, top: 4, pitch: 17, room: 84, detail: true}
	shortStrip = strip{class: "short", width: 360, x0: 60, x1: 296, top: 4, pitch: 20, room: 64}
)

const barHeight = 13.0

// manyBreaks is how many breaks have a sign of their own. In a run that waits before
// each step, a sign at each break would hide the bars between them.
const manyBreaks = 8

// draw draws the timeline on a strip.
func (t *Timeline) draw(st strip) scene {
	s := &scene{id: t.id + "-" + st.class, class: "waterfall-" + st.class, title: t.Title(), desc: t.Description()}
	floor := st.top + float64(len(lanes))*st.pitch
	s.w, s.h = st.width, floor+24
	for i, lane := range lanes {
		y := st.top + (float64(i)+.5)*st.pitch
		s.text(0, y+4, "pic-lane", string(lane))
		s.shape("pic-rail", "", path("M", st.x0, y, "H", st.x1))
		s.text(st.x1+12, y+4, "pic-total", t.total(lane).brief(st.detail))
	}
	s.shape("pic-axis", "", path("M", st.x0, floor, "H", st.x1))
	if len(t.spans) == 0 {
		return *s
	}
	a := newAxis(t.spans, st.x0, st.x1)
	for _, k := range a.ticks(st.room) {
		s.shape("pic-tick", "", path("M", k.x, st.top, "V", floor+4))
		s.textMid(k.x, floor+17, "pic-time", k.text)
	}
	for _, g := range a.breaks {
		g.draw(s, st, floor, len(a.breaks) > manyBreaks)
	}
	for i, lane := range lanes {
		y := st.top + (float64(i)+.5)*st.pitch
		for _, b := range t.bars(lane, a) {
			b.draw(s, y)
		}
	}
	return *s
}

// A column is a span with coordinates. Spans that would overlap are merged, so
// that the size of the drawing is bounded.
type column struct {
	span
	n        int // number of merged spans
	took     time.Duration
	x, width float64
}

func (t *Timeline) bars(lane trace.Lane, a axis) []column {
	var cols []column
	for _, s := range t.spans {
		if s.lane != lane {
			continue
		}
		c := column{span: s, n: 1, took: s.to - s.from, x: a.x(s.from)}
		c.width = max(a.x(s.to)-c.x, 3)
		if i := len(cols) - 1; i >= 0 && cols[i].denied == c.denied && lane != trace.LaneModel && c.x < cols[i].x+cols[i].width+1 {
			cols[i].width = max(cols[i].width, c.x+c.width-cols[i].x)
			cols[i].n++
			cols[i].took += c.took
			continue
		}
		cols = append(cols, c)
	}
	return cols
}

// draw draws a bar, with its duration inside if there is space.
func (c column) draw(s *scene, y float64) {
	hint := c.name + ", " + duration(c.took)
	if c.n > 1 {
		hint = text.Count(c.n, "span") + ", " + duration(c.took)
	}
	class := "pic-bar pic-lane-" + string(c.lane)
	if c.denied {
		class += " pic-bar-denied"
	}
	s.shape(class, hint, bar(c.x, y-barHeight/2, c.width, barHeight, 1))
	if c.denied {
		s.denials = append(s.denials, denial{c.x + c.width/2, y, hint})
		return
	}
	if c.lane != trace.LaneModel {
		return
	}
	for _, text := range c.texts() {
		if textWidth(text)+10 < c.width {
			s.text(c.x+6, y+4, "pic-within", text)
			return
		}
	}
}

// texts returns the possible texts of a bar, the longest first.
func (c column) texts() []string {
	took := duration(c.took)
	if c.prompt+c.reply == 0 {
		return []string{took}
	}
	full := fmt.Sprintf("%s · %s → %s", took, thousands(c.prompt), thousands(c.reply))
	return []string{full + " tokens", full, took}
}

// draw draws a break, with the length of the idle interval unless there are many.
func (g gap) draw(s *scene, st strip, floor float64, many bool) {
	s.shape("pic-pause", "Nothing ran for "+duration(g.took), bar(g.x0+1, st.top, max(g.x-g.x0-2, 1), floor-st.top, 0))
	if many {
		return
	}
	mid := (g.x0 + g.x) / 2
	s.shape("pic-break", "", path("M", mid-5, floor+5, "l", 4, -10, "m", 2, 10, "l", 4, -10))
	if g.x-g.x0 > breakWidth-1 {
		s.textMid(mid, floor+17, "pic-time pic-wait", "+"+wait(g.took))
	}
}

// wait returns the length of a break, short enough for its width.
func wait(d time.Duration) string {
	if d < time.Minute {
		return duration(d)
	}
	return text.Clock(d)
}

// brief returns a lane's total, shown beside it.
func (t total) brief(detail bool) string {
	if t.n == 0 {
		return "–"
	}
	s := duration(t.took)
	if !detail {
		return s
	}
	s += " in " + text.Count(t.n, "span")
	if t.prompt+t.reply > 0 {
		s = fmt.Sprintf("%s · %s → %s tokens", duration(t.took), thousands(t.prompt), thousands(t.reply))
	}
	return s
}
