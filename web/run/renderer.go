package run

import (
	"bytes"
	"net/http"
	"strings"

	"github.com/a-h/templ"

	"github.com/devonartis/medassist-go/agents"
	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/web/hero"
	"github.com/devonartis/medassist-go/web/internal/respond"
	"github.com/devonartis/medassist-go/web/internal/sse"
	"github.com/devonartis/medassist-go/web/picture"
	"github.com/devonartis/medassist-go/web/ui"
)

// A layout is the shape of the picture that a page shows. A page is sent only
// that one; the figure holds both, so that it is right on any screen when loaded.
type layout int

const (
	desk layout = iota
	phone
	layouts // how many there are
)

var shapes = [layouts]hero.Shape{desk: hero.Desk, phone: hero.Phone}

// readLayout returns the layout that a request names, or the desk's.
func readLayout(r *http.Request) layout {
	if r.URL.Query().Get("layout") == "phone" {
		return phone
	}
	return desk
}

// parts are the pieces of the page that show the run as a whole. Each is sent when
// it looks different from what was sent last. What is on a tab that few have open
// is not among them: it is announced, and a page that shows it fetches it (see
// onDemand).
var parts = []part{
	{"#verdict", "innerMorph", VerdictLine, nil},
	{"#key-moment", "innerMorph", KeyMoment, nil},
	{"#cleanup", "innerMorph", CleanUp, nil},
	{"#author", "innerHTML", func(r *Run) templ.Component { return respond.Text(r.Author) }, nil},
	{"#status", "innerMorph", Status, idleStatus},
	{"#activity", "innerHTML", func(r *Run) templ.Component { return ui.Unbroken(r.Doing()) }, nil},
}

type part struct {
	target, swap string
	view         func(*Run) templ.Component
	// compare is the view without those pieces that are parts themselves; nil is
	// the view.
	compare func(*Run) templ.Component
}

func (p part) compared(r *Run) string {
	if p.compare != nil {
		return render(p.compare(r))
	}
	return render(p.view(r))
}

// idleStatus is the status without the activity, which changes with each step.
func idleStatus(r *Run) templ.Component { return status(r, "") }

// A renderer turns the events of a run into the parts of the page that they
// change. It is not safe for concurrent use.
type renderer struct {
	run   *Run
	sent  map[string]string // by target
	drawn [layouts]hero.Drawing
}

// newRenderer returns a renderer for pages that show the run as it is now.
func newRenderer(run *Run) *renderer {
	r := &renderer{run: run, sent: make(map[string]string)}
	for _, p := range parts {
		r.sent[p.target] = p.compared(run)
	}
	for i := range r.drawn {
		r.drawn[i] = r.draw(layout(i))
	}
	return r
}

func (r *renderer) draw(l layout) hero.Drawing {
	return hero.Draw(r.run.Hero, r.run.heroID(), shapes[l])
}

func render(c templ.Component) string {
	var b bytes.Buffer
	respond.Write(&b, c)
	return b.String()
}

// add applies events. It returns a message for each layout: a line of the trace
// for each event, and the other parts that they changed.
func (r *renderer) add(events []trace.Event) [layouts][]byte {
	var changed Changed
	for _, e := range events {
		changed.Merge(r.run.Apply(e))
	}
	return r.changed(changed, events...)
}

// setState takes whether the run waits for the presenter, and its pace. It
// reports whether that changes what is shown.
func (r *renderer) setState(state agents.State) bool {
	pace := state.Pace.String()
	if r.run.Waiting == state.Waiting && r.run.Pace == pace || !r.run.Live() {
		return false
	}
	r.run.Waiting, r.run.Pace = state.Waiting, pace
	return true
}

// changed returns a message for each layout with what has changed since the last
// one, and the lines of new events.
func (r *renderer) changed(c Changed, events ...trace.Event) (messages [layouts][]byte) {
	var b bytes.Buffer
	if len(events) > 0 {
		r.lines(&b, events[0].Seq-1)
	}
	for _, p := range parts {
		if now := p.compared(r.run); now != r.sent[p.target] {
			respond.Partial(&b, p.target, p.swap, p.view(r.run))
			r.sent[p.target] = now
		}
	}
	if c.Answer && !r.run.writing {
		respond.Partial(&b, "#answer", "innerHTML", Answer(r.run))
	}
	ended := !r.run.Live()
	if ended {
		respond.Partial(&b, "#stream", "delete", templ.NopComponent)
	}
	for i := range messages {
		var picture bytes.Buffer
		if c.Hero {
			r.picture(&picture, layout(i))
		}
		if ended { // nothing follows, so a page that is resized later needs both
			r.redraw(&picture, other(layout(i)))
		}
		m := sse.Append(nil, r.run.LastSeq, append(picture.Bytes(), b.Bytes()...))
		messages[i] = appendOnDemand(m, c, r.run.writing)
	}
	return messages
}

// lines appends the lines of the trace after an event.
func (r *renderer) lines(b *bytes.Buffer, after int64) {
	var lines bytes.Buffer
	for _, s := range r.run.Steps {
		if s.Seq > after {
			s.Detail = r.run.url("steps/")
			respond.Write(&lines, StepLine(s))
		}
	}
	if lines.Len() > 0 {
		respond.Partial(b, "#trace", "beforeend", templ.Raw(lines.String()))
	}
}

// picture appends those parts of the picture that have changed.
func (r *renderer) picture(b *bytes.Buffer, l layout) {
	now := r.draw(l)
	changes, same := now.Changes(r.drawn[l])
	switch {
	case !same:
		respond.Partial(b, "#"+now.ID, "outerHTML", hero.SVG(now))
	case len(changes) > 0:
		respond.Write(b, hero.Parts(now, changes))
	}
	r.drawn[l] = now
}

// drawnAfter returns the picture as it was after an event.
func (r *Run) drawnAfter(seq int64, l layout) hero.Drawing {
	h := hero.New(r.Info.PatientID)
	for _, e := range r.events {
		if e.Seq <= seq {
			h.Apply(e)
		}
	}
	return hero.Draw(h, r.heroID(), shapes[l])
}

// redraw appends the whole picture in one layout.
func (r *renderer) redraw(b *bytes.Buffer, l layout) {
	d := r.draw(l)
	respond.Partial(b, "#"+d.ID, "outerHTML", hero.SVG(d))
}

// other returns the layout that a page does not show.
func other(l layout) layout { return layouts - 1 - l }

// since returns one message that brings a page that shows the run up to an event
// to what it is now.
func (r *renderer) since(after int64, l layout) []byte {
	var b bytes.Buffer
	r.redraw(&b, l)
	all := after < r.run.LastSeq
	if all {
		r.lines(&b, after)
		respond.Partial(&b, "#answer", "innerHTML", Answer(r.run))
	}
	for _, p := range parts {
		respond.Partial(&b, p.target, p.swap, p.view(r.run))
	}
	if !r.run.Live() {
		r.redraw(&b, other(l))
	}
	message := appendOnDemand(sse.Append(nil, r.run.LastSeq, b.Bytes()), Changed{Cards: all, Timeline: all}, false)
	var last bytes.Buffer // after the picture, in which it moves what the page has missed
	if d := r.draw(l); all {
		respond.Write(&last, hero.Parts(d, d.Moving(r.run.drawnAfter(after, l))))
	}
	if !r.run.Live() {
		respond.Partial(&last, "#stream", "delete", templ.NopComponent)
	}
	if last.Len() > 0 {
		message = sse.AppendEvent(message, "", "", last.Bytes())
	}
	return message
}

// whole returns a message that replaces all that a page shows of the run.
func (r *renderer) whole() []byte {
	var b bytes.Buffer
	respond.Partial(&b, "#run", "outerHTML", RunView(r.run))
	return sse.Append(nil, r.run.LastSeq, b.Bytes())
}

// onDemand are parts that a page fetches while it shows them: GET
// /runs/{id}/parts/{part}.
var onDemand = map[string]func(*Run) templ.Component{
	"answer":    Answer,
	"cards":     Cards,
	"waterfall": func(r *Run) templ.Component { return picture.Waterfall(r.Timeline) },
}

// appendOnDemand announces the parts that are stale now. While the model writes,
// the answer is one of them, so that its growing text is not sent again and
// again.
func appendOnDemand(message []byte, c Changed, writing bool) []byte {
	var stale []string
	if c.Answer && writing {
		stale = append(stale, "answer")
	}
	if c.Cards {
		stale = append(stale, "cards")
	}
	if c.Timeline {
		stale = append(stale, "waterfall")
	}
	if len(stale) == 0 {
		return message
	}
	return sse.AppendEvent(message, "stale", "", []byte(strings.Join(stale, " ")))
}
