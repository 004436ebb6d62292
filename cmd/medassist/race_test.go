//go:build race

package main

// raceDetector reports whether the race detector is on. It keeps memory of its own in
// the heap.
const raceDetector = true
