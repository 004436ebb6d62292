// Package picture follows the state of a run's tokens and draws the run's time as a
// waterfall. The picture of authority is web/hero's.
//
// [Tokens] and a [Timeline] are projections of the run's trace events, which are
// applied one by one; they hold nothing else. [Waterfall] renders a timeline as SVG
// on the server. The same events give the same bytes.
//
//	tokens     tokens.go, apply.go     events → credentials and their states
//	time       timeline.go             events → spans of time
//	layout     axis.go, waterfall.go   a time axis and its bars
//	markup     *.templ                 elements and classes
//
// The package makes no decisions and reads no clock, token or store. It writes no
// style attributes: colors come from web/static/picture.css, by class.
package picture
