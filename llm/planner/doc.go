// Package planner takes the place of a model when there is none. Its [Handler] serves
// the OpenAI protocol: it reads a conversation as a model does and replies with tool
// calls or text. Everything it knows is in the request: the system prompt, the
// user's message, the offered tools and their results. It keeps no state, and the
// same request always gets the same reply.
//
// A request is processed in four steps:
//
//   - read.go parses the conversation; value.go reads JSON and keeps its order;
//   - token.go, parse.go and phrase.go parse free wording clause by clause
//     (clause.go), with the words of lexicon.go and the drug names of drugs.go, into
//     tasks;
//   - plan.go decides which tasks can be done now: a drug is checked before it is
//     prescribed, and prescribed only if nothing rules it out;
//   - answer.go writes the answer, with the tables of table.go.
//
// The planner is as gullible as a model (gullible.go): it follows an instruction in a
// tool's result regardless of its author. That is the point of the demo: the broker,
// not the model, decides what can be done.
//
// It never makes up a fact: everything in an answer about a patient comes from a
// tool's result. It never decides what is allowed.
package planner
