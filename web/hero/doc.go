// Package hero draws the picture that a whole room reads: which agent holds which
// scopes for which patient, which calls passed the gate, and which ones stopped
// there.
//
// A [Hero] is a projection. It takes the events of a run one by one and holds
// nothing else, so the same events always give the same picture. [Draw] lays it
// out for one of three shapes, [Desk], [Wall] and [Phone], and returns a
// [Drawing]: a list of parts, each with an ID of its own, so that a step can
// replace the parts that it changes and leave the rest alone. [SVG] renders a
// drawing.
//
//	what happened   model.go, apply.go    events → lanes, rows, stolen tokens
//	where it goes   layout.go, phone.go   lanes and rows → coordinates
//	what it says    draw.go, rows.go, …   coordinates → text and shapes
//	                words.go
//
// One rule governs the layout: what has not passed the gate is drawn before it,
// what has passed is drawn behind it. A denied call keeps a row of its own, is the
// only solid pill, and nothing leaves the gate in its row. Ended credentials keep
// their colors and get a stamp.
//
// The package reads no clock and no store. Remaining lifetimes are drawn as of the
// last event; web/static/picture.js counts them down from there.
package hero
