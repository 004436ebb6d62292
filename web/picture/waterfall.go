package picture

import (
	"fmt"
	"time"

	"github.com/devonartis/medassist-go/trace"
)

// strip is the shape of a waterfall.
type strip struct {
	class  string
	width  float64
	x0, x1 float64 // of the plot
	top    float64
	pitch  float64 // from lane to lane
	room   float64 // for a tick's label
	detail bool    // the model's tokens are beside its lane
}

// The strips: across a page, and across a phone.
var (
	longStrip  = strip{class: "long", width: 1240, x0: 72, x1: 1036, top: 4, pitch: 17, room: 84, detail: true}
	shortStrip = strip{class: "short", width: 360, x0: 60, x1: 296, top: 4, pitch: 20, room: 64}
)

const barHeight = 13.0

// draw lays the timeline out on a strip.
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
		g.draw(s, st, floor)
	}
	for i, lane := range lanes {
		y := st.top + (float64(i)+.5)*st.pitch
		for _, b := range t.bars(lane, a) {
			b.draw(s, y)
		}
	}
	return *s
}

// column is a span in its place. Spans that would stand on one another are
// drawn as one, so that the strip stays small however long the run is.
type column struct {
	span
	n        int // how many spans it stands for
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

// draw is a bar, with its length inside if there is room.
func (c column) draw(s *scene, y float64) {
	hint := c.name + ", " + duration(c.took)
	if c.n > 1 {
		hint = count(c.n, "span") + ", " + duration(c.took)
	}
	class := "pic-bar pic-lane-" + string(c.lane)
	if c.denied {
		class += " pic-bar-denied"
	}
	s.shape(class, hint, bar(c.x, y-barHeight/2, c.width, barHeight, 1))
	if c.denied {
		s.mark(c.x+c.width/2, y, signDenied, "pic-mark pic-denied", hint)
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

// texts are what a bar may say, the longest first.
func (c column) texts() []string {
	took := duration(c.took)
	if c.prompt+c.reply == 0 {
		return []string{took}
	}
	full := fmt.Sprintf("%s · %s → %s", took, thousands(c.prompt), thousands(c.reply))
	return []string{full + " tokens", full, took}
}

// draw is a broken-out wait: the plot is cut, and the cut says how long.
func (g gap) draw(s *scene, st strip, floor float64) {
	s.shape("pic-pause", "Nothing ran for "+duration(g.took), bar(g.x0+2, st.top, g.x-g.x0-4, floor-st.top, 0))
	mid := (g.x0 + g.x) / 2
	s.shape("pic-break", "", path("M", mid-5, floor+5, "l", 4, -10, "m", 2, 10, "l", 4, -10))
	if g.x-g.x0 > breakWidth-1 {
		s.textMid(mid, floor+17, "pic-time pic-wait", "+"+wait(g.took))
	}
}

// wait is a broken-out stretch's length, in the room of a break.
func wait(d time.Duration) string {
	if d < time.Minute {
		return duration(d)
	}
	return clock(d)
}

// brief is a lane's total as it stands beside it.
func (t total) brief(detail bool) string {
	if t.n == 0 {
		return "–"
	}
	s := duration(t.took)
	if !detail {
		return s
	}
	s += " in " + count(t.n, "span")
	if t.prompt+t.reply > 0 {
		s = fmt.Sprintf("%s · %s → %s tokens", duration(t.took), thousands(t.prompt), thousands(t.reply))
	}
	return s
}
