// Package attacks serves the corpus of prompt injections (/attacks): the score of the
// last check, and every attack, which the presenter can replay as a run.
//
// A replay uses a lab of its own (package attack): an obedient model and a throwaway
// copy of the records, at the demo's broker. Its run is in the demo's history and on
// the stage like any other.
package attacks
