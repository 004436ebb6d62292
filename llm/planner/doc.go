// Package planner takes the place of a model when there is none. Its [Handler] serves
// the OpenAI protocol: it reads a conversation as a model does and replies with tool
// calls or text. It works from the request alone: the system prompt, the user's
// message, the offered tools and their results. Built in are a lexicon of English, the
// names of drugs and their classes, and the names of the demo's patients. It keeps no
// state, and the same request always gets the same reply.
//
// A request is processed in four steps:
//
//   - read.go parses the conversation; value.go reads JSON and keeps its order;
//   - understanding: language.go recognizes requests in other languages; token.go and
//     spelling.go split a request into words; parse.go and phrase.go read it clause by
//     clause (clause.go, reference.go, dose.go) into tasks (topic.go), with the words of lexicon.go,
//     observations.go and unable.go, the drugs of drugs.go and the patients of
//     directory.go;
//   - plan.go decides which calls a task needs now: a drug is checked before it is
//     prescribed, and prescribed only if no result rules it out (prescribing.go);
//     services are coded before they are claimed (billing.go);
//   - answer.go writes the answer: a sentence for each task (say.go, saybilling.go,
//     saydone.go, find.go), then the results that it is based on (table.go).
//
// To teach it a wording, add it to the lexicon and a line to testdata/requests.txt.
//
// The planner is as gullible as a model (gullible.go): it follows an instruction in a
// tool's result regardless of its author. That is the point of the demo: the broker,
// not the model, decides what can be done.
//
// It never makes up a fact: everything in an answer about a patient comes from a
// tool's result. It never decides what is allowed.
package planner
