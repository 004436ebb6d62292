// Package planner stands in for a model where there is none: a handler of the
// OpenAI protocol ([Handler]) that reads a conversation as a model does and
// answers with tool calls or with text. All it knows is in the request: the
// system prompt, the user's words, the tools on offer, what the tools returned.
// It keeps nothing between requests, and the same request always gets the same
// answer.
//
// A request goes through four steps:
//
//   - read.go takes the conversation apart; value.go reads JSON and keeps its
//     order;
//   - token.go, parse.go and phrase.go go through free wording clause by clause
//     (clause.go), by the words of lexicon.go and the drug names of drugs.go, and
//     find the tasks in it;
//   - plan.go decides which tasks can be done now: a drug is checked before it
//     is prescribed, and prescribed only if nothing speaks against it;
//   - answer.go writes what came of it all, by the tables of table.go.
//
// It is as gullible as a model (gullible.go): an instruction in a tool's
// result is followed, whoever wrote it. That is what the demo is about: not
// the model, but the broker, decides what can be done.
//
// It never makes up a fact: every word of an answer about a patient comes from
// a tool's result. It never decides what is allowed.
package planner
