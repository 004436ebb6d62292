// Package picture draws a run: its credentials as the authority picture, and
// its time as the waterfall. It is the part of the page that must be read from
// the back row.
//
// A [Picture] and a [Timeline] are projections: they are fed the run's trace
// events one by one, and hold nothing else. [Authority] and [Waterfall] turn
// them into SVG on the server. The same events give the same bytes, so a run
// looks the same twice.
//
// The drawing is made in four steps, a file or two for each:
//
//	what is      picture.go, apply.go   events → credentials, calls, refusals
//	             timeline.go            events → spans of time
//	what shows   rows.go, words.go      which strand, sign and word stands for it
//	where        wide*.go, tall.go      coordinates: a layout for a panel and one
//	             axis.go, waterfall.go  for a phone; a time axis and its bars
//	how          *.templ                elements and classes
//
// Authority flows from left to right and only narrows. Each scope is a strand:
// nine leave the app, and a strand tapers where "*" becomes one patient. The
// place of every strand is fixed by the [Frame] before the first event, so
// nothing moves when an agent appears.
//
// The package decides nothing and asks nobody: it never reads a clock, a token
// or a store. Times to live are drawn as of the last event; the page's script
// lets them run down from there (see [Authority]). It writes no style
// attribute: colours come from web/static/picture.css, by class.
package picture
