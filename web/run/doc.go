// Package run serves the encounter: the page on which runs are started and
// watched, its streams, looking back, replays, the history and exports.
//
// What a page shows of a run is a [Run], a projection: it is fed the run's
// trace events one by one and holds nothing else, so a run looks the same live,
// reloaded, replayed and exported. Its parts are the trace (step.go, facts.go),
// the tokens' cards (card.go, compare.go), the answer and the status; the
// picture of authority is web/hero's, that of time web/picture's. Each part has a templ view
// of the same name.
//
// A live run is rendered once, however many watch it: one goroutine follows its
// trace and turns each event into a frame of HTML (live.go); a watcher is a
// cursor into the frames. A frame holds a line of the trace and those other
// parts that the event changed.
//
// How a step is rendered: meaning.go says what it means, facts.go what is worth
// reading in it, step.templ how it looks.
package run
