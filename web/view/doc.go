// Package view turns a run's trace into what a page shows: a plain model that
// grows event by event, and templ components that draw it.
//
// The model is a projection of trace events and of nothing else, so a page that
// is loaded late and a page that has followed from the start show the same. It
// decides nothing, asks nobody, and all that comes from a model or a record is
// escaped or, for the answer, sanitised. No component holds inline script or
// style.
package view
