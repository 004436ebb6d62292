// Package stage serves the pages of a talk: the presenter's page with the acts
// and the timer, the stage for the projector, the page that phones follow, and
// the link to it.
//
// Exactly one run is on the stage. All followers see it and are sent the next
// one when it starts; the run's own stream then brings its steps. The package
// does not know how a run looks: the run's page renders it.
package stage
