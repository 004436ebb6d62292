// Package scenario holds the demo's set pieces: for each the patient and the
// request, one sentence on what it proves, and what must be seen for it to
// have been proven. The page offers them, the guides tell them, `medassist
// check` runs them all.
//
// A scenario expects outcomes, not a script: which agents exist, which tools
// answered, what was refused and by whom. It judges a run from its trace
// alone, so what it calls proven is what the page has shown. It starts
// nothing itself.
package scenario
