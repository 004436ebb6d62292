// Package twin serves the comparison of AgentWrit with a shared API key: the page
// (/twin), its files, and the component that the stage shows.
//
// The comparison itself is package twin of this module; every figure here is computed
// from its result (facts.go), and so is the picture (draw.go). A viewer sees the
// comparison; the presenter starts and stops it.
package twin
