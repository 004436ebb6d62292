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
// A live run is rendered once, however many watch it: live.go follows its trace,
// renderer.go turns events into the parts of the page that they change, for each of
// the layouts of the picture. A watcher is a cursor into the messages. Parts on tabs
// that few have open are only announced, and a line of the trace is sent without its
// detail: demand.go answers for both.
//
// How a step is rendered: meaning.go says what it means, facts.go what is worth
// reading in it, step.templ how it looks.
package run
