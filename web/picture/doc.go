// Package picture draws a run: its credentials as the authority picture, and its
// time as the waterfall. Both must be readable from the back row.
//
// A [Picture] and a [Timeline] are projections of the run's trace events, which
// are applied one by one; they hold nothing else. [Authority] and [Waterfall]
// render them as SVG on the server. The same events give the same bytes.
//
// Drawing takes four steps:
//
//	state        picture.go, apply.go   events → credentials, calls, refusals
//	             timeline.go            events → spans of time
//	appearance   rows.go, words.go      strands, signs and words
//	layout       wide*.go, tall.go      coordinates: a layout for a panel and one
//	             axis.go, waterfall.go  for a phone; a time axis and its bars
//	markup       *.templ                elements and classes
//
// Scopes run from left to right and only narrow. Each scope is a strand:
// nine leave the app, and a strand tapers where "*" becomes one patient. The
// position of every strand is fixed by the [Frame] before the first event, so
// nothing moves when an agent appears.
//
// The package makes no decisions and reads no clock, token or store. Remaining
// lifetimes are drawn as of the last event; the page's script counts them down
// from there (see [Authority]). It writes no style attributes: colors come from
// web/static/picture.css, by class.
package picture
