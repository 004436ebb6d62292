// Package web is everything that a browser or curl sees: chi routes, the JSON
// API, the page and its stream.
//
// A run is rendered once, however many watch: one goroutine per run follows its
// trace and turns each event into a frame of HTML; a watcher is a cursor into
// the frames (live.go). Every request passes one guard (security.go), which
// says who may change anything, and JSON has one way in (json.go). Errors are
// problem documents for programs and words for people; what is inside stays
// inside.
package web
