// Package scenario holds the scenarios of the demo: for each the patient and the
// request, one sentence on what it proves, and what its run must show. The page
// offers them, the talk presents them, and `medassist check` runs them all.
//
// The scenarios are in one table, in catalogue.go. A scenario expects outcomes
// rather than a script: which agents are created, which tools respond, what is
// denied and by whom. It judges a run by its trace alone, so it never passes a run
// for something that the page did not show. The package runs nothing itself.
package scenario
